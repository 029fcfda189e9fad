//! Which refs go into a pack, how it is made, and where objects are: options and
//! environment of `mug pack create`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use mug::pack::create::Input;

use crate::cli::error::Error;
use crate::cli::path::absolute;

/// Which refs, and options that only packs in mug's own format have.
#[derive(Debug, Default, clap::Args)]
pub(super) struct SelectArgs {
    /// Leave out the refs that this name or glob means, whatever else chooses them
    #[arg(long, value_name = "REF")]
    exclude: Vec<OsString>,
    /// Only refs whose commit was committed at this date or later
    ///
    /// The date is one that git understands ("2024-05-01", "2 weeks ago"); a day
    /// alone begins at 0:00 UTC. An annotated tag has the date of the commit that it
    /// leads to; refs that lead to no commit are left out. Refs are left out, not
    /// commits: a pack holds the whole history of its refs.
    #[arg(long, value_name = "DATE", value_parser = since)]
    since: Option<i64>,
    /// Larger frames, compressed harder: some 10 % smaller, and slower to make
    #[arg(long)]
    small: bool,
    /// What to do about objects that a partial clone lacks
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Missing::Error)]
    missing: Missing,
}

/// What to do about objects that are missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Missing {
    /// Make no pack
    #[default]
    Error,
    /// Leave out those that the remote has promised, and say so in the pack
    AllowPromisor,
}

impl SelectArgs {
    /// Whether anything was asked for that a Git bundle does not have.
    pub(super) fn only_for_packs(&self) -> bool {
        self.since.is_some() || self.small || self.missing.allows()
    }

    /// The refs to leave out.
    pub(super) fn exclude(&self) -> &[OsString] {
        &self.exclude
    }

    /// Adds it to what the operation is asked to do.
    pub(super) fn put_into(&self, input: &mut Input) -> Result<(), Error> {
        let exclude = self.exclude.iter().map(|name| name.as_os_str().into());
        input.exclude = exclude.collect();
        input.since = self.since;
        input.small = self.small;
        input.allow_promised = self.missing.allows();
        if let Some(objects) = std::env::var_os("GIT_OBJECT_DIRECTORY") {
            input.objects = Some(absolute(objects.as_ref())?);
        }
        if let Some(list) = std::env::var_os("GIT_ALTERNATE_OBJECT_DIRECTORIES") {
            for path in paths(&list) {
                input.alternates.push(absolute(&path)?);
            }
        }
        Ok(())
    }

    /// The words that say the same again, even at another time; none when they are
    /// no text.
    pub(super) fn words(&self) -> Option<Vec<String>> {
        let mut words = Vec::new();
        for name in &self.exclude {
            words.push(format!("--exclude={}", name.to_str()?));
        }
        words.extend(self.since.map(|since| format!("--since=@{since}")));
        if self.small {
            words.push("--small".to_owned());
        }
        if self.missing.allows() {
            words.push("--missing=allow-promisor".to_owned());
        }
        Some(words)
    }
}

impl Missing {
    fn allows(self) -> bool {
        self == Self::AllowPromisor
    }
}

/// How what was given contradicts what the operation was started with.
pub(super) fn contradiction(given: &Input, stored: &Input) -> Option<String> {
    let list = |names: &[mug::pack::select::Pattern]| {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        names.join(" ")
    };
    if !given.refs.is_empty() && given.refs != stored.refs {
        let stored = match stored.refs[..] {
            [] => "all refs".to_owned(),
            _ => list(&stored.refs),
        };
        return Some(format!("packs {stored}, not {}", list(&given.refs)));
    }
    if !given.exclude.is_empty() && given.exclude != stored.exclude {
        return Some(match stored.exclude[..] {
            [] => "excludes nothing".to_owned(),
            _ => format!("excludes {}", list(&stored.exclude)),
        });
    }
    if given.since.is_some() && given.since != stored.since {
        return Some(match stored.since {
            Some(since) => format!("has --since=@{since}"),
            None => "has no --since".to_owned(),
        });
    }
    if given.small && !stored.small {
        return Some("was started without --small".to_owned());
    }
    (given.allow_promised && !stored.allow_promised)
        .then(|| "was started without --missing=allow-promisor".to_owned())
}

/// The seconds since 1970 of a date as git writes dates.
fn since(text: &str) -> Result<i64, String> {
    gix::date::parse(text, Some(gix::date::Zoned::now()))
        .map(|time| time.seconds)
        .map_err(|_| "no date that git would understand".to_owned())
}

/// A list of paths as Git's environment has it: divided by colons, each perhaps in
/// quotes.
fn paths(list: &OsStr) -> Vec<PathBuf> {
    let mut rest = list.as_bytes();
    let mut paths = Vec::new();
    while !rest.is_empty() {
        let quoted = rest
            .starts_with(b"\"")
            .then(|| gix::quote::ansi_c::undo(rest.into()));
        let (path, length) = if let Some(Ok((path, length))) = quoted {
            (path.to_vec(), length)
        } else {
            let length = rest.iter().position(|byte| *byte == b':');
            let length = length.unwrap_or(rest.len());
            (rest[..length].to_vec(), length)
        };
        if !path.is_empty() && !path.starts_with(b"#") {
            paths.push(OsString::from_vec(path).into());
        }
        rest = rest.get(length + 1..).unwrap_or_default();
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn git_s_lists_of_paths() {
        let list = |text: &str| -> Vec<String> {
            let paths = paths(OsStr::new(text));
            paths
                .iter()
                .map(|path| path.display().to_string())
                .collect()
        };
        assert_eq!(list("/a:/b"), ["/a", "/b"]);
        assert_eq!(list("\"/a:\\\"b\":c::"), ["/a:\"b", "c"]);
        assert_eq!(list(""), [] as [&str; 0]);
        assert_eq!(list("\"/open:/b"), ["\"/open", "/b"]);
    }

    #[test]
    fn dates_as_git_writes_them() {
        assert_eq!(since("@1700000000"), Ok(1_700_000_000));
        assert_eq!(since("2023-11-14T22:13:20Z"), Ok(1_700_000_000));
        assert_eq!(since("2023-11-14"), Ok(1_699_920_000));
        assert!(since("2 weeks ago").is_ok());
        assert!(since("the day of reckoning").is_err());
    }

    #[test]
    fn what_is_said_again_means_the_same() {
        use clap::Parser as _;
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: SelectArgs,
        }
        let line =
            "mug --exclude a/* --exclude=b --since=2020-01-01 --small --missing=allow-promisor";
        let args = Line::try_parse_from(line.split(' ')).unwrap().args;
        assert!(args.only_for_packs());
        let words = args.words().unwrap();
        let again = [vec!["mug".to_owned()], words.clone()].concat();
        let again = Line::try_parse_from(again).unwrap().args;
        assert_eq!(again.words().unwrap(), words);
        let (mut input, mut other) = (Input::default(), Input::default());
        args.put_into(&mut input).unwrap();
        again.put_into(&mut other).unwrap();
        assert_eq!(contradiction(&input, &other), None);
        assert_eq!(input.exclude.len(), 2);
        assert!(input.small && input.allow_promised);
        assert!(contradiction(&input, &Input::default()).is_some());
        assert_eq!(contradiction(&Input::default(), &input), None);
    }
}
