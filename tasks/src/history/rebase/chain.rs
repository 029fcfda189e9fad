//! Messages of commits that are melded into one (`fixup`, `squash`), letter by letter as Git's sequencer
//! makes them: a message with all of them, in which those that are left out are comments; and the message
//! that stays, where there is no other.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::commit::without_blank_lines;
use super::todo::How;
use crate::transfer::text;

/// What was melded since the last commit that was picked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chain {
    /// Commands and commits, a line each, as in Git's `current-fixups`.
    pub(super) current: String,
    /// All messages (`message-squash`).
    #[serde(with = "text::maybe_name")]
    pub(super) squash: Option<BString>,
    /// The message that stays (`message-fixup`).
    #[serde(with = "text::maybe_name")]
    pub(super) fixup: Option<BString>,
}

impl Chain {
    /// How many commits were melded.
    pub(super) fn count(&self) -> usize {
        self.current.lines().count()
    }

    /// Whether one of them has its message in the new one.
    pub(super) fn has_squash(&self) -> bool {
        self.current.lines().any(|line| line.starts_with("squash"))
    }

    /// Forgets the last one, which was left out.
    pub(super) fn forget(&mut self) {
        let at = self.current.rfind('\n').unwrap_or(0);
        self.current.truncate(at);
    }

    /// Adds the `message` of `commit`, which is melded into one with the message `head`; lines that begin
    /// with `mark` are comments.
    pub(super) fn add(
        &mut self,
        how: How,
        commit: ObjectId,
        message: &BStr,
        head: &BStr,
        mark: &[u8],
    ) {
        // One that has the last word is as any other once messages are put together.
        let replaces = how == How::Amend;
        let count = self.count();
        let mut all = if count > 0 {
            let squash = self.squash.clone().unwrap_or_default();
            let rest = if squash.starts_with(mark) {
                squash.find_byte(b'\n').map_or(&b""[..], |at| &squash[at..])
            } else {
                &squash[..]
            };
            let mut all = title(
                mark,
                &format!("This is a combination of {} commits.", count + 2),
            );
            all.extend_from_slice(rest);
            if replaces && !self.has_squash() {
                all = leave_out(&all, mark);
            }
            all
        } else {
            if how == How::Fixup {
                self.fixup = Some(head.to_owned());
            }
            let mut all = title(mark, "This is a combination of 2 commits.");
            all.push(b'\n');
            let first = if replaces {
                "The 1st commit message will be skipped:"
            } else {
                "This is the 1st commit message:"
            };
            all.extend(title(mark, first));
            all.extend_from_slice(b"\n\n");
            if replaces {
                comment(&mut all, head, mark);
            } else {
                all.extend_from_slice(head);
            }
            all
        };
        let number = count + 2;
        all.push(b'\n');
        if how == How::Fixup {
            let said = format!("The commit message #{number} will be skipped:");
            all.extend(title(mark, &said));
            all.extend_from_slice(b"\n\n");
            comment(&mut all, message, mark);
        } else {
            let said = format!("This is the commit message #{number}:");
            all.extend(title(mark, &said));
            all.extend_from_slice(b"\n\n");
            self.append(&mut all, how, message, mark);
        }
        self.squash = Some(all.into());
        if !self.current.is_empty() {
            self.current.push('\n');
        }
        self.current.extend([how.word(), " ", &commit.to_string()]);
    }

    /// Adds a message that is not left out, its subject aside where that is a mark.
    fn append(&mut self, all: &mut Vec<u8>, how: How, message: &BStr, mark: &[u8]) {
        let squashes = how == How::Squash || self.has_squash();
        let is_mark = message.starts_with(b"amend!")
            || squashes && (message.starts_with(b"squash!") || message.starts_with(b"fixup!"));
        let (subject, rest) = message.split_at(if is_mark { subject_length(message) } else { 0 });
        comment(all, subject.as_bstr(), mark);
        all.extend_from_slice(rest);
        // With a first message, or after one that stays, it takes its place.
        let takes_place = self.fixup.is_some() || self.squash.is_none();
        self.fixup = (how == How::Amend && !self.has_squash() && takes_place)
            .then(|| without_blank_lines(rest.as_bstr()).to_owned());
    }
}

fn title(mark: &[u8], said: &str) -> Vec<u8> {
    [mark, b" ", said.as_bytes()].concat()
}

/// Appends lines as comments.
fn comment(out: &mut Vec<u8>, lines: &BStr, mark: &[u8]) {
    for line in lines.lines_with_terminator() {
        out.extend_from_slice(mark);
        if !line.starts_with(b"\n") && !line.starts_with(b"\t") {
            out.push(b' ');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\n") {
        out.push(b'\n');
    }
}

/// Appends lines as comments, those aside that are at the beginning already.
fn comment_rest(out: &mut Vec<u8>, lines: &BStr, mark: &[u8]) {
    let mut rest = lines;
    while rest.starts_with(mark) {
        let end = rest.find_byte(b'\n').map_or(rest.len(), |at| at + 1);
        out.extend_from_slice(&rest[..end]);
        rest = rest[end..].as_bstr();
    }
    comment(out, rest, mark);
}

/// Comments out all messages that are not left out yet.
fn leave_out(all: &[u8], mark: &[u8]) -> Vec<u8> {
    let titles = |number: usize| match number {
        1 => (
            "# This is the 1st commit message:\n".to_owned(),
            "# The 1st commit message will be skipped:\n".to_owned(),
        ),
        n => (
            format!("# This is the commit message #{n}:\n"),
            format!("# The commit message #{n} will be skipped:\n"),
        ),
    };
    let copy = |out: &mut Vec<u8>, lines: &[u8], comments: bool| {
        if comments {
            comment_rest(out, lines.as_bstr(), mark);
        } else {
            out.extend_from_slice(lines);
        }
    };
    let (mut out, mut number, mut comments) = (Vec::new(), 1, false);
    let (mut start, mut at) = (0, 0);
    while at < all.len() {
        let (kept, skipped) = titles(number);
        let after_blank = at > start + 1 && all[at - 2] == b'\n';
        let blank = usize::from(after_blank);
        if all[at..].starts_with(kept.as_bytes()) {
            copy(&mut out, &all[start..at - blank], comments);
            if after_blank {
                out.push(b'\n');
            }
            out.extend_from_slice(skipped.as_bytes());
            at += kept.len();
            if all.get(at) == Some(&b'\n') {
                out.push(b'\n');
                at += 1;
            }
            (start, comments) = (at, true);
            number += 1;
        } else if all[at..].starts_with(skipped.as_bytes()) {
            copy(&mut out, &all[start..at - blank], comments);
            start = at - blank;
            at += skipped.len();
            comments = false;
            number += 1;
        } else {
            at = all[at..]
                .find_byte(b'\n')
                .map_or(all.len(), |end| at + end + 1);
        }
    }
    copy(&mut out, &all[start..], comments);
    out
}

/// The length of the first paragraph.
fn subject_length(message: &BStr) -> usize {
    let mut at = 0;
    for line in message.lines_with_terminator() {
        if line.trim().is_empty() {
            break;
        }
        at += line.len();
    }
    at
}
