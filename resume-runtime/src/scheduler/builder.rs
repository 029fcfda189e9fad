//! Setting a scheduler up.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::machine::{Machine, Registered};
use super::service::Scheduler;
use crate::database::Database;
use crate::error::StepError;
use crate::resumable::Resumable;
use crate::retry::RetryPolicy;

/// Sets a [`Scheduler`] up.
pub struct Builder {
    pub(super) db: Database,
    pub(super) machines: HashMap<&'static str, Arc<dyn Machine>>,
    pub(super) limit: Arc<Semaphore>,
    pub(super) kinds: HashMap<String, Arc<Semaphore>>,
    pub(super) retry: RetryPolicy,
    pub(super) folder: Option<PathBuf>,
}

impl Builder {
    pub(super) fn new(db: Database) -> Self {
        Self {
            folder: db.dir().map(|dir| dir.join("ops")),
            db,
            machines: HashMap::new(),
            limit: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            kinds: HashMap::new(),
            retry: RetryPolicy::default(),
        }
    }

    /// Makes a machine known. `env` builds what a process needs for an
    /// operation, out of its input.
    pub fn register<M: Resumable>(
        mut self,
        env: impl Fn(&M::Input) -> Result<M::Env, StepError> + Send + Sync + 'static,
    ) -> Self {
        let machine = Registered::<M> { env: Arc::new(env) };
        self.machines.insert(M::KIND, Arc::new(machine));
        self
    }

    /// At most `most` operations run at once; the others wait.
    pub fn limit(mut self, most: usize) -> Self {
        self.limit = Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
        self
    }

    /// At most `most` operations of `kind` run at once.
    pub fn limit_kind(mut self, kind: impl Into<String>, most: usize) -> Self {
        let limit = Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS));
        self.kinds.insert(kind.into(), Arc::new(limit));
        self
    }

    /// When to try again after errors that may pass.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Where the operations' own files go: a folder for each, below this one.
    /// The store's directory by default; a store in memory has none.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// The scheduler. Call it inside a tokio runtime.
    pub fn build(self) -> Scheduler {
        Scheduler::new(self)
    }
}
