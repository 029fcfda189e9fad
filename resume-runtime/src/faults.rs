//! Where the crash harness looks in and strikes. In a normal run nothing hangs
//! here.

use std::io;
use std::path::Path;

/// Before or after a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Moment {
    Before,
    After,
}

/// The operation's process dies here, as far as the operation can tell.
#[derive(Debug)]
pub(crate) struct Crash;

pub(crate) trait Faults: Send + Sync {
    /// A commit is about to be made, or was just made durable.
    fn commit(&self, number: u64, moment: Moment) -> Result<(), Crash> {
        let _ = (number, moment);
        Ok(())
    }

    /// `len` bytes are about to be appended to a file.
    fn write(&self, path: &Path, len: usize) -> io::Result<()> {
        let _ = (path, len);
        Ok(())
    }

    /// A file or directory is about to be synced.
    fn sync(&self, path: &Path) -> io::Result<()> {
        let _ = path;
        Ok(())
    }

    /// A file's content and its name are on disk now.
    fn durable(&self, path: &Path) {
        let _ = path;
    }

    /// A file was renamed, and both directories are on disk.
    fn renamed(&self, from: &Path, to: &Path) {
        let _ = (from, to);
    }
}

/// A run without faults.
pub(crate) struct NoFaults;

impl Faults for NoFaults {}
