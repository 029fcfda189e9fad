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
    pub(crate) fn parse(value: &BStr) -> Option<Self> {
        if value.eq_ignore_ascii_case(b"always") {
            return Some(Self::Always);
        }
        let set = gix::config::Boolean::try_from(value).ok()?;
        Some(if set.0 { Self::Branches } else { Self::Never })
    }

    /// Whether a log is begun for the ref.
    pub(crate) fn covers(self, name: &BStr) -> bool {
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
pub(crate) struct Line<'a> {
    pub(crate) old: ObjectId,
    pub(crate) new: ObjectId,
    pub(crate) committer: &'a Committer,
    pub(crate) message: &'a BStr,
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
        of(&line) == of(last) && last.ends_with(b"\n")
    }

    /// Whether `last` is what a power cut has left of it: its first bytes, and zeros.
    fn is_begun_by(&self, last: &[u8]) -> bool {
        let begun = last.trim_end_with(|c| c == '\0');
        // The ids; a date may be another one.
        let ids = begun.len().min(82);
        self.render().starts_with(&begun[..ids])
    }
}

/// The log of a ref.
pub(crate) fn path(git_dir: &Path, name: &BStr) -> PathBuf {
    ref_path(&git_dir.join("logs"), name)
}

/// Appends `line` to the log of `name` if there is to be one. A line that is the last one already is
/// not written again.
pub(crate) fn append(
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
        let (start, last) = last_line(&mut file)?;
        if !line.is_said_by(&last) {
            let mut bytes = line.render();
            if !last.is_empty() && !last.ends_with(b"\n") {
                // Whoever wrote it died on the way.
                if line.is_begun_by(&last) {
                    file.set_len(start)?;
                } else {
                    bytes.insert(0, b'\n');
                }
            }
            file.write_all(&bytes)?;
        }
        disk.sync(&path)
    };
    write().map_err(RefsError::io(&path))
}

/// The last line of the file, of which no more than the last 64 KiB are looked at, and where it starts.
fn last_line(file: &mut File) -> io::Result<(u64, Vec<u8>)> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(64 << 10);
    file.seek(io::SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(64 << 10).read_to_end(&mut tail)?;
    let ended = tail.strip_suffix(b"\n").unwrap_or(&tail);
    let start = ended.rfind_byte(b'\n').map_or(0, |at| at + 1);
    Ok((from + start as u64, tail[start..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::fixture::Plain;
    use super::*;

    #[test]
    fn a_line_that_was_torn_is_written_again_and_no_line_twice() {
        let dir = tempfile::tempdir().unwrap();
        let repo = gix::init_bare(dir.path()).unwrap();
        let committer = Committer::of(&repo);
        let [a, b] = [b"a", b"b"].map(|c| ObjectId::from_hex(&c.repeat(40)).unwrap());
        let line = Line {
            old: a,
            new: b,
            committer: &committer,
            message: "fetch: x".into(),
        };
        let name: &BStr = "refs/heads/x".into();
        let write = || append(dir.path(), name, &line, Logging::Always, &Plain).unwrap();
        let path = path(dir.path(), name);
        write();
        write();
        let whole = fs::read_to_string(&path).unwrap();
        assert_eq!(whole.lines().count(), 1);
        for torn in [&whole[..50], &whole[..100], "", &whole[..whole.len() - 1]] {
            let zeros = "\0".repeat(whole.len() - torn.len());
            fs::write(&path, format!("{torn}{zeros}")).unwrap();
            write();
            assert_eq!(fs::read_to_string(&path).unwrap(), whole, "{torn}");
        }
        // What another one has begun stays what it is.
        fs::write(&path, "something").unwrap();
        write();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!("something\n{whole}")
        );
    }
}
