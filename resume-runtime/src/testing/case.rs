//! What an author says of a machine to have it checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::Report;
use super::check;
use super::finding::Finding;
use super::kill;
use super::outcome;
use crate::error::StepError;
use crate::resumable::Resumable;

pub(super) type MakeInput<M> = dyn Fn(&Path) -> <M as Resumable>::Input + Send + Sync;
pub(super) type MakeEnv<M> = dyn Fn(&Path, &<M as Resumable>::Input) -> Result<<M as Resumable>::Env, StepError>
    + Send
    + Sync;
type Observe = dyn Fn(&Path) -> Result<Value, String> + Send + Sync;
type User = dyn Fn(&Path, &StepError) + Send + Sync;

/// A machine with an input, as it is to be checked.
pub struct Case<M: Resumable> {
    pub(super) input: Box<MakeInput<M>>,
    pub(super) env: Arc<MakeEnv<M>>,
    pub(super) observe: Box<Observe>,
    pub(super) user: Option<Box<User>>,
    pub(super) work: Option<Arc<AtomicU64>>,
    pub(super) scratch_in: Option<PathBuf>,
    pub(super) points: usize,
    pub(super) seed: u64,
    pub(super) states_may_differ: bool,
    pub(super) patience: Duration,
    pub(super) test_name: Option<String>,
}

impl<M: Resumable> Case<M> {
    /// A machine whose env needs nothing.
    ///
    /// `input` is called once, with an empty scratch directory: it puts there
    /// what the operation works on, and every run starts from that. Whatever a
    /// run changes must be below the scratch directory; take times, ids and
    /// seeds into the input, so that every run has the same.
    pub fn new(input: impl Fn(&Path) -> M::Input + Send + Sync + 'static) -> Self
    where
        M::Env: Default,
    {
        Self::with_env(input, |_, _| Ok(M::Env::default()))
    }

    /// A machine with an env, which is built for every process of every run.
    pub fn with_env(
        input: impl Fn(&Path) -> M::Input + Send + Sync + 'static,
        env: impl Fn(&Path, &M::Input) -> Result<M::Env, StepError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            input: Box::new(input),
            env: Arc::new(env),
            observe: Box::new(|scratch| outcome::tree(scratch).map_err(|e| e.to_string())),
            user: None,
            work: None,
            scratch_in: None,
            points: 16,
            seed: 1,
            states_may_differ: false,
            patience: Duration::from_secs(120),
            test_name: None,
        }
    }

    /// What counts as the result, beside the output. By default that is every
    /// file below the scratch directory, with its content.
    pub fn observe<T: Serialize>(
        mut self,
        observe: impl Fn(&Path) -> T + Send + Sync + 'static,
    ) -> Self {
        self.observe = Box::new(move |scratch| {
            serde_json::to_value(observe(scratch)).map_err(|e| e.to_string())
        });
        self
    }

    /// What the user does when the operation waits for one; it is resumed
    /// afterwards. Without this a machine that waits counts as one that fails.
    pub fn user(mut self, act: impl Fn(&Path, &StepError) + Send + Sync + 'static) -> Self {
        self.user = Some(Box::new(act));
        self
    }

    /// A counter that the machine adds to (through its env) for each piece of
    /// work that is not to be done again once it is committed. The harness sets
    /// it to zero before each run.
    pub fn work(mut self, counter: Arc<AtomicU64>) -> Self {
        self.work = Some(counter);
        self
    }

    /// Puts the scratch directory below `dir`: on another file system than the
    /// operation's own folder, for example.
    pub fn scratch_in(mut self, dir: impl Into<PathBuf>) -> Self {
        self.scratch_in = Some(dir.into());
        self
    }

    /// How many points are tried of each kind of disturbance, the first and the
    /// last among them; 16 by default.
    pub fn points(mut self, most: usize) -> Self {
        self.points = most.max(2);
        self
    }

    /// Another choice of points.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The states of two runs may differ where their results do not: for
    /// machines that work in parallel.
    pub fn states_may_differ(mut self) -> Self {
        self.states_may_differ = true;
        self
    }

    /// How long one process may take before the run counts as one that never
    /// ends; two minutes by default.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The name of the calling test, for [`Case::kill_at_commits`], where the
    /// name of its thread does not tell.
    pub fn test_name(mut self, name: impl Into<String>) -> Self {
        self.test_name = Some(name.into());
        self
    }

    /// Runs the machine over the store on disk, in child processes that are
    /// killed before and after commits.
    ///
    /// The child is this test binary, run for the calling test alone: call it
    /// once in a test of its own, and build the same case each time. Gives the
    /// number of children that were killed.
    ///
    /// # Panics
    /// With what it found, and the likely cause.
    pub async fn kill_at_commits(&self) -> u64 {
        match self.try_kill_at_commits().await {
            Ok(kills) => kills,
            Err(finding) => panic!("`{}` is not resumable: {finding}", M::KIND),
        }
    }

    /// As [`Self::kill_at_commits`], and gives the first thing found.
    pub async fn try_kill_at_commits(&self) -> Result<u64, Finding> {
        kill::kill_at_commits(self).await
    }

    /// Checks the machine.
    ///
    /// # Panics
    /// With what it found, and the likely cause.
    pub async fn check(&self) -> Report {
        match self.try_check().await {
            Ok(report) => report,
            Err(finding) => panic!("`{}` is not resumable: {finding}", M::KIND),
        }
    }

    /// Checks the machine, and gives the first thing found.
    pub async fn try_check(&self) -> Result<Report, Finding> {
        check::check(self).await
    }
}

/// Checks a machine: [`Case::check`].
///
/// # Panics
/// With what it found, and the likely cause.
pub async fn assert_resumable<M: Resumable>(case: Case<M>) {
    case.check().await;
}
