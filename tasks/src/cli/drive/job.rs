//! What a command wants to be done, and what it gets.

use std::time::Duration;

use mug::core::database::MugDb;
use resume_runtime::{Resumable, StepError};

use crate::cli::error::Error;

/// What a command wants to be done by a machine.
pub(in crate::cli) struct Job<M: Resumable> {
    /// The store that the operation is kept in.
    pub(in crate::cli) db: MugDb,
    /// What it works on.
    pub(in crate::cli) input: M::Input,
    /// What a process needs for it.
    pub(in crate::cli) env: Box<dyn Fn() -> Result<M::Env, StepError> + Send + Sync>,
    /// The words that start it, without those that only say how it is shown;
    /// empty when they cannot be written as text.
    pub(in crate::cli) command: Vec<String>,
    /// What people should see of it.
    pub(in crate::cli) metadata: Vec<(&'static str, String)>,
    /// The operation to continue, as it was given.
    pub(in crate::cli) resume: Option<String>,
    /// How what was given contradicts what an operation was started with.
    pub(in crate::cli) contradiction: fn(given: &M::Input, stored: &M::Input) -> Option<String>,
    /// Whether a new operation can begin.
    pub(in crate::cli) check: Check<M::Input>,
}

/// Looks whether a new operation can begin.
pub(in crate::cli) type Check<I> = Box<dyn FnOnce(&I) -> Result<(), Error>>;

/// The end of an operation that was completed.
pub(in crate::cli) struct Done<T> {
    pub(in crate::cli) output: T,
    /// What it took this time.
    pub(in crate::cli) elapsed: Duration,
}
