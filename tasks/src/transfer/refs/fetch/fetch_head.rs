//! The file `FETCH_HEAD`.

use std::fs;
use std::io;
use std::path::Path;

use gix::bstr::{BStr, ByteSlice as _};
use gix_hash::ObjectId;

use super::decide::Kind;
use super::map::{Entry, Merge};
use crate::disk::Disk;
use crate::transfer::refs::RefsError;
use crate::transfer::refs::store::file::replace;

/// Adds the line of a ref. `url` is the remote's, brief; `merge` whether `git pull` merges it.
pub(super) fn line(entry: &Entry, merge: Merge, url: &BStr, to: &mut Vec<u8>) {
    let mark: &[u8] = match merge {
        Merge::Yes => b"",
        Merge::No => b"not-for-merge",
        Merge::Ignored => return,
    };
    to.extend_from_slice(entry.oid.to_string().as_bytes());
    to.push(b'\t');
    to.extend_from_slice(mark);
    to.push(b'\t');
    if entry.name != "HEAD" {
        let (kind, name) = Kind::of(entry.name.as_bstr());
        if let Some(word) = kind.word() {
            to.extend_from_slice(word.as_bytes());
            to.push(b' ');
        }
        to.push(b'\'');
        to.extend_from_slice(name);
        to.extend_from_slice(b"' of ");
    }
    to.extend_from_slice(&url.replace("\n", "\\n"));
    to.push(b'\n');
}

/// How long the file is; none if it is not there.
pub fn length(git_dir: &Path) -> Option<u64> {
    let meta = git_dir.join("FETCH_HEAD").metadata();
    meta.ok().map(|it| it.len())
}

/// Writes the file: these lines, after so many bytes of what it held before. It can be repeated.
pub(super) fn write(
    git_dir: &Path,
    own: &Path,
    after: u64,
    lines: &[u8],
    disk: &dyn Disk,
) -> Result<(), RefsError> {
    let path = git_dir.join("FETCH_HEAD");
    let there = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read.map_err(RefsError::io(&path))?,
    };
    let kept = usize::try_from(after)
        .unwrap_or(usize::MAX)
        .min(there.len());
    let (before, rest) = there.split_at(kept);
    // What others added meanwhile stays, if lines are only added.
    let whole = if after == 0 || rest == lines {
        [before, lines].concat()
    } else {
        [&there, lines].concat()
    };
    replace(&path, &whole, own, disk)
}

/// Whether the line of a ref is one to be merged: only commits are.
pub(super) fn merge(entry: &Entry, commit: Option<ObjectId>) -> Merge {
    if commit.is_some() {
        entry.merge
    } else {
        Merge::No
    }
}
