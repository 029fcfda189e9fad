//! What LMDB's errors mean for the caller.

use std::io;
use std::path::Path;

use heed::MdbError;
use rustix::io::Errno;

use crate::store::StoreError;

/// Less than this free on a disk is a full disk: LMDB says no more than "input or
/// output error" about a page that did not fit.
const SPARE: u64 = 1 << 20;

/// Why a transaction did not go through.
#[derive(Debug)]
pub(super) enum Failure {
    /// The map is too small: grow it, then run the transaction again.
    Grow,
    /// Another process grew the file beyond this one's map.
    Adopt,
    /// A page makes no sense.
    Damaged(String),
    /// LMDB will not work until the store is opened again.
    Broken(String),
    /// Anything else, for the caller.
    Error(StoreError),
}

impl Failure {
    /// Sorts an error of the environment in `dir`.
    pub(super) fn of(error: heed::Error, dir: &Path) -> Self {
        match error {
            heed::Error::Mdb(MdbError::MapFull) => Self::Grow,
            heed::Error::Mdb(MdbError::MapResized) => Self::Adopt,
            heed::Error::Mdb(
                e @ (MdbError::Corrupted | MdbError::PageNotFound | MdbError::CursorFull),
            ) => Self::Damaged(e.to_string()),
            heed::Error::Mdb(e @ MdbError::Panic) => Self::Broken(e.to_string()),
            heed::Error::Io(e) => Self::Error(io_error(dir, e)),
            other => Self::Error(StoreError::Backend(other.to_string())),
        }
    }
}

fn io_error(dir: &Path, error: io::Error) -> StoreError {
    sort(dir, error, || {
        let stat = rustix::fs::statvfs(dir).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    })
}

/// An I/O error, or the full disk that is behind it.
fn sort(dir: &Path, error: io::Error, free: impl FnOnce() -> Option<u64>) -> StoreError {
    let data = dir.join("data.mdb");
    match Errno::from_io_error(&error) {
        Some(Errno::NOSPC | Errno::DQUOT) => StoreError::Full {
            path: data,
            available: free().unwrap_or(0),
        },
        Some(Errno::IO) => match free() {
            Some(available) if available < SPARE => StoreError::Full {
                path: data,
                available,
            },
            _ => StoreError::io(&data, error),
        },
        _ => StoreError::io(&data, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let error = |errno: Errno, free| sort(Path::new("d"), errno.into(), || Some(free));
        let full = |error| matches!(error, StoreError::Full { .. });
        assert!(full(error(Errno::IO, 4096)));
        assert!(full(error(Errno::NOSPC, 1 << 40)));
        assert!(full(error(Errno::DQUOT, 1 << 40)));
        assert!(!full(error(Errno::IO, 1 << 40)));
        assert!(!full(error(Errno::ACCESS, 0)));
        assert!(error(Errno::IO, 0).is_transient());
        assert!(!error(Errno::IO, 1 << 40).is_transient());
    }
}
