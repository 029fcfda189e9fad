//! The list of what is to be done, in the form of Git's `git-rebase-todo`.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;

/// What is done with a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// It becomes a commit again.
    Pick,
    /// It is melded into the one before it, whose message stays.
    Fixup,
    /// It is melded into the one before it, and its message is the new one.
    Amend,
    /// It is melded into the one before it, with both messages.
    Squash,
}

impl How {
    /// What Git calls it in logs.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Pick => "pick",
            Self::Fixup | Self::Amend => "fixup",
            Self::Squash => "squash",
        }
    }

    /// Whether it is melded into the commit before it.
    pub(super) const fn melds(self) -> bool {
        !matches!(self, Self::Pick)
    }
}

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Commit {
        how: How,
        commit: ObjectId,
        /// What people see of it.
        subject: BString,
    },
    /// A command for the shell.
    Exec(BString),
}

impl Item {
    /// A commit to pick.
    pub(super) const fn pick(commit: ObjectId, subject: BString) -> Self {
        Self::Commit {
            how: How::Pick,
            commit,
            subject,
        }
    }

    /// Whether it is melded into the commit before it.
    pub(super) const fn melds(&self) -> bool {
        matches!(self, Self::Commit { how, .. } if how.melds())
    }

    /// The line, with its end.
    fn line(&self) -> Vec<u8> {
        let (mut line, rest) = match self {
            Self::Commit {
                how,
                commit,
                subject,
            } => {
                let option = if *how == How::Amend { "-C " } else { "" };
                (format!("{} {option}{commit} ", how.word()), subject)
            }
            Self::Exec(command) => ("exec ".to_owned(), command),
        };
        line.push('\n');
        let mut line = line.into_bytes();
        let end = line.len() - 1;
        line.splice(end..end, rest.iter().copied());
        line
    }
}

/// The list as a file.
pub(super) fn render<'a>(items: impl IntoIterator<Item = &'a Item>) -> Vec<u8> {
    items.into_iter().flat_map(Item::line).collect()
}

/// The list out of a file; the line where there is something that is not known here.
pub(super) fn parse(file: &[u8]) -> Result<Vec<Item>, BString> {
    let lines = file.lines().map(|line| line.trim().as_bstr());
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    lines
        .filter(|line| *line != "noop")
        .map(|line| item(line).ok_or_else(|| line.to_owned()))
        .collect()
}

fn item(line: &BStr) -> Option<Item> {
    let (command, rest) = line.split_once_str(" ")?;
    let (how, rest) = match command {
        b"exec" | b"x" => return Some(Item::Exec(rest.trim_start().into())),
        b"pick" | b"p" => (How::Pick, rest),
        b"squash" | b"s" => (How::Squash, rest),
        b"fixup" | b"f" => match rest.strip_prefix(b"-C ") {
            Some(rest) => (How::Amend, rest),
            None => (How::Fixup, rest),
        },
        _ => return None,
    };
    let (commit, subject) = rest.split_once_str(" ").unwrap_or((rest, b""));
    Some(Item::Commit {
        how,
        commit: ObjectId::from_hex(commit).ok()?,
        subject: subject.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_comes_back() {
        let commit = ObjectId::Sha1([3; 20]);
        let mut items = Vec::new();
        for how in [How::Pick, How::Fixup, How::Amend, How::Squash] {
            items.extend(
                ["a subject", "", "# no comment"].map(|subject| Item::Commit {
                    how,
                    commit,
                    subject: subject.into(),
                }),
            );
        }
        items.push(Item::Exec("make  check # all".into()));
        let file = render(&items);
        assert_eq!(parse(&file).unwrap(), items);
        assert_eq!(parse(b"noop\n# pick\n\n").unwrap(), []);
        for line in ["edit 1234 x", "pick", "break", "pick 12 x", "fixup -c 12 x"] {
            assert_eq!(parse(line.as_bytes()).unwrap_err(), line);
        }
    }
}
