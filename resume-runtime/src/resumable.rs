//! What an author implements: a machine of steps, and what a step returns.
//!
//! A machine is an enum; each variant holds the state of one step. A step takes
//! its state *by value* and returns the next one, so nothing that is in memory
//! can be ahead of what could be stored: a state either was returned, and may be
//! committed, or it is gone.

use std::future::Future;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::context::Context;
use crate::error::{RestoreError, StepError};

/// A long operation, as an enum of steps. Derive it; an implementation by hand
/// is possible and needs nothing that is not public.
pub trait Resumable: Sized + Send + 'static {
    /// The name that the stored record carries, for example `"pack"`.
    const KIND: &'static str;
    /// The version of the stored states. Raise it when an old checkpoint can no
    /// longer be read as it is, and migrate.
    const VERSION: u32;
    /// Every step, in the order of the enum.
    const STEPS: &'static [StepInfo];
    /// What the operation was asked to do. Stored once, when it is created.
    type Input: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What it gives when it is done. Stored with the completed record.
    type Output: Serialize + DeserializeOwned + Send + 'static;
    /// What every process builds anew: clients, handles, caches.
    type Env: Send + Sync + 'static;

    /// The first state of a new operation.
    fn start() -> Self;
    /// The step that this state belongs to.
    fn info(&self) -> &'static StepInfo;
    /// The state as it is stored.
    fn checkpoint(&self) -> Result<Checkpoint, StepError>;
    /// The state out of what was stored, migrated where its version is older.
    fn restore(checkpoint: &Checkpoint) -> Result<Self, RestoreError>;
    /// Runs the step for a slice.
    fn step(self, cx: &mut Context<'_, Self>) -> impl Future<Output = StepResult<Self>> + Send;
}

/// The body of one step, implemented for its state.
///
/// Return [`Transition::to`] with the state itself when
/// [`Context::should_yield`] says that a commit is due: the next slice goes on
/// from there.
#[diagnostic::on_unimplemented(
    message = "the step of state `{Self}` has no body",
    label = "no `impl Step<{M}> for {Self}`"
)]
pub trait Step<M: Resumable>: Sized + Send {
    /// Runs for a slice and says what comes next.
    fn run(self, cx: &mut Context<'_, M>) -> impl Future<Output = StepResult<M>> + Send;
}

/// What is known of a step without running it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepInfo {
    /// The name under which its state is stored.
    pub name: &'static str,
    /// Whether it touches something outside the operation's own store. A commit
    /// is made at once before an effect starts and after it ends.
    pub effect: bool,
}

impl StepInfo {
    /// A step without effects outside the operation's store.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            effect: false,
        }
    }

    /// A step that touches something outside: a ref, a remote, a result file.
    pub const fn effect(name: &'static str) -> Self {
        Self { name, effect: true }
    }
}

/// What a step's body returns.
pub type StepResult<M> = Result<Transition<M>, StepError>;

/// What comes after a slice.
pub enum Transition<M: Resumable> {
    /// Go on with this state, which may be the same step's.
    To(M),
    /// The operation is done.
    Done(M::Output),
    /// Keep this state, and all that was done for it, then try again later.
    Retry(M, StepError),
    /// Keep this state and pause until the user has acted.
    Wait(M, StepError),
}

impl<M: Resumable> Transition<M> {
    /// Go on with `state`.
    pub fn to(state: impl Into<M>) -> StepResult<M> {
        Ok(Self::To(state.into()))
    }

    /// The operation is done and gives `output`.
    pub fn done(output: M::Output) -> StepResult<M> {
        Ok(Self::Done(output))
    }

    /// Keep `state` and what was done for it, back off, then go on from it.
    ///
    /// Returning `Err` with a transient error would roll back to the last
    /// commit instead.
    pub fn retry(state: impl Into<M>, error: StepError) -> StepResult<M> {
        Ok(Self::Retry(state.into(), error))
    }

    /// Keep `state` and pause; `reason` says what the user has to do.
    pub fn wait(state: impl Into<M>, reason: StepError) -> StepResult<M> {
        Ok(Self::Wait(state.into(), reason))
    }
}

/// A state as it is stored, in the record's `state.checkpoint`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The step's stored name.
    pub step: String,
    /// The machine's version that wrote it.
    pub version: u32,
    /// The state, as JSON.
    pub body: Box<RawValue>,
}

impl Checkpoint {
    /// Stores `state` under `step`.
    ///
    /// Fails when the state cannot be written as JSON (a map with keys that are
    /// no strings, a number that is not finite where none may be).
    pub fn new<T: Serialize>(step: &str, version: u32, state: &T) -> Result<Self, StepError> {
        let body = serde_json::value::to_raw_value(state).map_err(|e| {
            StepError::fatal(format!("the state of step `{step}` cannot be stored: {e}"))
        })?;
        Ok(Self {
            step: step.to_owned(),
            version,
            body,
        })
    }

    /// Reads the state back.
    pub fn body_as<T: DeserializeOwned>(&self) -> Result<T, RestoreError> {
        serde_json::from_str(self.body.get()).map_err(|e| RestoreError::Unreadable {
            step: self.step.clone(),
            version: self.version,
            reason: e.to_string(),
        })
    }
}
