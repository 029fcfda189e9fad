//! Waiting for an operation, watching it, pausing it.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::error::StepError;
use crate::pause::{PauseFlag, PausedBy};
use crate::progress::{Progress, ProgressSnapshot};
use crate::stopped::Stopped;

/// An operation that this process drives. Await it for its output; dropping it
/// changes nothing for the operation.
#[derive(Debug)]
pub struct Handle<T> {
    pub(super) id: Arc<str>,
    pub(super) pause: Arc<PauseFlag>,
    pub(super) progress: Arc<Progress>,
    pub(super) task: JoinHandle<Result<Value, Stopped>>,
    pub(super) output: PhantomData<fn() -> T>,
}

impl<T> Handle<T> {
    /// The operation's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How far it is, and how fast.
    pub fn progress(&self) -> ProgressSnapshot {
        self.progress.snapshot()
    }

    /// The counters themselves, to watch while the handle is awaited elsewhere.
    pub fn watch(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Asks it to pause, as [`Scheduler::pause`](crate::Scheduler::pause) does.
    pub fn pause(&self) {
        self.pause.raise(PausedBy::Caller);
    }
}

impl<T: DeserializeOwned> Future for Handle<T> {
    type Output = Result<T, Stopped>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let joined = std::task::ready!(Pin::new(&mut self.task).poll(cx));
        let id = || self.id.to_string();
        Poll::Ready(match joined {
            Ok(Ok(value)) => serde_json::from_value(value).map_err(|e| Stopped::Failed {
                id: id(),
                error: StepError::fatal(format!("its output cannot be read: {e}")),
            }),
            Ok(Err(stopped)) => Err(stopped),
            // Steps' panics are caught; the runtime is going down.
            Err(_) => Err(Stopped::Shutdown { id: id() }),
        })
    }
}
