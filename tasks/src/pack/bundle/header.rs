//! The text that a bundle begins with.

use gix::bstr::{BString, ByteSlice};
use gix_hash::ObjectId;

/// A commit that the bundle's reader must have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Prerequisite {
    pub(super) id: ObjectId,
    /// Its subject, for people.
    pub(super) subject: BString,
}

/// The header of version 2: version 3 says more only for other hashes and for filters.
pub(super) fn write(prerequisites: &[Prerequisite], refs: &[(BString, ObjectId)]) -> Vec<u8> {
    let mut out = b"# v2 git bundle\n".to_vec();
    for Prerequisite { id, subject } in prerequisites {
        out.extend(format!("-{id} ").into_bytes());
        out.extend_from_slice(subject);
        out.push(b'\n');
    }
    for (name, id) in refs {
        out.extend(format!("{id} ").into_bytes());
        out.extend_from_slice(name);
        out.push(b'\n');
    }
    out.push(b'\n');
    out
}

/// The subject of a commit: the first paragraph of its message, as one line.
pub(super) fn subject(commit: &[u8]) -> BString {
    let message = commit
        .find(b"\n\n")
        .map_or(&b""[..], |at| &commit[at + 2..]);
    let lines = message.lines().map(ByteSlice::trim_end);
    let mut lines = lines.skip_while(|line| line.is_empty());
    let first: Vec<&[u8]> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let mut subject = BString::from(first.join(&b" "[..]));
    // Nothing that ends the line, or that does something to a terminal.
    subject.retain(|byte| !byte.is_ascii_control());
    subject
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_that_of_gits_own_bundles() {
        let id = |byte| ObjectId::Sha1([byte; 20]);
        let prerequisite = Prerequisite {
            id: id(0xab),
            subject: "before".into(),
        };
        let refs = [
            ("refs/heads/\u{e9}\u{fffd}".into(), id(1)),
            ("HEAD".into(), id(1)),
        ];
        let text = String::from_utf8(write(&[prerequisite], &refs)).unwrap();
        let (ab, one) = ("ab".repeat(20), "01".repeat(20));
        assert_eq!(
            text,
            format!(
                "# v2 git bundle\n-{ab} before\n{one} refs/heads/\u{e9}\u{fffd}\n{one} HEAD\n\n"
            )
        );
    }

    #[test]
    fn a_subject_is_one_line() {
        for (message, expected) in [
            ("tree x\n\nadd a file\n", "add a file"),
            (
                "tree x\n\n\n  \nfolded\nover two  \n\nbody",
                "folded over two",
            ),
            (
                "tree x\n\nwith \x1b[31mcolour\r\nand a tab\t.",
                "with [31mcolour and a tab.",
            ),
            ("tree x\n\n", ""),
            ("tree x\n", ""),
        ] {
            assert_eq!(subject(message.as_bytes()), expected, "{message:?}");
        }
    }
}
