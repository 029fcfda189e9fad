//! Where operations are kept: ordered key-value spaces, written in transactions
//! by one thread.
//!
//! A [`Store`] knows nothing of operations. What the keys and values mean is said
//! once, in `records` and in the modules that own a space, so that a second
//! backend has little to do.

use std::ops::{Bound, ControlFlow};
use std::path::Path;

mod committer;
mod error;
mod lmdb;
mod memory;

pub(crate) use committer::Committer;
pub use error::StoreError;
pub(crate) use lmdb::Identity;
pub use lmdb::LmdbStore;
pub use memory::MemoryStore;

/// The longest key, in bytes, that every backend holds.
pub const MAX_KEY: usize = 480;

/// The named databases of a store. Keys are bytes, ordered bytewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// `id` to the record, as JSON.
    Operations,
    /// `status, !created_at, id` to nothing: the newest of each status first.
    ByStatus,
    /// `id, 0, table, 0, key` to a row's value.
    Tables,
    /// `id, 0, name` to what is committed of a file, as JSON.
    Files,
    /// What happened, in the order in which it did: see `journal`.
    Events,
    /// `id` to the time of a pause request.
    Requests,
    /// The store's own facts: its format version, its identity.
    Meta,
}

impl Space {
    /// Every space.
    pub const ALL: [Self; 7] = [
        Self::Operations,
        Self::ByStatus,
        Self::Tables,
        Self::Files,
        Self::Events,
        Self::Requests,
        Self::Meta,
    ];

    /// The database's stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operations => "operations",
            Self::ByStatus => "by_status",
            Self::Tables => "tables",
            Self::Files => "files",
            Self::Events => "events",
            Self::Requests => "requests",
            Self::Meta => "meta",
        }
    }
}

/// Which end of a range a scan starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The smallest key first.
    Forward,
    /// The greatest key first.
    Backward,
}

/// What a scan hands its rows to: key and value.
pub type Visit<'v> = &'v mut (dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'v);

/// A consistent view of a store.
pub trait ReadTxn {
    /// The value under `key`.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Visits the keys between two bounds until `visit` breaks.
    fn scan(
        &self,
        space: Space,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), StoreError>;
}

/// A transaction that sees its own writes.
pub trait WriteTxn: ReadTxn {
    /// Sets the value under `key`.
    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// Removes `key`; it need not exist.
    fn delete(&mut self, space: Space, key: &[u8]) -> Result<(), StoreError>;

    /// The same transaction, to read from.
    fn as_read(&self) -> &dyn ReadTxn;
}

/// A backend. Transactions never nest and are short: a closure that is given one
/// does no I/O of its own and waits for nothing.
pub trait Store: Send + Sync + 'static {
    /// Runs `body` on a consistent view.
    fn read(
        &self,
        body: &mut dyn FnMut(&dyn ReadTxn) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Runs `body` in a write transaction and makes it durable before it
    /// returns; on an error nothing of it is kept. Called from the committer's
    /// thread only. `body` may be run again (from the start, on a fresh
    /// transaction) when the backend had to grow or to adopt a growth.
    fn write(
        &self,
        body: &mut dyn FnMut(&mut dyn WriteTxn) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Writes a copy of one consistent view to the directory `to`, which can be
    /// opened as a store; it must not hold one yet.
    fn backup(&self, to: &Path) -> Result<(), StoreError> {
        Err(StoreError::Backend(format!(
            "it is of a kind that cannot be copied to {}",
            to.display()
        )))
    }
}

/// Refuses a key that a backend could not hold.
fn check_key(key: &[u8]) -> Result<(), StoreError> {
    match key.len() {
        1..=MAX_KEY => Ok(()),
        length => Err(StoreError::Key {
            length,
            limit: MAX_KEY,
        }),
    }
}

/// Whether no key can lie between two bounds; ordered maps panic over some that
/// are the wrong way round.
fn is_empty((low, high): (Bound<&[u8]>, Bound<&[u8]>)) -> bool {
    match (low, high) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (
            Bound::Included(low) | Bound::Excluded(low),
            Bound::Included(high) | Bound::Excluded(high),
        ) => low >= high,
    }
}
