//! One operation in hand, from waiting for its turn to its end.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::active::Active;
use super::machine::Machine;
use super::service::Watcher;
use crate::context::panicked;
use crate::database::Database;
use crate::error::StepError;
use crate::faults::NoFaults;
use crate::hands::Hand;
use crate::operation::{Operation, OperationStatus, WaitingFor};
use crate::pace::Pace;
use crate::pause::{PauseFlag, PausedBy};
use crate::progress::Progress;
use crate::resumable::Resumable;
use crate::retry::RetryPolicy;
use crate::runner::{Claim, EnvFactory, Mark, Runner, claim, mark};
use crate::stopped::Stopped;

/// A step that goes on for longer after a pause was asked for is left behind.
const GRACE: Duration = Duration::from_millis(150);
/// How often to look whether an operation of another process has ended.
const LOOK: Duration = Duration::from_millis(250);

/// All that one operation in hand needs.
pub(crate) struct Seat {
    pub(crate) id: Arc<str>,
    pub(crate) db: Database,
    pub(crate) active: Arc<Active>,
    pub(crate) pause: Arc<PauseFlag>,
    pub(crate) hand: Hand,
    pub(super) _watcher: Arc<Watcher>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) retry: RetryPolicy,
    pub(crate) private: Option<PathBuf>,
    /// The limits that it counts for: in all, and of its kind.
    pub(crate) limits: Vec<Arc<Semaphore>>,
}

impl Seat {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn runner<M: Resumable>(&self, env: EnvFactory<M>) -> Runner<M> {
        Runner {
            db: self.db.clone(),
            id: Arc::clone(&self.id),
            env,
            pause: Arc::clone(&self.pause),
            progress: Arc::clone(&self.progress),
            latch: self.hand.latch().clone(),
            faults: Arc::new(NoFaults),
            pace: Pace::Measured,
            retry: self.retry.clone(),
            private: self.private.clone(),
            grace: GRACE,
        }
    }

    /// Waits for its turn, then drives it.
    pub(crate) async fn run(mut self, machine: Arc<dyn Machine>) -> Result<Value, Stopped> {
        // Steps' panics are caught closer by; this is for an author's env, states
        // and outputs.
        let turn = AssertUnwindSafe(self.turn(&*machine)).catch_unwind().await;
        let result = match turn {
            Ok(result) => result,
            Err(panic) => self.failed(panicked(&*panic)).await,
        };
        self.hand.release();
        self.active.leave(&self.id);
        result
    }

    async fn turn(&self, machine: &dyn Machine) -> Result<Value, Stopped> {
        let Some(_permits) = self.slots().await? else {
            return self.paused().await;
        };
        match self.claim().await? {
            Some(op) => machine.drive(self, op).await?,
            None => self.paused().await,
        }
    }

    /// Waits until few enough others run; `None` when a pause comes first.
    async fn slots(&self) -> Result<Option<Vec<OwnedSemaphorePermit>>, Stopped> {
        let mut permits = Vec::new();
        for limit in &self.limits {
            let permit = if let Ok(permit) = Arc::clone(limit).try_acquire_owned() {
                permit
            } else {
                mark(&self.db, &self.id, Mark::Waits(WaitingFor::Slot)).await?;
                let permit = tokio::select! {
                    permit = Arc::clone(limit).acquire_owned() => permit,
                    () = self.pause.raised() => return Ok(None),
                };
                permit.map_err(|_| Stopped::Shutdown {
                    id: self.id.to_string(),
                })?
            };
            permits.push(permit);
        }
        Ok(Some(permits))
    }

    /// Waits until nothing stands in its way; `None` when a pause comes first.
    async fn claim(&self) -> Result<Option<Operation>, Stopped> {
        let id = || self.id.to_string();
        let mut noted = None;
        let mut ended = self.active.ended();
        loop {
            match claim(&self.db, &self.id).await? {
                Claim::Taken(op) => return Ok(Some(*op)),
                Claim::Busy(owner) => {
                    return Err(Stopped::Busy { id: id(), owner });
                }
                Claim::Unknown => return Err(Stopped::Unknown { id: id() }),
                Claim::Completed => {
                    let (db, op, private) =
                        (self.db.clone(), Arc::clone(&self.id), self.private.clone());
                    // Its process may have died before it could.
                    let _ = tokio::task::spawn_blocking(move || {
                        crate::files::discard(&db, &op, private, Arc::new(NoFaults))
                    })
                    .await;
                    return Err(Stopped::Finished {
                        id: id(),
                        status: OperationStatus::Completed,
                    });
                }
                Claim::Blocked(why) => {
                    return Err(Stopped::NeedsUser {
                        id: id(),
                        error: StepError::needs_user(why, "see `after` in the record"),
                    });
                }
                Claim::Waits(what) => {
                    if noted.as_ref() != Some(&what) {
                        mark(&self.db, &self.id, Mark::Waits(what.clone())).await?;
                        noted = Some(what);
                    }
                }
            }
            tokio::select! {
                _ = ended.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = self.pause.raised() => return Ok(None),
            }
        }
    }

    async fn failed(&self, error: StepError) -> Result<Value, Stopped> {
        let failed = Mark::Failed(error.to_string());
        mark(&self.db, &self.id, failed).await?;
        Err(Stopped::Failed {
            id: self.id.to_string(),
            error,
        })
    }

    /// Paused before its turn came.
    async fn paused(&self) -> Result<Value, Stopped> {
        let paused = Mark::Paused {
            waiting_for: None,
            message: None,
            joined: true,
        };
        mark(&self.db, &self.id, paused).await?;
        Err(Stopped::Paused {
            id: self.id.to_string(),
            by: self
                .pause
                .raised_by()
                .map_or(PausedBy::Caller, |(by, _)| by),
        })
    }
}
