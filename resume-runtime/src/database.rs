//! An open store: reads, grouped writes, who this process is, and pause
//! requests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use tokio::sync::watch;

use crate::hands::{Hand, Hands};
use crate::operation::Owner;
use crate::owner::{self, Instance};
use crate::requests;
use crate::store::{
    Committer, Identity, LmdbStore, MemoryStore, ReadTxn, Store, StoreError, WriteTxn,
};
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
    instance: Arc<Instance>,
    store: Arc<dyn Store>,
    dir: Option<PathBuf>,
    hands: Arc<Hands>,
}

/// The open databases of this process, by directory: they share one writer.
static OPEN: LazyLock<Mutex<HashMap<Identity, Weak<Inner>>>> = LazyLock::new(Mutex::default);

impl Database {
    /// Opens the store in the directory `dir`, and makes it where there is none.
    /// Opening it again in the same process gives the same store.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::shared(dir, LmdbStore::open(dir)?, Wake::watch)
    }

    /// Opens the store in `dir` to look at it: where it cannot be written, for
    /// example. Every write is refused.
    pub fn inspect(dir: &Path) -> Result<Self, StoreError> {
        Self::shared(dir, LmdbStore::inspect(dir)?, |_| Ok(Wake::private()))
    }

    fn shared(
        dir: &Path,
        store: LmdbStore,
        wake: impl FnOnce(&Path) -> Result<Wake, StoreError>,
    ) -> Result<Self, StoreError> {
        let key = store.identity();
        let instance = store.instance()?;
        // Entries are added and removed whole.
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inner) = open.get(&key).and_then(Weak::upgrade) {
            return Ok(Self { inner });
        }
        let dir = dir.canonicalize().map_err(|e| StoreError::io(dir, e))?;
        let store: Arc<dyn Store> = Arc::new(store);
        let inner = Arc::new(Inner {
            wake: wake(&dir)?,
            committer: Committer::start(Arc::clone(&store))?,
            instance,
            store,
            dir: Some(dir),
            hands: Arc::default(),
        });
        open.retain(|_, inner| inner.strong_count() > 0);
        open.insert(key, Arc::downgrade(&inner));
        Ok(Self { inner })
    }

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
                instance: Arc::new(Instance::private()),
                store,
                dir: None,
                hands: Arc::default(),
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

    /// Takes an operation in hand for this process; `None` when it is already.
    pub(crate) fn take_in_hand(&self, id: &str) -> Option<Hand> {
        self.inner.hands.take(id)
    }

    /// Writes a copy of the store to the directory `to`, which can be opened as
    /// one; it must not hold a store yet.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        self.inner.store.backup(to)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Space;

    fn put(db: &Database, key: &'static str) {
        db.write_blocking(move |txn| txn.put(Space::Meta, key.as_bytes(), b"1"))
            .unwrap();
    }

    fn has(db: &Database, key: &str) -> bool {
        let value = db.read(|txn| txn.get(Space::Meta, key.as_bytes()));
        value.unwrap().is_some()
    }

    #[test]
    fn opened_twice_it_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let first = Database::open(dir.path()).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        let second = Database::open(&link).unwrap();
        assert_eq!(first.instance().id(), second.instance().id());
        put(&first, "first");
        assert!(has(&second, "first"));
        let owner = first.instance().owner().clone();
        drop(first);
        put(&second, "second");
        assert!(second.is_alive(&owner).unwrap());
        drop(second);
        let third = Database::open(dir.path()).unwrap();
        assert!(has(&third, "first") && has(&third, "second"));
        assert_ne!(third.instance().owner(), &owner);
        assert!(!third.is_alive(&owner).unwrap());
    }

    #[test]
    fn a_copy_is_a_store_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(&dir.path().join("a")).unwrap();
        put(&db, "before");
        let to = dir.path().join("b");
        db.backup(&to).unwrap();
        put(&db, "after");
        assert!(db.backup(&to).is_err(), "it must not be overwritten");
        let copy = Database::open(&to).unwrap();
        assert!(has(&copy, "before") && !has(&copy, "after"));
    }

    #[test]
    fn inspection_reads_and_does_not_write() {
        let dir = tempfile::tempdir().unwrap();
        let names = |dir: &Path| {
            let entries = std::fs::read_dir(dir).unwrap();
            let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert!(Database::inspect(dir.path()).is_err());
        assert!(names(dir.path()).is_empty());
        put(&Database::open(dir.path()).unwrap(), "key");
        let before = names(dir.path());
        let db = Database::inspect(dir.path()).unwrap();
        assert!(has(&db, "key"));
        let refused = db.write_blocking(|txn| txn.put(Space::Meta, b"x", b"1"));
        assert!(matches!(refused, Err(StoreError::ReadOnly { .. })));
        assert!(Database::open(dir.path()).is_err());
        assert_eq!(names(dir.path()), before);
        drop(db);
        put(&Database::open(dir.path()).unwrap(), "other");
    }

    #[tokio::test]
    async fn a_request_is_durable_and_wakes_whoever_watches() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(dir.path()).unwrap();
        let mut requests = db.pause_requests();
        requests.mark_unchanged();
        // As another process would, after it has written the request.
        std::fs::write(dir.path().join("wake"), b"1").unwrap();
        requests.changed().await.unwrap();
        // The watch outlives the file that it was on.
        std::fs::remove_file(dir.path().join("wake")).unwrap();
        requests.changed().await.unwrap();
        db.request_pause("op-1").unwrap();
        requests.changed().await.unwrap();
        assert!(db.requested("op-1").unwrap());
        assert!(!db.requested("op-2").unwrap());
    }
}
