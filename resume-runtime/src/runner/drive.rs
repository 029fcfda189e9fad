//! An operation from claim to end: attempts, and the waits between them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::attempt::Attempt;
use super::marks::{Mark, mark};
use crate::database::Database;
use crate::error::{ErrorClass, StepError};
use crate::faults::Faults;
use crate::latch::Latch;
use crate::operation::{Operation, WaitingFor, now};
use crate::pace::Pace;
use crate::pause::{PauseFlag, PausedBy};
use crate::progress::Progress;
use crate::resumable::Resumable;
use crate::retry::RetryPolicy;
use crate::stopped::Stopped;
use crate::store::StoreError;

/// Builds what a process needs for an operation, out of its input.
pub(crate) type EnvFactory<M> =
    Arc<dyn Fn(&<M as Resumable>::Input) -> Result<<M as Resumable>::Env, StepError> + Send + Sync>;

/// Drives one operation that this process has claimed.
pub(crate) struct Runner<M: Resumable> {
    pub(crate) db: Database,
    pub(crate) id: Arc<str>,
    pub(crate) env: EnvFactory<M>,
    pub(crate) pause: Arc<PauseFlag>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) latch: Latch,
    pub(crate) faults: Arc<dyn Faults>,
    pub(crate) pace: Pace,
    pub(crate) retry: RetryPolicy,
    /// The folder for the operation's own files, where the store has none.
    pub(crate) private: Option<PathBuf>,
    /// How long a step may go on after a pause was asked for.
    pub(crate) grace: Duration,
}

/// How an attempt ended.
pub(crate) enum Ending<M: Resumable> {
    Done(M::Output),
    Stopped(Stopped),
    /// Paused in an orderly way; the record says so already.
    Paused(PausedBy),
    /// Rolled back, or committed and to be tried again; `further` tells whether
    /// anything was committed that got further.
    Retry {
        error: StepError,
        further: bool,
    },
    /// Rolled back.
    Error(StepError),
    /// Paused by the step itself; the record says so already.
    Waits(StepError),
    /// The crash harness struck.
    Crashed,
}

impl<M: Resumable> Runner<M> {
    /// Drives the operation until it is done or stops. `op` is the record as
    /// claimed.
    pub(crate) async fn drive(&self, op: Operation) -> Result<Ending<M>, StoreError> {
        let input: M::Input = match serde_json::from_value(op.input.unwrap_or(Value::Null)) {
            Ok(input) => input,
            Err(e) => {
                return self
                    .fail(StepError::fatal(format!("its input cannot be read: {e}")))
                    .await;
            }
        };
        let env = match (self.env)(&input) {
            Ok(env) => env,
            Err(error) => return self.end(error).await,
        };
        let (input, env) = (Arc::new(input), Arc::new(env));
        let mut failed = 0;
        loop {
            // A thread that was left behind still has the files.
            self.latch.join().await;
            let ending = Attempt::new(self, &input, &env).run().await?;
            match ending {
                Ending::Retry { error, further } => {
                    failed = if further { 1 } else { failed + 1 };
                    if failed >= self.retry.attempts || error.gives_up() {
                        return self.give_up(error, failed).await;
                    }
                    if let Some(ending) = self.back_off(&error, failed).await? {
                        return Ok(ending);
                    }
                }
                Ending::Error(error) => return self.end(error).await,
                Ending::Paused(by) => {
                    return Ok(Ending::Stopped(Stopped::Paused {
                        id: self.id.to_string(),
                        by,
                    }));
                }
                Ending::Waits(error) => {
                    return Ok(Ending::Stopped(Stopped::NeedsUser {
                        id: self.id.to_string(),
                        error,
                    }));
                }
                Ending::Done(_) | Ending::Stopped(_) | Ending::Crashed => return Ok(ending),
            }
        }
    }

    /// Waits before the next try; gives an ending when a pause comes first.
    async fn back_off(
        &self,
        error: &StepError,
        failed: u32,
    ) -> Result<Option<Ending<M>>, StoreError> {
        let wait = self.retry.wait(failed).max(error.after());
        let at = now() + wait;
        mark(&self.db, &self.id, Mark::Retry(error.to_string(), at)).await?;
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.pause.raised() => return self.pause_here().await.map(Some),
        }
        mark(&self.db, &self.id, Mark::Goes).await?;
        Ok(None)
    }

    /// Puts the operation down where its last commit was.
    pub(crate) async fn pause_here(&self) -> Result<Ending<M>, StoreError> {
        let by = self
            .pause
            .raised_by()
            .map_or(PausedBy::Caller, |(by, _)| by);
        let joined = !self.latch.is_held();
        let paused = Mark::Paused {
            waiting_for: None,
            message: None,
            joined,
        };
        mark(&self.db, &self.id, paused).await?;
        if !joined {
            // Others may have it once its thread has ended. A process that
            // leaves before that is dead, which says the same.
            let (db, id, latch) = (self.db.clone(), Arc::clone(&self.id), self.latch.clone());
            tokio::spawn(async move {
                latch.join().await;
                mark(&db, &id, Mark::Released).await
            });
        }
        Ok(Ending::Stopped(Stopped::Paused {
            id: self.id.to_string(),
            by,
        }))
    }

    /// Ends with an error, as its class says.
    pub(crate) async fn end(&self, error: StepError) -> Result<Ending<M>, StoreError> {
        match error.class() {
            ErrorClass::NeedsUser => {
                let id = self.id.to_string();
                mark(&self.db, &self.id, waits_for_user(&error)).await?;
                Ok(Ending::Stopped(Stopped::NeedsUser { id, error }))
            }
            ErrorClass::Transient => self.give_up(error, 1).await,
            ErrorClass::Fatal => self.fail(error).await,
        }
    }

    async fn give_up(&self, error: StepError, attempts: u32) -> Result<Ending<M>, StoreError> {
        let paused = Mark::Paused {
            waiting_for: None,
            message: Some(error.to_string()),
            joined: true,
        };
        mark(&self.db, &self.id, paused).await?;
        Ok(Ending::Stopped(Stopped::TryLater {
            id: self.id.to_string(),
            attempts,
            error,
        }))
    }

    async fn fail(&self, error: StepError) -> Result<Ending<M>, StoreError> {
        mark(&self.db, &self.id, Mark::Failed(error.to_string())).await?;
        Ok(Ending::Stopped(Stopped::Failed {
            id: self.id.to_string(),
            error,
        }))
    }
}

/// The record of an operation that waits for the user because of `error`.
pub(crate) fn waits_for_user(error: &StepError) -> Mark {
    Mark::Paused {
        waiting_for: Some(user(error)),
        message: Some(error.to_string()),
        joined: true,
    }
}

/// What the user has to do about `error`.
pub(crate) fn user(error: &StepError) -> WaitingFor {
    WaitingFor::User(
        error
            .hint()
            .unwrap_or("see the error, then resume")
            .to_owned(),
    )
}
