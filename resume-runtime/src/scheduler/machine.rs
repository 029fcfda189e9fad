//! Machines of every type behind one trait.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::error::StepError;
use crate::operation::Operation;
use crate::resumable::Resumable;
use crate::runner::{Ending, EnvFactory, Runner};
use crate::stopped::Stopped;
use crate::store::StoreError;

use super::task::Seat;

/// A kind of machine that the scheduler can drive.
#[async_trait]
pub(crate) trait Machine: Send + Sync {
    fn steps(&self) -> usize;

    /// Drives a claimed operation to its end, and gives its output as JSON.
    async fn drive(&self, seat: &Seat, op: Operation)
    -> Result<Result<Value, Stopped>, StoreError>;
}

pub(crate) struct Registered<M: Resumable> {
    pub(crate) env: EnvFactory<M>,
}

#[async_trait]
impl<M: Resumable> Machine for Registered<M> {
    fn steps(&self) -> usize {
        M::STEPS.len()
    }

    async fn drive(
        &self,
        seat: &Seat,
        op: Operation,
    ) -> Result<Result<Value, Stopped>, StoreError> {
        let runner: Runner<M> = seat.runner(Arc::clone(&self.env));
        Ok(match runner.drive(op).await? {
            Ending::Done(output) => serde_json::to_value(output).map_err(|e| Stopped::Failed {
                id: seat.id().to_owned(),
                error: StepError::fatal(format!("its output cannot be written as JSON: {e}")),
            }),
            Ending::Stopped(stopped) => Err(stopped),
            // The runner hands these out to nobody else.
            Ending::Paused(_)
            | Ending::Retry { .. }
            | Ending::Error(_)
            | Ending::Waits(_)
            | Ending::Crashed => Err(Stopped::Lost {
                id: seat.id().to_owned(),
            }),
        })
    }
}
