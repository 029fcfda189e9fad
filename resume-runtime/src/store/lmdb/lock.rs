//! The store's own lock.
//!
//! LMDB excludes writers by a mutex in shared memory and finds dead readers by
//! process id; between PID namespaces both fail, and two writers can get in at
//! once. A kernel lock on a file of our own holds wherever the file is the same.
//!
//! It is held for milliseconds, and given back when its holder dies. Only a holder
//! that is stopped (Ctrl-Z at a bad moment) keeps it: then whoever waits says so
//! instead of waiting for ever.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::place;
use crate::owner;
use crate::store::StoreError;

/// How often a waiter looks whether the holder is stopped.
const LOOK: Duration = Duration::from_secs(1);
/// So many looks are enough: nothing is held that long.
const LOOKS: u32 = 60;

/// The lock file, open for as long as the store is.
pub(super) struct StoreLock {
    path: PathBuf,
    file: File,
    /// The kernel's lock belongs to the open file, which threads share.
    threads: Mutex<()>,
}

/// Holds the lock until it is dropped.
pub(super) struct Held<'a> {
    file: Locked<'a>,
    _threads: MutexGuard<'a, ()>,
}

enum Locked<'a> {
    /// Through the file that stays open.
    Open(&'a File),
    /// Through one of its own, which is closed.
    Own { _file: File },
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
        self.hold(
            FlockOperation::NonBlockingLockExclusive,
            FlockOperation::LockExclusive,
        )
    }

    /// Waits until nobody holds it alone.
    pub(super) fn shared(&self) -> Result<Held<'_>, StoreError> {
        self.hold(
            FlockOperation::NonBlockingLockShared,
            FlockOperation::LockShared,
        )
    }

    fn hold(&self, at_once: FlockOperation, wait: FlockOperation) -> Result<Held<'_>, StoreError> {
        // It guards no data: a holder that unwound leaves nothing half done.
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match owner::lock(&self.file, at_once) {
            Ok(()) => Locked::Open(&self.file),
            Err(Errno::WOULDBLOCK) => Locked::Own {
                _file: self.wait(wait)?,
            },
            Err(e) => return Err(StoreError::io(&self.path, e)),
        };
        Ok(Held {
            file,
            _threads: threads,
        })
    }

    /// Waits in a thread of its own, in the kernel's queue, so that the wait can
    /// be given up. A lock that comes later is dropped with its file.
    fn wait(&self, operation: FlockOperation) -> Result<File, StoreError> {
        let failed = |e| StoreError::io(&self.path, e);
        let file = File::open(&self.path).map_err(failed)?;
        let (taken, wait) = channel();
        std::thread::Builder::new()
            .name("store-lock".to_owned())
            .spawn(move || {
                let outcome = owner::lock(&file, operation);
                let _ = taken.send(outcome.map(|()| file));
            })
            .map_err(failed)?;
        let dir = self.path.parent().unwrap_or(&self.path);
        for _ in 0..LOOKS {
            match wait.recv_timeout(LOOK) {
                Ok(outcome) => return outcome.map_err(|e| StoreError::io(&self.path, e)),
                Err(RecvTimeoutError::Disconnected) => return Err(StoreError::Closed),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(pid) = owner::stopped(dir) {
                        return Err(StoreError::Busy {
                            path: dir.to_owned(),
                            reason: format!("process {pid}, which is stopped"),
                        });
                    }
                }
            }
        }
        Err(StoreError::Busy {
            path: dir.to_owned(),
            reason: "another process".to_owned(),
        })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Locked::Open(file) = &self.file {
            // Unlocking what is locked does not fail; closing it would do too.
            let _ = owner::lock(file, FlockOperation::Unlock);
        }
    }
}
