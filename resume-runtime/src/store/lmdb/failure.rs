//! What LMDB's errors mean for the caller.

use std::io;
use std::path::Path;

use heed::MdbError;
use rustix::io::Errno;

use crate::store::StoreError;

/// Less than this free on a disk is a full disk, and less than this below the
/// process's file size limit is that limit: LMDB says no more than "input or output
/// error" about a page that did not fit.
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
    let free = || {
        let stat = rustix::fs::statvfs(dir).ok()?;
        Some(stat.f_bavail.saturating_mul(stat.f_frsize))
    };
    let limit = || {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current?;
        let length = dir.join("data.mdb").metadata().ok()?.len();
        Some((limit, length))
    };
    sort(dir, error, free, limit)
}

/// An I/O error, or what is behind it: a full disk, or the process's limit.
fn sort(
    dir: &Path,
    error: io::Error,
    free: impl Fn() -> Option<u64>,
    limit: impl Fn() -> Option<(u64, u64)>,
) -> StoreError {
    let path = dir.join("data.mdb");
    let full = |available| StoreError::Full {
        path: path.clone(),
        available,
    };
    match Errno::from_io_error(&error) {
        Some(Errno::NOSPC | Errno::DQUOT) => full(free().unwrap_or(0)),
        Some(errno @ (Errno::IO | Errno::FBIG)) => match (free(), limit()) {
            (Some(available), _) if available < SPARE => full(available),
            (_, Some((limit, length))) if errno == Errno::FBIG || limit < length + SPARE => {
                StoreError::FileSize { path, limit }
            }
            _ => StoreError::io(&path, error),
        },
        _ => StoreError::io(&path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let error = |errno: Errno, free| sort(Path::new("d"), errno.into(), || Some(free), || None);
        let full = |error| matches!(error, StoreError::Full { .. });
        assert!(full(error(Errno::IO, 4096)));
        assert!(full(error(Errno::NOSPC, 1 << 40)));
        assert!(full(error(Errno::DQUOT, 1 << 40)));
        assert!(!full(error(Errno::IO, 1 << 40)));
        assert!(!full(error(Errno::ACCESS, 0)));
        assert!(error(Errno::IO, 0).is_transient());
        assert!(!error(Errno::IO, 1 << 40).is_transient());
    }

    #[test]
    fn the_process_s_limit_is_told_from_a_broken_disk() {
        let error = |errno: Errno, limit| {
            let limit = || Some((limit, 5 << 20));
            sort(Path::new("d"), errno.into(), || Some(1 << 40), limit)
        };
        let limited = |error| matches!(error, StoreError::FileSize { .. });
        assert!(limited(error(Errno::IO, 5 << 20)));
        assert!(limited(error(Errno::FBIG, 1 << 40)));
        assert!(!limited(error(Errno::IO, 1 << 40)));
        assert!(!limited(error(Errno::ACCESS, 5 << 20)));
    }
}
