//! The store's own lock.
//!
//! LMDB excludes writers by a mutex in shared memory and finds dead readers by
//! process id; between PID namespaces both fail, and two writers can get in at
//! once. A kernel lock on a file of our own holds wherever the file is the same.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::FlockOperation;

use super::place;
use crate::owner;
use crate::store::StoreError;

/// The lock file, open for as long as the store is.
pub(super) struct StoreLock {
    path: PathBuf,
    file: File,
    /// The kernel's lock belongs to the open file, which threads share.
    threads: Mutex<()>,
}

/// Holds the lock until it is dropped.
pub(super) struct Held<'a> {
    file: &'a File,
    _threads: MutexGuard<'a, ()>,
}

impl StoreLock {
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join("lock");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|e| place::refused(dir, &path, e))?;
        Ok(Self::of(path, file))
    }

    /// For a store that is only read from; its lock file must be there.
    pub(super) fn open_to_read(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join("lock");
        let file = File::open(&path).map_err(|e| StoreError::io(&path, e))?;
        Ok(Self::of(path, file))
    }

    const fn of(path: PathBuf, file: File) -> Self {
        Self {
            path,
            file,
            threads: Mutex::new(()),
        }
    }

    /// Waits until nobody else holds it.
    pub(super) fn exclusive(&self) -> Result<Held<'_>, StoreError> {
        self.hold(FlockOperation::LockExclusive)
    }

    /// Waits until nobody holds it alone.
    pub(super) fn shared(&self) -> Result<Held<'_>, StoreError> {
        self.hold(FlockOperation::LockShared)
    }

    fn hold(&self, operation: FlockOperation) -> Result<Held<'_>, StoreError> {
        // It guards no data: a holder that unwound leaves nothing half done.
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        owner::lock(&self.file, operation).map_err(|e| StoreError::io(&self.path, e))?;
        Ok(Held {
            file: &self.file,
            _threads: threads,
        })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Unlocking what is locked does not fail; closing the file would do too.
        let _ = owner::lock(self.file, FlockOperation::Unlock);
    }
}
