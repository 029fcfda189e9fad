//! What a step is handed.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::blocking::Blocking;
use crate::error::StepError;
use crate::files::ReadFile;
use crate::latch::Latch;
use crate::progress::Progress;
use crate::resumable::Resumable;
use crate::table::{Table, TableKey};

/// What a step is handed: its input, tables, files, progress, and whether it
/// should yield.
///
/// Whatever a step does through it is part of the next commit, and gone when
/// the slice fails or the process dies before.
pub struct Context<'a, M: Resumable> {
    /// Absent while it is on a blocking thread.
    slice: &'a mut Option<Box<Blocking<M>>>,
    input: &'a M::Input,
    env: &'a M::Env,
    latch: &'a Latch,
}

impl<'a, M: Resumable> Context<'a, M> {
    pub(crate) const fn new(
        slice: &'a mut Option<Box<Blocking<M>>>,
        input: &'a M::Input,
        env: &'a M::Env,
        latch: &'a Latch,
    ) -> Self {
        Self {
            slice,
            input,
            env,
            latch,
        }
    }

    /// The operation's id.
    pub fn id(&self) -> &str {
        &self.slice().id
    }

    /// What the operation was asked to do.
    pub const fn input(&self) -> &'a M::Input {
        self.input
    }

    /// What this process built for it.
    pub const fn env(&self) -> &'a M::Env {
        self.env
    }

    /// Whether the step should return its state now, because a commit is due or
    /// a pause was asked for. Costs some 30 ns: ask often.
    pub fn should_yield(&self) -> bool {
        self.slice().should_yield()
    }

    /// Whether a pause was asked for.
    pub fn pause_requested(&self) -> bool {
        self.slice().pause_requested()
    }

    /// The pause flag, for libraries that poll an interrupt flag. True once a
    /// pause was asked for; never set it.
    pub fn interrupt(&self) -> &Arc<AtomicBool> {
        self.slice().interrupt()
    }

    /// Awaits `future`, or gives `None` when a pause is asked for first. The
    /// future is dropped then.
    pub async fn or_pause<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let pause = Arc::clone(&self.slice().pause);
        tokio::select! {
            biased;
            output = future => Some(output),
            () = pause.raised() => None,
        }
    }

    /// Sets the items done and their total.
    pub fn report(&self, done: u64, total: Option<u64>) {
        self.slice().report(done, total);
    }

    /// Sets the bytes done and their total.
    pub fn report_bytes(&self, done: u64, total: Option<u64>) {
        self.slice().report_bytes(done, total);
    }

    /// The counters themselves, for tasks of the step's own.
    pub fn progress(&self) -> &Arc<Progress> {
        self.slice().progress()
    }

    /// Writes a remark into the operation's journal, with the next commit. No
    /// secrets.
    pub fn note(&mut self, remark: impl Into<String>) {
        self.slice_mut().note(remark);
    }

    /// Keeps a value that lives only in this process for the next slice: a
    /// socket, a hasher. A rollback or another process drops it, so the step
    /// must be able to do without.
    pub fn keep_local<T: Any + Send>(&mut self, value: T) {
        self.slice_mut().keep_local(value);
    }

    /// Takes what the last slice kept, if it is there and of this type.
    pub fn take_local<T: Any + Send>(&mut self) -> Option<T> {
        self.slice_mut().take_local()
    }

    /// Sets a row.
    pub fn put<K: TableKey, V: Serialize>(
        &mut self,
        table: &Table<K, V>,
        key: &K,
        value: &V,
    ) -> Result<(), StepError> {
        self.slice_mut().put(table, key, value)
    }

    /// Removes a row; it need not exist.
    pub fn remove<K: TableKey, V>(&mut self, table: &Table<K, V>, key: &K) {
        self.slice_mut().remove(table, key);
    }

    /// The value of a row.
    #[expect(clippy::unused_async, reason = "a networked store will wait here")]
    pub async fn get<K: TableKey, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<Option<V>, StepError> {
        self.slice().get(table, key)
    }

    /// The first row after `after`, or the first of all.
    #[expect(clippy::unused_async, reason = "a networked store will wait here")]
    pub async fn next_after<K: TableKey, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        after: Option<&K>,
    ) -> Result<Option<(K, V)>, StepError> {
        self.slice().next_after(table, after)
    }

    /// Up to `limit` rows after `after`, in key order.
    #[expect(clippy::unused_async, reason = "a networked store will wait here")]
    pub async fn page<K: TableKey, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        after: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, StepError> {
        self.slice().page(table, after, limit)
    }

    /// Opens an append-only file of the operation, in a folder of its own.
    ///
    /// Its committed length is part of each commit: after a rollback or a crash
    /// the file is cut back to it. A file that has become shorter than that is a
    /// fatal error.
    pub async fn append_file(&mut self, name: &str) -> Result<AppendFile<'_, 'a, M>, StepError> {
        self.open(name, None).await
    }

    /// The same, in `dir`, which is created where it is missing: for a result
    /// that is to stay on its file system.
    pub async fn append_file_in(
        &mut self,
        dir: &Path,
        name: &str,
    ) -> Result<AppendFile<'_, 'a, M>, StepError> {
        self.open(name, Some(dir.to_owned())).await
    }

    /// Reads what was appended to `name` so far.
    pub async fn read_file(&mut self, name: &str) -> Result<ReadFile, StepError> {
        let name = name.to_owned();
        self.blocking(move |b| b.read_file(&name)).await
    }

    /// Publishes a committed file as `to`, by rename; across file systems by a
    /// copy that is synced and renamed. What is at `to` is replaced.
    ///
    /// It can be repeated: done once or after a crash, the result is the same.
    /// Call it in a step marked as an effect, so that all of the file is
    /// committed before. The file cannot be opened again.
    pub async fn install(&mut self, name: &str, to: &Path) -> Result<(), StepError> {
        self.install_all([(name, to)]).await
    }

    /// Publishes several committed files, in this order, at the price of one sync
    /// for each directory.
    ///
    /// After a power cut any of them may be there without the others, until the step
    /// was repeated: what others take as the sign that all are there, such as a
    /// manifest, is installed after this has returned.
    ///
    /// ```
    /// # use resume_runtime::{Context, Resumable, StepError};
    /// # async fn f<M: Resumable>(cx: &mut Context<'_, M>, to: &std::path::Path) -> Result<(), StepError> {
    /// cx.install_all([("data", to.join("data")), ("index", to.join("index"))])
    ///     .await?;
    /// cx.install("manifest", &to.join("manifest")).await?;
    /// # Ok(()) }
    /// ```
    pub async fn install_all<N: Into<String>, P: Into<PathBuf>>(
        &mut self,
        files: impl IntoIterator<Item = (N, P)>,
    ) -> Result<(), StepError> {
        let files = files.into_iter();
        let files: Vec<_> = files.map(|(name, to)| (name.into(), to.into())).collect();
        self.blocking(move |b| b.install_all(files)).await
    }

    /// Puts a file or directory on disk that the step wrote by itself, with the
    /// names that lead to it. Without this a commit may point at something that
    /// a power cut takes away. Of a directory that is its entries, not what is in
    /// them.
    pub async fn sync(&mut self, path: &Path) -> Result<(), StepError> {
        let path = path.to_owned();
        self.blocking(move |b| b.sync(&path)).await
    }

    /// Runs `work` on a thread where it may block, with everything that the
    /// context offers.
    ///
    /// A pause does not wait for it: ask [`Blocking::should_yield`] often, or
    /// hand [`Blocking::interrupt`] to the library. Work that goes on for more
    /// than 150 ms after a pause was asked for is left behind and its slice
    /// rolled back.
    ///
    /// ```
    /// # use resume_runtime::{Context, Resumable, StepError};
    /// # async fn f<M: Resumable>(cx: &mut Context<'_, M>) -> Result<(), StepError> {
    /// let sum = cx
    ///     .blocking(|b| {
    ///         let mut sum = 0_u64;
    ///         for n in 0..1_000 {
    ///             if b.pause_requested() {
    ///                 break;
    ///             }
    ///             sum += n;
    ///         }
    ///         Ok(sum)
    ///     })
    ///     .await?;
    /// # let _ = sum; Ok(()) }
    /// ```
    pub async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Blocking<M>) -> Result<T, StepError> + Send + 'static,
    ) -> Result<T, StepError> {
        let (slice, result) = off_thread(self.latch, self.take(), work).await;
        *self.slice = Some(slice);
        result
    }

    async fn open(
        &mut self,
        name: &str,
        dir: Option<PathBuf>,
    ) -> Result<AppendFile<'_, 'a, M>, StepError> {
        let owned = name.to_owned();
        if !self.slice().files.is_open(name) {
            self.blocking(move |b| b.files.open(&owned, dir.as_deref()))
                .await?;
        }
        Ok(AppendFile {
            name: name.to_owned(),
            cx: self,
        })
    }

    fn take(&mut self) -> Box<Blocking<M>> {
        self.slice.take().expect(SLICE)
    }

    fn slice(&self) -> &Blocking<M> {
        self.slice.as_ref().expect(SLICE)
    }

    fn slice_mut(&mut self) -> &mut Blocking<M> {
        self.slice.as_mut().expect(SLICE)
    }
}

