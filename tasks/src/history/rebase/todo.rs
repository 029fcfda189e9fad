//! The list of what is to be done, in the form of Git's `git-rebase-todo`.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;

/// A line of the list: a commit to pick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) commit: ObjectId,
    /// What people see of it.
    pub(super) subject: BString,
}

impl Item {
    /// The line, with its end.
    pub(super) fn line(&self) -> Vec<u8> {
        let mut line = format!("pick {} ", self.commit).into_bytes();
        line.extend_from_slice(&self.subject);
        line.push(b'\n');
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
    let mut words = line.splitn_str(3, " ");
    let command = words.next()?;
    if !matches!(command, b"pick" | b"p") {
        return None;
    }
    Some(Item {
        commit: ObjectId::from_hex(words.next()?).ok()?,
        subject: words.next().unwrap_or_default().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_comes_back() {
        let commit = ObjectId::Sha1([3; 20]);
        let items = ["a subject", "", "# no comment"].map(|subject| Item {
            commit,
            subject: subject.into(),
        });
        let file = render(&items);
        assert_eq!(parse(&file).unwrap(), items);
        assert_eq!(parse(b"noop\n# pick\n\n").unwrap(), []);
        for line in ["edit 1234 x", "pick", "exec true", "pick 12 x"] {
            assert_eq!(parse(line.as_bytes()).unwrap_err(), line);
        }
    }
}
