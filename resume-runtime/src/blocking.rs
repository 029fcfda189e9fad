//! A slice: all that a step has at hand between two commits.
//!
//! It is one value without borrows, so that it can move to a blocking thread and
//! back (see [`Context::blocking`](crate::Context::blocking)), and so that
//! dropping it is all that a rollback takes.

use std::any::Any;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StepError;
use crate::files::{self, Files, ReadFile};
use crate::pace::Pacer;
use crate::pause::PauseFlag;
use crate::progress::Progress;
use crate::resumable::Resumable;
use crate::rows::Rows;
use crate::table::{Table, TableKey};

/// Uncommitted rows are held in memory up to this size; then a commit is due.
const ROWS_IN_MEMORY: usize = 32 << 20;

/// What blocking code of a step works with: everything that
/// [`Context`](crate::Context) offers, without `async`.
pub struct Blocking<M: Resumable> {
    pub(crate) id: Arc<str>,
    pub(crate) input: Arc<M::Input>,
    pub(crate) env: Arc<M::Env>,
    pub(crate) rows: Rows,
    pub(crate) files: Files,
    pub(crate) pacer: Pacer,
    pub(crate) pause: Arc<PauseFlag>,
    pub(crate) progress: Arc<Progress>,
    /// In a mutex only so that a context may be shared: nobody ever waits.
    pub(crate) local: Mutex<Option<Box<dyn Any + Send>>>,
    pub(crate) notes: Vec<String>,
}

impl<M: Resumable> Blocking<M> {
    /// The operation's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the operation was asked to do.
    pub fn input(&self) -> &Arc<M::Input> {
        &self.input
    }

    /// What this process built for it.
    pub fn env(&self) -> &Arc<M::Env> {
        &self.env
    }

    /// Whether the step should return its state now, because a commit is due or
    /// a pause was asked for. Costs some 30 ns: ask often.
    pub fn should_yield(&self) -> bool {
        self.pause.is_raised() || self.rows.pending_bytes() >= ROWS_IN_MEMORY || self.pacer.is_due()
    }

    /// Makes a commit due now, for a step that goes on with what must be committed: return a state,
    /// and the next slice has it.
    pub const fn want_commit(&mut self) {
        self.pacer.want();
    }

    /// Whether a pause was asked for.
    pub fn pause_requested(&self) -> bool {
        self.pause.is_raised()
    }

    /// The pause flag, for libraries that poll an interrupt flag. True once a
    /// pause was asked for; never set it.
    pub fn interrupt(&self) -> &Arc<AtomicBool> {
        self.pause.as_atomic()
    }

    /// Sets the items done and their total.
    pub fn report(&self, done: u64, total: Option<u64>) {
        self.progress.set_items(done, total);
    }

    /// Sets the bytes done and their total.
    pub fn report_bytes(&self, done: u64, total: Option<u64>) {
        self.progress.set_bytes(done, total);
    }

    /// The counters themselves, for threads of the step's own.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Writes a remark into the operation's journal, with the next commit. No
    /// secrets.
    pub fn note(&mut self, remark: impl Into<String>) {
        self.notes.push(remark.into());
    }