/// A future that has the slice out on a thread holds `&mut Context`, so nobody
/// else can look; when it is dropped, the runner drops the context unseen.
const SLICE: &str = "the slice is only away while `blocking` is awaited";

/// Runs `work` on a blocking thread, counted by the latch. A panic becomes a
/// fatal error.
pub(crate) async fn off_thread<M: Resumable, T: Send + 'static>(
    latch: &Latch,
    mut slice: Box<Blocking<M>>,
    work: impl FnOnce(&mut Blocking<M>) -> Result<T, StepError> + Send + 'static,
) -> (Box<Blocking<M>>, Result<T, StepError>) {
    let permit = latch.enter().await;
    let joined = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let result = catch_unwind(AssertUnwindSafe(|| work(&mut slice)))
            .unwrap_or_else(|panic| Err(panicked(&*panic)));
        (slice, result)
    })
    .await;
    match joined {
        Ok(result) => result,
        // The closure catches panics, so only a runtime that shuts down ends here.
        Err(_) => std::future::pending().await,
    }
}

/// The error that a panic of a step becomes.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> StepError {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    StepError::fatal(format!("the step panicked: {message}"))
}

/// An append-only file of the operation.
pub struct AppendFile<'c, 'a, M: Resumable> {
    cx: &'c mut Context<'a, M>,
    name: String,
}

impl<M: Resumable> AppendFile<'_, '_, M> {
    /// Its length in bytes, with what is not committed yet.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a length on disk, no collection"
    )]
    pub fn len(&self) -> u64 {
        self.cx.slice().files.len(&self.name)
    }

    /// Appends `data`. It is part of the next commit.
    pub async fn write_all(&mut self, data: &[u8]) -> Result<(), StepError> {
        if self.cx.slice().files.has_room(&self.name, data.len()) {
            return self.cx.slice_mut().files.append(&self.name, data);
        }
        let (name, data) = (self.name.clone(), data.to_vec());
        self.cx
            .blocking(move |b| b.files.append(&name, &data))
            .await
    }

    /// Empties it: a new generation starts. Until the next commit the old one is
    /// still there to roll back to.
    pub async fn restart(&mut self) -> Result<(), StepError> {
        let name = self.name.clone();
        self.cx.blocking(move |b| b.files.restart(&name)).await
    }
}
