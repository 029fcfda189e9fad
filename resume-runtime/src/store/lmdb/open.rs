//! Opening a store: once a process, after everything that LMDB does not look at.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use heed::types::Bytes;
use heed::{CommitOrAbort, CompactionOption, Env, EnvFlags, EnvOpenOptions, WithoutTls};
use rustix::io::Errno;

use super::check::{self, FORMAT, Found};
use super::lock::StoreLock;
use super::place;
use super::shared::{Db, Shared, Sizes};
use crate::owner::{self, Instance};
use crate::store::{ReadTxn, Space, Store, StoreError, WriteTxn};

/// Readers at once, in all processes.
const READERS: u32 = 1024;
/// Named databases; more than there are, so that a newer build's fit.
const DATABASES: u32 = 16;
const FORMAT_KEY: &[u8] = b"format";

/// The open environments of this process. LMDB must not open a file twice in a
/// process, under whatever names, so all handles of a directory share one.
static OPEN: LazyLock<Mutex<HashMap<Identity, Arc<Shared>>>> = LazyLock::new(Mutex::default);

fn open_stores() -> MutexGuard<'static, HashMap<Identity, Arc<Shared>>> {
    // Entries are added and removed whole.
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Device and inode: what a file is, under whatever name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    fn of(path: &Path) -> Result<Self, StoreError> {
        match std::fs::metadata(path) {
            Ok(m) => Ok(Self(m.dev(), m.ino())),
            Err(e) => Err(StoreError::io(path, e)),
        }
    }

    /// Refuses when `path` is not this file any more.
    pub(super) fn check(self, path: &Path) -> Result<(), StoreError> {
        match Self::of(path) {
            Ok(there) if there == self => Ok(()),
            _ => Err(StoreError::Unusable {
                path: path.to_owned(),
                reason: "it was removed or replaced while the store was open".to_owned(),
            }),
        }
    }
}

/// A store in a directory, on LMDB. Handles of one directory share one
/// environment, which is closed with the last of them.
pub struct LmdbStore {
    key: Identity,
    /// Taken when the handle is dropped.
    shared: Option<Arc<Shared>>,
}

impl LmdbStore {
    /// Opens the store in `dir`, and makes it where there is none.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, Sizes::default())
    }

    pub(crate) fn open_with(dir: &Path, sizes: Sizes) -> Result<Self, StoreError> {
        place::create(dir)?;
        place::check_file_system(dir)?;
        let store = Self::open_once(dir, || Shared::open(dir, sizes))?;
        if store.shared()?.writable {
            Ok(store)
        } else {
            Err(StoreError::Backend(format!(
                "this process has {} open for inspection: close that first",
                dir.display()
            )))
        }
    }

    /// Opens the store in `dir` to look at it. Nothing is written, not even to
    /// say that it is being read; writers wait while a read goes on.
    pub fn inspect(dir: &Path) -> Result<Self, StoreError> {
        Self::open_once(dir, || Shared::inspect(dir, Sizes::default()))
    }

    fn open_once(
        dir: &Path,
        open: impl FnOnce() -> Result<Shared, StoreError>,
    ) -> Result<Self, StoreError> {
        let key = Identity::of(dir)?;
        let mut stores = open_stores();
        let shared = if let Some(shared) = stores.get(&key) {
            shared.data.check(&dir.join("data.mdb"))?;
            Arc::clone(shared)
        } else {
            let shared = Arc::new(open()?);
            stores.insert(key, Arc::clone(&shared));
            shared
        };
        Ok(Self {
            key,
            shared: Some(shared),
        })
    }

    /// This process in this store.
    pub(crate) fn instance(&self) -> Result<Arc<Instance>, StoreError> {
        Ok(Arc::clone(&self.shared()?.instance))
    }

    /// What the directory is, under whatever name.
    pub(crate) const fn identity(&self) -> Identity {
        self.key
    }

    pub(super) fn shared(&self) -> Result<&Shared, StoreError> {
        self.shared.as_deref().ok_or(StoreError::Closed)
    }
}

impl Drop for LmdbStore {
    fn drop(&mut self) {
        // Closed under the lock: whoever opens it next finds it closed.
        let mut stores = open_stores();
        if let Some(shared) = self.shared.take()
            && Arc::strong_count(&shared) == 2
        {
            stores.remove(&self.key);
            drop(shared);
        }
    }
}

impl Store for LmdbStore {
    fn read(
        &self,
        body: &mut dyn FnMut(&dyn ReadTxn) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.shared()?.read(body)
    }

    fn write(
        &self,
        body: &mut dyn FnMut(&mut dyn WriteTxn) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.shared()?.write(body)
    }

    fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let shared = self.shared()?;
        place::create(to)?;
        let data = to.join("data.mdb");
        place::write_new(&data, b"")?;
        let _gate = shared.pass()?;
        let copy = shared
            .env
            .copy_to_path(&data, CompactionOption::Enabled)
            .map_err(|e| shared.fail(e))?;
        copy.sync_all().map_err(|e| StoreError::io(&data, e))?;
        check::mark(to)?;
        place::sync(to)
    }
}

impl Shared {
    fn open(dir: &Path, sizes: Sizes) -> Result<Self, StoreError> {
        let dir = canonical(dir)?;
        let lock = StoreLock::open(&dir)?;
        let held = lock.exclusive()?;
        owner::check_namespaces(&dir)?;
        let instance = Arc::new(Instance::create(&dir)?);
        let found = check::check(&dir, true)?;
        let env = open_env(&dir, sizes, EnvFlags::empty())?;
        let failed = |e| open_failure(&dir, e);
        let mut dbs = open_databases(&env).map_err(failed)?;
        // Creating takes LMDB's write lock; most of the time it is not needed.
        if dbs.is_none() {
            create_databases(&env).map_err(failed)?;
            dbs = open_databases(&env).map_err(failed)?;
        }
        let dbs = dbs.ok_or(StoreError::Closed)?;
        check_format(&dir, &env, dbs[Space::Meta as usize])?;
        if found == Found::Nothing {
            place::sync(&dir)?;
        }
        check::mark(&dir)?;
        drop(held);
        let shared = Self::of(dir, env, dbs, instance, lock, sizes, true)?;
        shared.clear_stale_readers()?;
        Ok(shared)
    }

