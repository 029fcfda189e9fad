//! One commit: everything the state points to goes to disk, then one
//! transaction makes it count.

use std::sync::Arc;

use serde_json::Value;

use crate::error::StepError;
use crate::event::{self, Event, EventKind};
use crate::files::{self, FileRecord};
use crate::operation::{Operation, OperationProgress, OperationStatus, Owner, WaitingFor, now};
use crate::records;
use crate::requests;
use crate::resumable::Checkpoint;
use crate::rows::{self, Writes};
use crate::store::{StoreError, WriteTxn};

/// A machine's state, as JSON. More than this belongs into a table or a file.
pub(crate) const CHECKPOINT_LIMIT: usize = 16 << 10;

/// What the record says after the commit.
#[derive(Clone)]
pub(crate) enum Standing {
    /// Driven on.
    Running,
    /// Put down, for this reason; the text goes into the record.
    Paused {
        waiting_for: Option<WaitingFor>,
        message: Option<String>,
    },
    /// Done, with this output.
    Completed(Value),
}

/// Everything that one transaction writes.
pub(crate) struct Commit {
    pub(crate) id: Arc<str>,
    pub(crate) owner: Owner,
    /// Commits so far; the record must agree.
    pub(crate) after: u64,
    pub(crate) kind: &'static str,
    pub(crate) checkpoint: String,
    pub(crate) step: &'static str,
    pub(crate) total_steps: usize,
    pub(crate) progress: OperationProgress,
    pub(crate) rows: Writes,
    pub(crate) files: Vec<(String, FileRecord)>,
    pub(crate) steps: Vec<&'static str>,
    pub(crate) notes: Vec<String>,
    pub(crate) standing: Standing,
    /// Milliseconds driven and waited since the last commit.
    pub(crate) timing: (u64, u64),
}

/// Whether the operation was still this process's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Yes,
    Lost,
}

impl Commit {
    /// Writes it, unless the operation is gone or another's.
    pub(crate) fn write(&self, txn: &mut dyn WriteTxn) -> Result<Written, StoreError> {
        let Some(mut op) = records::get(txn.as_read(), &self.id)? else {
            return Ok(Written::Lost);
        };
        if op.owner.as_ref() != Some(&self.owner) || op.commits != self.after {
            return Ok(Written::Lost);
        }
        let was = op.status;
        op.commits += 1;
        op.kind.get_or_insert_with(|| self.kind.to_owned());
        op.state.checkpoint.clone_from(&self.checkpoint);
        self.step.clone_into(&mut op.state.current_step);
        op.state.total_steps = Some(self.total_steps);
        op.progress = OperationProgress {
            extra: std::mem::take(&mut op.progress.extra),
            ..self.progress.clone()
        };
        op.timing.driven_ms += self.timing.0;
        op.timing.waited_ms += self.timing.1;
        self.stand(&mut op);
        op.last_updated = now();
        rows::apply(txn, &self.rows)?;
        files::store(txn, &self.id, &self.files)?;
        for step in &self.steps {
            event::append(txn, &self.id, &Event::step(step, &op))?;
        }
        for note in &self.notes {
            event::append(txn, &self.id, &Event::note(note, &op))?;
        }
        event::append(txn, &self.id, &Event::of(EventKind::Commit, &op))?;
        match self.standing {
            Standing::Running => {}
            Standing::Paused { .. } => {
                requests::clear(txn, &self.id)?;
                event::append(txn, &self.id, &Event::of(EventKind::Paused, &op))?;
            }
            Standing::Completed(_) => {
                requests::clear(txn, &self.id)?;
                event::append(txn, &self.id, &Event::of(EventKind::Completed, &op))?;
            }
        }
        records::put_over(txn, &op, Some(was))?;
        Ok(Written::Yes)
    }

    fn stand(&self, op: &mut Operation) {
        op.waiting_for = None;
        op.state.error_message = None;
        match &self.standing {
            Standing::Running => op.status = OperationStatus::Running,
            Standing::Paused {
                waiting_for,
                message,
            } => {
                op.status = OperationStatus::Paused;
                op.owner = None;
                op.waiting_for.clone_from(waiting_for);
                op.state.error_message.clone_from(message);
            }
            Standing::Completed(output) => {
                op.status = OperationStatus::Completed;
                op.owner = None;
                op.output = Some(output.clone());
            }
        }
    }
}

/// A checkpoint as the record holds it, within its limit.
pub(crate) fn to_json(checkpoint: &Checkpoint) -> Result<String, StepError> {
    let json = serde_json::to_string(checkpoint)
        .map_err(|e| StepError::fatal(format!("the state cannot be stored: {e}")))?;
    if json.len() > CHECKPOINT_LIMIT {
        return Err(StepError::fatal(format!(
            "the state of step `{}` takes {} bytes, the limit is {CHECKPOINT_LIMIT}: \
             keep bulk data in a table or a file",
            checkpoint.step,
            json.len()
        )));
    }
    Ok(json)
}
