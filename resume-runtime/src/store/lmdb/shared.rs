//! One open environment: its transactions, and growing its map under them.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use heed::types::Bytes;
use heed::{Env, MdbError, WithoutTls};

use super::failure::Failure;
use super::lock::StoreLock;
use super::open::Identity;
use super::txn::{Read, Write};
use crate::owner::Instance;
use crate::store::{ReadTxn, Space, StoreError, WriteTxn};

pub(super) type Db = heed::Database<'static, Bytes, Bytes>;

/// Write transactions between two looks for readers that died.
const STALE_CHECK: u64 = 1024;

/// Sizes of the memory map, in bytes; multiples of the page size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// At first. Only addresses are taken, no memory and no disk.
    pub(crate) initial: usize,
    /// The least to make do with where addresses are scarce.
    pub(crate) least: usize,
    /// It does not grow beyond this.
    pub(crate) limit: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        if cfg!(target_pointer_width = "64") {
            Self {
                initial: 1 << 36,
                least: 1 << 26,
                limit: 1 << 40,
            }
        } else {
            Self {
                initial: 1 << 28,
                least: 1 << 24,
                limit: 1 << 30,
            }
        }
    }
}

/// An environment, in the order in which its parts are given up.
pub(super) struct Shared {
    pub(super) env: Env<WithoutTls>,
    pub(super) dbs: [Db; Space::ALL.len()],
    pub(super) instance: Arc<Instance>,
    pub(super) lock: StoreLock,
    pub(super) dir: PathBuf,
    /// The data file that was opened.
    pub(super) data: Identity,
    pub(super) sizes: Sizes,
    pub(super) writable: bool,
    /// Held shared by every transaction, alone to resize the map: LMDB does not
    /// notice a transaction that the map is moved away from under.
    pub(super) gate: RwLock<()>,
    /// Why no more may be written, once that is so.
    pub(super) damaged: OnceLock<String>,
    /// Why nothing works any more, once that is so.
    pub(super) broken: OnceLock<String>,
    pub(super) writes: AtomicU64,
}

impl Shared {
    pub(super) const fn db(&self, space: Space) -> Db {
        self.dbs[space as usize]
    }

    pub(super) fn data_path(&self) -> PathBuf {
        self.dir.join("data.mdb")
    }

    /// Runs `body` on a snapshot.
    pub(super) fn read(
        &self,
        body: &mut dyn FnMut(&dyn ReadTxn) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        // A store that is only inspected has no slot among LMDB's readers: its
        // pages are kept from writers by the lock alone.
        let _lock = if self.writable {
            None
        } else {
            Some(self.lock.shared()?)
        };
        let mut cleared = false;
        loop {
            let gate = self.pass()?;
            match self.env.read_txn() {
                Ok(txn) => return body(&Read { shared: self, txn }),
                Err(heed::Error::Mdb(MdbError::ReadersFull)) if !cleared => {
                    cleared = true;
                    self.clear_stale_readers()?;
                }
                Err(e) => {
                    drop(gate);
                    self.recover(Failure::of(e, &self.dir))?;
                }
            }
        }
    }

    /// Runs `body` in a write transaction, again after the map has grown.
    pub(super) fn write(
        &self,
        body: &mut dyn FnMut(&mut dyn WriteTxn) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if !self.writable {
            return Err(StoreError::ReadOnly {
                path: self.dir.clone(),
            });
        }
        let _lock = self.lock.exclusive()?;
        self.data.check(&self.data_path())?;
        while let Err(failure) = self.attempt(body)? {
            self.recover(failure)?;
        }
        if self.writes.fetch_add(1, Ordering::Relaxed) % STALE_CHECK == STALE_CHECK - 1 {
            self.clear_stale_readers()?;
        }
        Ok(())
    }

    /// One write transaction. The outer error is the body's own.
    fn attempt(
        &self,
        body: &mut dyn FnMut(&mut dyn WriteTxn) -> Result<(), StoreError>,
    ) -> Result<Result<(), Failure>, StoreError> {
        let _gate = self.pass()?;
        if let Some(reason) = self.damaged.get() {
            return Err(self.damaged_error(reason));
        }
        let txn = match self.env.write_txn() {
            Ok(txn) => txn,
            Err(e) => return Ok(Err(Failure::of(e, &self.dir))),
        };
        let mut write = Write {
            shared: self,
            txn,
            failure: RefCell::new(None),
        };
        let outcome = body(&mut write);
        if let Some(failure) = write.failure.take() {
            return Ok(Err(failure));
        }
        outcome?;
        Ok(write.txn.commit().map_err(|e| Failure::of(e, &self.dir)))
    }

    /// Does what lets the transaction run again, or says why it cannot.
    fn recover(&self, failure: Failure) -> Result<(), StoreError> {
        match failure {
            Failure::Grow => self.grow(),
            Failure::Adopt => self.resize(0),
            other => Err(self.settle(other)),
        }
    }

    /// Remembers a failure that ends the use of the store, and names it.
    fn settle(&self, failure: Failure) -> StoreError {
        match failure {
            Failure::Damaged(reason) => self.damaged_error(self.damaged.get_or_init(|| reason)),
            Failure::Broken(reason) => broken_error(self.broken.get_or_init(|| reason)),
            Failure::Error(error) => error,
            Failure::Grow | Failure::Adopt => {
                StoreError::Backend("its memory map is too small to read".to_owned())
            }
        }
    }

    /// The caller's error for one inside a read transaction.
    pub(super) fn fail(&self, error: heed::Error) -> StoreError {
        self.settle(Failure::of(error, &self.dir))
    }

    fn damaged_error(&self, reason: &str) -> StoreError {
        StoreError::Damaged {
            path: self.data_path(),
            reason: reason.to_owned(),
        }
    }

    /// Waits until the map is not being moved.
    pub(super) fn pass(&self) -> Result<RwLockReadGuard<'_, ()>, StoreError> {
        // It guards no data that an unwound holder could have left half done.
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        match self.broken.get() {
            Some(reason) => Err(broken_error(reason)),
            None => Ok(gate),
        }
    }

    fn grow(&self) -> Result<(), StoreError> {
        let now = self.env.info().map_size;
        if now >= self.sizes.limit {
            return Err(StoreError::Limit {
                path: self.dir.clone(),
                limit: self.sizes.limit as u64,
            });
        }
        self.resize(now.saturating_mul(2).min(self.sizes.limit))
    }

    /// Moves the map to one of `size` bytes; 0 takes what the file asks for.
    fn resize(&self, size: usize) -> Result<(), StoreError> {
        let _alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = self.broken.get() {
            return Err(broken_error(reason));
        }
        #[expect(unsafe_code, reason = "LMDB cannot see that no transaction is open")]
        // SAFETY: every transaction of this environment holds `gate` shared for
        // as long as it lives, and `gate` is held alone here.
        let resized = unsafe { self.env.resize(size) };
        resized.map_err(|e| {
            // LMDB has given up the old map by now.
            let reason = format!(
                "its memory map cannot be made larger ({e}): \
                 raise the limit on addresses (ulimit -v)"
            );
            broken_error(self.broken.get_or_init(|| reason))
        })
    }

    /// Gives back the slots of readers whose processes died: their snapshots
    /// would be kept for ever.
    pub(super) fn clear_stale_readers(&self) -> Result<(), StoreError> {
        let cleared = self.env.clear_stale_readers();
        cleared.map(drop).map_err(|e| self.fail(e))
    }
}

fn broken_error(reason: &str) -> StoreError {
    StoreError::Backend(format!(
        "{reason}; what was committed is safe: start this process again"
    ))
}
