//! The logs of refs: several lines at once, never twice.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use gix::bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::error::RebaseError;
use crate::disk::Disk;

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) old: ObjectId,
    pub(super) new: ObjectId,
    /// Who, and when.
    pub(super) who: BString,
    pub(super) message: BString,
}

impl Line {
    fn render(&self) -> Vec<u8> {
        let mut out = format!("{} {} ", self.old, self.new).into_bytes();
        out.extend_from_slice(&self.who);
        out.push(b'\t');
        // As Git does: a message is one line, with no more than one space at a time.
        let words: Vec<&[u8]> = self.message.fields().collect();
        out.extend_from_slice(&words.join(&b' '));
        out.push(b'\n');
        out
    }
}

/// Appends `lines` to the log at `path` if it exists or is to be `begun`. Lines that are its end already,
/// whenever they were written, are not written again; after a crash that may be the first of them.
pub(super) fn append(
    path: &Path,
    lines: &[Line],
    begun: bool,
    disk: &dyn Disk,
) -> Result<(), RebaseError> {
    if lines.is_empty() || !(begun || path.is_file()) {
        return Ok(());
    }
    let rendered: Vec<Vec<u8>> = lines.iter().map(Line::render).collect();
    let length: usize = rendered.iter().map(Vec::len).sum();
    let write = || {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(path)?;
        let end = file.metadata()?.len();
        // Other committers' names may be longer.
        let tail = (length as u64 * 2 + 4_096).min(end);
        file.seek(SeekFrom::Start(end - tail))?;
        let mut there = Vec::new();
        (&mut file).take(tail).read_to_end(&mut there)?;
        let whole = whole(&there);
        if whole < there.len() {
            // The next line would be a part of what the power left of the last one.
            file.set_len(end - (there.len() - whole) as u64)?;
            there.truncate(whole);
        }
        let there: Vec<&[u8]> = there.lines().collect();
        let done = (0..=rendered.len())
            .rev()
            .find(|count| ends_with(&there, &rendered[..*count]))
            .unwrap_or(0);
        let rest = rendered[done..].concat();
        if !rest.is_empty() {
            file.write_all(&rest)?;
        }
        disk.sync(path)
    };
    write().map_err(RebaseError::io(path))
}

/// The length of a log without what was torn at its end: a line without an end, or with zeros in it.
fn whole(log: &[u8]) -> usize {
    let mut whole = log.len();
    while whole > 0 {
        let start = log[..whole - 1].rfind_byte(b'\n').map_or(0, |at| at + 1);
        let line = &log[start..whole];
        if line.ends_with(b"\n") && !line.contains(&0) {
            break;
        }
        whole = start;
    }
    whole
}

/// Whether a log ends with these lines, but for who wrote them and when.
fn ends_with(there: &[&[u8]], lines: &[Vec<u8>]) -> bool {
    let Some(from) = there.len().checked_sub(lines.len()) else {
        return false;
    };
    let what = |line: &[u8]| {
        let line = line.trim_end().to_vec();
        let message = line.split_once_str("\t").map(|(_, said)| said.to_vec());
        (line.get(..81).map(<[u8]>::to_vec), message)
    };
    there[from..]
        .iter()
        .zip(lines)
        .all(|(a, b)| what(a) == what(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Plain;

    #[test]
    fn lines_are_written_once_and_what_is_missing_is_added() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/HEAD");
        let line = |n: u8| Line {
            old: ObjectId::Sha1([n; 20]),
            new: ObjectId::Sha1([n + 1; 20]),
            who: format!("A <a@b> {n} +0000").into(),
            message: format!("rebase (pick):  {n}\n").into(),
        };
        let lines = [line(1), line(2), line(3)];
        append(&path, &lines, false, &Plain).unwrap();
        assert!(!path.exists());
        append(&path, &lines[..2], true, &Plain).unwrap();
        for _ in 0..2 {
            append(&path, &lines, false, &Plain).unwrap();
        }
        let log = fs::read_to_string(&path).unwrap();
        let said: Vec<_> = log
            .lines()
            .map(|line| line.split_once('\t').unwrap().1)
            .collect();
        assert_eq!(
            said,
            ["rebase (pick): 1", "rebase (pick): 2", "rebase (pick): 3"]
        );
        // What was torn goes.
        let torn = [log.as_bytes(), &log.as_bytes()[..50], b"\0\0\n\0"].concat();
        fs::write(&path, torn).unwrap();
        append(&path, &lines, false, &Plain).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), log);
        append(&path, &lines[..1], false, &Plain).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
    }
}