    fn inspect(dir: &Path, sizes: Sizes) -> Result<Self, StoreError> {
        let dir = canonical(dir)?;
        let lock = StoreLock::open_to_read(&dir)?;
        let held = lock.shared()?;
        let missing = || StoreError::Unusable {
            path: dir.join("data.mdb"),
            reason: "there is no store in it".to_owned(),
        };
        if check::check(&dir, false)? == Found::Nothing {
            return Err(missing());
        }
        let env = open_env(&dir, sizes, EnvFlags::READ_ONLY | EnvFlags::NO_LOCK)?;
        let dbs = open_databases(&env)
            .map_err(|e| open_failure(&dir, e))?
            .ok_or_else(missing)?;
        check_format(&dir, &env, dbs[Space::Meta as usize])?;
        drop(held);
        let instance = Arc::new(Instance::private());
        Self::of(dir, env, dbs, instance, lock, sizes, false)
    }

    fn of(
        dir: PathBuf,
        env: Env<WithoutTls>,
        dbs: [Db; Space::ALL.len()],
        instance: Arc<Instance>,
        lock: StoreLock,
        sizes: Sizes,
        writable: bool,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            data: Identity::of(&dir.join("data.mdb"))?,
            env,
            dbs,
            instance,
            lock,
            dir,
            sizes,
            writable,
            gate: RwLock::new(()),
            damaged: OnceLock::new(),
            broken: OnceLock::new(),
            writes: AtomicU64::new(0),
        })
    }
}

fn canonical(dir: &Path) -> Result<PathBuf, StoreError> {
    dir.canonicalize().map_err(|e| StoreError::io(dir, e))
}

/// Opens the environment with as large a map as there are addresses for.
fn open_env(dir: &Path, sizes: Sizes, flags: EnvFlags) -> Result<Env<WithoutTls>, StoreError> {
    let mut size = sizes.initial;
    loop {
        let mut options = EnvOpenOptions::new().read_txn_without_tls();
        options
            .map_size(size)
            .max_dbs(DATABASES)
            .max_readers(READERS);
        #[expect(unsafe_code, reason = "LMDB maps a file that others could change")]
        // SAFETY: the file was checked to be as long as its meta pages say; only
        // LMDB writes to it, excluded by the store's lock; `OPEN` keeps this
        // process from opening it twice. The one flag that is not safe by
        // itself, `NO_LOCK`, is set only for inspection, where every transaction
        // holds the store's lock shared.
        let opened = unsafe {
            options.flags(flags);
            options.open(dir)
        };
        match opened {
            Err(heed::Error::Io(e))
                if Errno::from_io_error(&e) == Some(Errno::NOMEM) && size > sizes.least =>
            {
                size /= 2;
            }
            opened => return opened.map_err(|e| open_failure(dir, e)),
        }
    }
}

fn open_failure(dir: &Path, error: heed::Error) -> StoreError {
    match error {
        heed::Error::Io(e) => place::refused(dir, &dir.join("data.mdb"), e),
        heed::Error::Mdb(e) => StoreError::Unusable {
            path: dir.join("data.mdb"),
            reason: e.to_string(),
        },
        other => StoreError::Backend(other.to_string()),
    }
}

/// The databases, if all of them are there.
fn open_databases(env: &Env<WithoutTls>) -> heed::Result<Option<[Db; Space::ALL.len()]>> {
    let txn = env.read_txn()?;
    let found = env
        .open_databases_and_commit(txn, |opener, txn| -> heed::Result<_> {
            let mut found = [None; Space::ALL.len()];
            for (slot, space) in found.iter_mut().zip(Space::ALL) {
                *slot = opener.open_database::<Bytes, Bytes>(txn, Some(space.name()))?;
            }
            Ok(CommitOrAbort::<_, ()>::Commit(found))
        })?
        .unwrap_commit();
    let all: Option<Vec<Db>> = found.into_iter().collect();
    Ok(all.and_then(|all| all.try_into().ok()))
}

fn create_databases(env: &Env<WithoutTls>) -> heed::Result<()> {
    let txn = env.write_txn()?;
    env.create_databases_and_commit(txn, |opener, txn| -> heed::Result<_> {
        for space in Space::ALL {
            let db = opener.create_database::<Bytes, Bytes>(txn, Some(space.name()))?;
            if space == Space::Meta && db.get(txn, FORMAT_KEY)?.is_none() {
                db.put(txn, FORMAT_KEY, FORMAT.to_string().as_bytes())?;
            }
        }
        Ok(CommitOrAbort::<_, ()>::Commit(()))
    })?;
    Ok(())
}

fn check_format(dir: &Path, env: &Env<WithoutTls>, meta: Db) -> Result<(), StoreError> {
    let failed = |e| open_failure(dir, e);
    let txn = env.read_txn().map_err(failed)?;
    let format = meta
        .get(&txn, FORMAT_KEY)
        .map_err(failed)?
        .and_then(|value| std::str::from_utf8(value).ok()?.parse::<u32>().ok());
    match format {
        Some(newer) if newer > FORMAT => Err(check::newer_format(&dir.join("data.mdb"), newer)),
        _ => Ok(()),
    }
}
