//! What is configured for merges, under what was asked for.

use gix::bstr::{BString, ByteSlice as _};

use super::error::MergeError;
use super::input::{FastForward, Input};
use crate::history::commit::Head;
use crate::history::engine::Favor;

/// So many commits are listed if nobody says how many (`merge.log=true`).
const LISTED: usize = 20;

/// What was asked for, or configured.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) fast_forward: Option<FastForward>,
    pub(super) squash: bool,
    pub(super) no_commit: bool,
    pub(super) favor: Favor,
    /// So many commits are listed in the message.
    pub(super) log: usize,
}

impl Settings {
    pub(super) fn of(
        repository: &gix::Repository,
        head: &Head,
        input: &Input,
    ) -> Result<Self, MergeError> {
        let config = repository.config_snapshot();
        if config.boolean("merge.verifySignatures") == Some(true) {
            let key = "merge.verifySignatures".to_owned();
            return Err(MergeError::Setting { key });
        }
        let mut settings = Self {
            fast_forward: None,
            squash: false,
            no_commit: false,
            favor: Favor::Neither,
            log: 0,
        };
        let set = config.string("merge.ff");
        if set
            .as_ref()
            .is_some_and(|it| it.eq_ignore_ascii_case(b"only"))
        {
            settings.fast_forward = Some(FastForward::Only);
        } else if set.is_some() {
            settings.fast_forward = match config.boolean("merge.ff") {
                Some(true) => Some(FastForward::Allowed),
                Some(false) => Some(FastForward::Never),
                None => None,
            };
        }
        let log = config
            .string("merge.log")
            .or_else(|| config.string("merge.summary"));
        if let Some(log) = log {
            settings.log = count(&log);
        }
        let key = format!("branch.{}.mergeOptions", head.short());
        if head.branch.is_some()
            && let Some(options) = config.string(key.as_str())
        {
            settings.read(&key, &options)?;
        }
        settings.fast_forward = input.fast_forward.or(settings.fast_forward);
        settings.squash |= input.squash;
        settings.no_commit |= input.no_commit;
        if input.favor != Favor::Neither {
            settings.favor = input.favor;
        }
        Ok(settings)
    }

    /// The options of a branch, as they are given to `git merge`.
    fn read(&mut self, key: &str, options: &BString) -> Result<(), MergeError> {
        for word in options.fields() {
            match word {
                b"--ff" => self.fast_forward = Some(FastForward::Allowed),
                b"--no-ff" => self.fast_forward = Some(FastForward::Never),
                b"--ff-only" => self.fast_forward = Some(FastForward::Only),
                b"--squash" => self.squash = true,
                b"--no-squash" => self.squash = false,
                b"--no-commit" => self.no_commit = true,
                b"--commit" => self.no_commit = false,
                b"--log" => self.log = LISTED,
                b"--no-log" => self.log = 0,
                b"-Xours" => self.favor = Favor::Ours,
                b"-Xtheirs" => self.favor = Favor::Theirs,
                // How it is shown.
                b"--edit" | b"--no-edit" | b"-e" | b"--stat" | b"--no-stat" | b"-n" | b"-v"
                | b"--verbose" | b"-q" | b"--quiet" | b"--progress" | b"--no-progress" => {}
                _ => {
                    let word = word.to_str_lossy();
                    return Err(MergeError::Setting {
                        key: format!("{word} in {key}"),
                    });
                }
            }
        }
        Ok(())
    }
}

/// A number, or whether to list any.
fn count(value: &BString) -> usize {
    let text = value.to_str_lossy();
    if let Ok(count) = text.trim().parse() {
        return count;
    }
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => LISTED,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_a_number_or_a_word() {
        for (value, wanted) in [("7", 7), ("true", LISTED), ("no", 0), ("", 0)] {
            assert_eq!(count(&value.into()), wanted, "{value}");
        }
    }
}
