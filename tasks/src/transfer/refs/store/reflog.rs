//! The logs of refs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, ByteSlice as _};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::Committer;
use super::file::ref_path;
use crate::disk::Disk;
use crate::transfer::refs::RefsError;

/// Which refs get a log when they have none (`core.logAllRefUpdates`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Logging {
    /// None.
    Never,
    /// `HEAD`, branches, remote-tracking branches and notes.
    Branches,
    /// Every ref.
    Always,
}

impl Logging {
    /// What the value of `core.logAllRefUpdates` means.
    pub(in super::super) fn parse(value: &BStr) -> Option<Self> {
        if value.eq_ignore_ascii_case(b"always") {
            return Some(Self::Always);
        }
        let set = gix::config::Boolean::try_from(value).ok()?;
        Some(if set.0 { Self::Branches } else { Self::Never })
    }

    /// Whether a log is begun for the ref.
    pub(in super::super) fn covers(self, name: &BStr) -> bool {
        let usual = ["refs/heads/", "refs/remotes/", "refs/notes/"];
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Branches => {
                name == "HEAD" || usual.iter().any(|it| name.starts_with(it.as_bytes()))
            }
        }
    }
}

/// One line of a log.
pub(in super::super) struct Line<'a> {
    pub(in super::super) old: ObjectId,
    pub(in super::super) new: ObjectId,
    pub(in super::super) committer: &'a Committer,
    pub(in super::super) message: &'a BStr,
}

impl Line<'_> {
    fn render(&self) -> Vec<u8> {
        let mut out = format!("{} {} ", self.old, self.new).into_bytes();
        out.extend_from_slice(self.committer.as_bstr());
        out.push(b'\t');
        // As Git does: a message is one line, with no more than one space at a time.
        let words = self.message.fields().collect::<Vec<_>>();
        out.extend_from_slice(&words.join(&b' '));
        out.push(b'\n');
        out
    }

    /// Whether `last` says the same, whenever that was.
    fn is_said_by(&self, last: &[u8]) -> bool {
        let line = self.render();
        let of = |line: &[u8]| {
            let line = line.trim_end_with(|c| c == '\n').to_vec();
            let message = line
                .split_once_str("\t")
                .map(|(_, message)| message.to_vec());
            (line.get(..82).map(<[u8]>::to_vec), message)
        };
        of(&line) == of(last)
    }
}

/// The log of a ref.
pub(in super::super) fn path(git_dir: &Path, name: &BStr) -> PathBuf {
    ref_path(&git_dir.join("logs"), name)
}

/// Appends `line` to the log of `name` if there is to be one. A line that is the last one already is
/// not written again.
pub(in super::super) fn append(
    git_dir: &Path,
    name: &BStr,
    line: &Line<'_>,
    logging: Logging,
    disk: &dyn Disk,
) -> Result<(), RefsError> {
    let path = path(git_dir, name);
    let write = || -> io::Result<()> {
        let begun = path.symlink_metadata().is_ok_and(|meta| meta.is_file());
        if !begun && !logging.covers(name) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)?;
        let last = last_line(&mut file)?;
        if !line.is_said_by(&last) {
            let mut bytes = line.render();
            if !last.is_empty() && !last.ends_with(b"\n") {
                // Whoever wrote it died on the way.
                bytes.insert(0, b'\n');
            }
            file.write_all(&bytes)?;
        }
        disk.sync(&path)
    };
    write().map_err(RefsError::io(&path))
}

/// The last line of the file, of which no more than the last 64 KiB are looked at.
fn last_line(file: &mut File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(64 << 10);
    file.seek(io::SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(64 << 10).read_to_end(&mut tail)?;
    let ended = tail.strip_suffix(b"\n").unwrap_or(&tail);
    let start = ended.rfind_byte(b'\n').map_or(0, |at| at + 1);
    Ok(tail[start..].to_vec())
}
