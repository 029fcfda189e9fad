//! An open store: reads, grouped writes, who this process is, and pause
//! requests.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use crate::operation::Owner;
use crate::owner::{self, Instance};
use crate::requests;
use crate::store::{Committer, MemoryStore, ReadTxn, Store, StoreError, WriteTxn};
use crate::wake::Wake;

/// An open store. Clones share it; it is closed with the last of them, after
/// what was submitted has been written.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

/// In the order in which they are given up.
struct Inner {
    wake: Wake,
    committer: Committer,
    instance: Instance,
    store: Arc<dyn Store>,
    dir: Option<std::path::PathBuf>,
}

impl Database {
    /// A store in memory, gone with the last handle.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::with_store(Arc::new(MemoryStore::new()))
    }

    /// A database over a backend of the caller's. It belongs to this process
    /// alone: what other processes do with the same backend is not seen.
    pub fn with_store(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        Ok(Self {
            inner: Arc::new(Inner {
                wake: Wake::private(),
                committer: Committer::start(Arc::clone(&store))?,
                instance: Instance::private(),
                store,
                dir: None,
            }),
        })
    }

    /// The store's directory; none where it is not kept in one.
    pub fn dir(&self) -> Option<&Path> {
        self.inner.dir.as_deref()
    }

    /// This process, as the owner of operations.
    pub fn instance(&self) -> &Instance {
        &self.inner.instance
    }

    /// Whether the process behind `owner` still has this store open.
    pub fn is_alive(&self, owner: &Owner) -> Result<bool, StoreError> {
        if owner.instance == self.inner.instance.id() {
            return Ok(true);
        }
        match self.dir() {
            Some(dir) => owner::is_alive(dir, owner),
            None => Ok(false),
        }
    }

    /// Reads from one consistent view. `body` must be quick and must not use the
    /// database: old pages cannot be reused while it runs.
    pub fn read<T>(
        &self,
        body: impl FnOnce(&dyn ReadTxn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut body = Some(body);
        let mut output = None;
        self.inner.store.read(&mut |txn| {
            let body = body.take().ok_or(StoreError::Closed)?;
            output = Some(body(txn)?);
            Ok(())
        })?;
        output.ok_or(StoreError::Closed)
    }

    /// Writes, together with what others write at the same time, and returns
    /// once it is durable; on an error nothing of it is kept.
    ///
    /// `body` may be run again, from the start, when the store had to grow or
    /// when another write of the group failed. What it refuses for reasons of
    /// its own (a status that does not fit) it says in `T`, before its first
    /// write; an `Err` is for what the transaction itself returned.
    pub async fn write<T, F>(&self, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn WriteTxn) -> Result<T, StoreError> + Send + 'static,
    {
        self.inner.committer.submit(body).await
    }

    /// As [`Self::write`], blocking the thread until it is durable. It may be a
    /// thread of an async runtime; the wait is a few milliseconds.
    pub fn write_blocking<T, F>(&self, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn WriteTxn) -> Result<T, StoreError> + Send + 'static,
    {
        self.inner.committer.submit_blocking(body)
    }

    /// Asks whoever drives `id` to pause it: durably, then by waking all
    /// processes that have the store open.
    pub fn request_pause(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write_blocking(move |txn| requests::put(txn, &id))?;
        self.inner.wake.touch()
    }

    /// A counter that moves when somebody asked for some pause: time to look at
    /// [`Self::requested`] for what this process drives.
    pub fn pause_requests(&self) -> watch::Receiver<u64> {
        self.inner.wake.subscribe()
    }

    /// Whether a pause of `id` is asked for.
    pub fn requested(&self, id: &str) -> Result<bool, StoreError> {
        self.read(|txn| requests::exists(txn, id))
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("dir", &self.inner.dir)
            .field("instance", &self.inner.instance.id())
            .finish_non_exhaustive()
    }
}
