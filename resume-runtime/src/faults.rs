//! Where the crash harness looks in and strikes. In a normal run nothing hangs
//! here.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::StepError;

/// Before or after a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Nothing of it is durable yet.
    Before,
    /// All of it is durable.
    After,
}

/// What happens to a process.
#[derive(Debug)]
pub(crate) enum Struck {
    /// It dies here, as far as the operation can tell.
    Crash,
    /// The slice fails.
    Error(StepError),
}

pub(crate) trait Faults: Send + Sync {
    /// The operation starts from its last commit: what was done since is lost.
    fn starts(&self) {}

    /// A commit is about to be made, or was just made durable.
    fn commit(&self, number: u64, moment: Moment) -> Result<(), Struck> {
        let _ = (number, moment);
        Ok(())
    }

    /// `len` bytes are about to be written to a file.
    fn write(&self, path: &Path, len: usize) -> io::Result<()> {
        let _ = (path, len);
        Ok(())
    }

    /// A file's content, or a directory's entries, are put on disk by `sync`.
    fn sync(&self, path: &Path, sync: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        let _ = path;
        sync()
    }

    /// Whether a commit is due, where the harness sets the pace.
    fn is_due(&self) -> bool {
        false
    }
}

/// A run without faults.
pub(crate) struct NoFaults;

impl Faults for NoFaults {}