    /// Keeps a value that lives only in this process for the next slice: a
    /// socket, a hasher. A rollback or another process drops it, so the step
    /// must be able to do without.
    pub fn keep_local<T: Any + Send>(&mut self, value: T) {
        *self.local.get_mut().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(value));
    }

    /// Takes what the last slice kept, if it is there and of this type.
    pub fn take_local<T: Any + Send>(&mut self) -> Option<T> {
        self.local
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .and_then(|value| value.downcast().ok())
            .map(|value| *value)
    }

    /// Sets a row.
    pub fn put<K: TableKey, V: Serialize>(
        &mut self,
        table: &Table<K, V>,
        key: &K,
        value: &V,
    ) -> Result<(), StepError> {
        self.rows.put(table, key, value)
    }

    /// Removes a row; it need not exist.
    pub fn remove<K: TableKey, V>(&mut self, table: &Table<K, V>, key: &K) {
        self.rows.remove(table, key);
    }

    /// The value of a row.
    pub fn get<K: TableKey, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<Option<V>, StepError> {
        self.rows.get(table, key)
    }

    /// The first row after `after`, or the first of all.
    pub fn next_after<K: TableKey, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        after: Option<&K>,
    ) -> Result<Option<(K, V)>, StepError> {
        self.rows.next_after(table, after)
    }

    /// Up to `limit` rows after `after`, in key order.
    pub fn page<K: TableKey, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        after: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, StepError> {
        self.rows.page(table, after, limit)
    }

    /// Opens an append-only file of the operation. See
    /// [`Context::append_file`](crate::Context::append_file).
    pub fn append_file(&mut self, name: &str) -> Result<Appender<'_>, StepError> {
        self.files.open(name, None)?;
        Ok(Appender::new(&mut self.files, name))
    }

    /// The same, in `dir`, which is created where it is missing.
    pub fn append_file_in(&mut self, dir: &Path, name: &str) -> Result<Appender<'_>, StepError> {
        self.files.open(name, Some(dir))?;
        Ok(Appender::new(&mut self.files, name))
    }

    /// Reads what was appended to `name` so far.
    pub fn read_file(&mut self, name: &str) -> Result<ReadFile, StepError> {
        self.files.read(name)
    }

    /// Where the file `name` is, all of it handed to the system, for libraries that read by path.
    /// It may be gone after the next commit that follows a [`restart`](Appender::restart).
    pub fn file_path(&mut self, name: &str) -> Result<PathBuf, StepError> {
        self.files.path(name)
    }

    /// Publishes a committed file as `to`. See
    /// [`Context::install`](crate::Context::install).
    pub fn install(&mut self, name: &str, to: &Path) -> Result<(), StepError> {
        self.files.install([(name, to)])
    }

    /// Publishes several committed files. See
    /// [`Context::install_all`](crate::Context::install_all).
    pub fn install_all<N: AsRef<str>, P: AsRef<Path>>(
        &mut self,
        files: impl IntoIterator<Item = (N, P)>,
    ) -> Result<(), StepError> {
        self.files.install(files)
    }

    /// The operation's own folder, for what is no append-only file: links, a
    /// cache. It exists, and nobody else may look in. Nothing in it is rolled back,
    /// and it goes when the operation is done. [`sync`](Self::sync) what a state
    /// relies on.
    pub fn folder(&self) -> Result<PathBuf, StepError> {
        let folder = self.files.private()?;
        files::create_private(&folder)?;
        Ok(folder)
    }

    /// Puts a file or directory on disk that the step wrote by itself, with the
    /// name that leads to it.
    pub fn sync(&self, path: &Path) -> Result<(), StepError> {
        self.files.sync_path(path)
    }

    /// The same for a directory with all that is below it, at the price of few
    /// syncs however many files these are.
    pub fn sync_tree(&self, dir: &Path) -> Result<(), StepError> {
        self.files.sync_tree(dir)
    }

    /// The same for these files and directories, all on the file system of `on`, at the price of
    /// one sync: the content of files, the entries of directories. For the names that lead to them
    /// the directories must be among them; those of `on` itself are not looked at.
    pub fn sync_all<P: AsRef<Path>>(
        &self,
        on: &Path,
        paths: impl IntoIterator<Item = P>,
    ) -> Result<(), StepError> {
        self.files.sync_all(on, paths)
    }
}

/// An append-only file of the operation, open in blocking code.
pub struct Appender<'a> {
    files: &'a mut Files,
    name: String,
}

impl<'a> Appender<'a> {
    fn new(files: &'a mut Files, name: &str) -> Self {
        Self {
            files,
            name: name.to_owned(),
        }
    }

    /// Its length in bytes, with what is not committed yet.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a length on disk, no collection"
    )]
    pub fn len(&self) -> u64 {
        self.files.len(&self.name)
    }

    /// Appends `data`. It is part of the next commit.
    pub fn append(&mut self, data: &[u8]) -> Result<(), StepError> {
        self.files.append(&self.name, data)
    }

    /// Empties it: a new generation starts. Until the next commit the old one is
    /// still there to roll back to.
    pub fn restart(&mut self) -> Result<(), StepError> {
        self.files.restart(&self.name)
    }
}

impl Write for Appender<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // A `?` on what a library gives back finds the error and its class again.
        self.append(data).map_err(io::Error::other)?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
