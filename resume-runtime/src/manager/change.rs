//! Updates of a record, by the process that it belongs to.

use super::{Living, ManagerError, OperationManager, Result, check_size};
use crate::event::{self, Event, EventKind};
use crate::operation::{Operation, OperationStatus, now};
use crate::{records, requests};

/// How a change went that ran in a transaction.
enum Changed {
    Done,
    Unknown,
    /// Another process took the operation over since it was looked at.
    Moved,
}

impl OperationManager {
    /// Sets the status. To set it to running is to take the operation over.
    pub fn update_status(&self, op_id: &str, status: OperationStatus) -> Result<()> {
        self.change(op_id, move |op| {
            let was = std::mem::replace(&mut op.status, status);
            op.waiting_for = None;
            let kind = match status {
                _ if was == status => return None,
                OperationStatus::Running => {
                    op.state.error_message = None;
                    EventKind::Resumed
                }
                OperationStatus::Paused => EventKind::Paused,
                OperationStatus::Completed => EventKind::Completed,
                OperationStatus::Failed => EventKind::Failed,
            };
            Some(Event::of(kind, op))
        })
    }

    /// Sets how far it is; `None` where a total is not known.
    pub fn update_progress(
        &self,
        op_id: &str,
        processed: u64,
        total: Option<u64>,
        bytes_processed: u64,
        total_bytes: Option<u64>,
    ) -> Result<()> {
        self.change(op_id, move |op| {
            op.progress.processed = processed;
            op.progress.total = total;
            op.progress.bytes_processed = bytes_processed;
            op.progress.total_bytes = total_bytes;
            None
        })
    }

    /// Stores where it stands: any JSON of at most 1 MiB, the step's name, and
    /// how many steps there are, `None` to leave that as it is.
    pub fn update_checkpoint(
        &self,
        op_id: &str,
        checkpoint: String,
        current_step: String,
        total_steps: Option<usize>,
    ) -> Result<()> {
        check_size(&checkpoint)?;
        self.change(op_id, move |op| {
            let step = op.state.current_step != current_step;
            op.state.checkpoint.clone_from(&checkpoint);
            op.state.current_step.clone_from(&current_step);
            op.state.total_steps = total_steps.or(op.state.total_steps);
            op.commits += 1;
            let kind = if step {
                EventKind::Step
            } else {
                EventKind::Commit
            };
            Some(Event::of(kind, op))
        })
    }

    /// Marks it as done.
    pub fn complete(&self, op_id: &str) -> Result<()> {
        self.change(op_id, |op| {
            op.status = OperationStatus::Completed;
            op.waiting_for = None;
            op.state.error_message = None;
            Some(Event::of(EventKind::Completed, op))
        })
    }

    /// Marks it as failed, and says why.
    pub fn fail(&self, op_id: &str, error: &str) -> Result<()> {
        let error = error.to_owned();
        self.change(op_id, move |op| {
            op.status = OperationStatus::Failed;
            op.waiting_for = None;
            op.state.error_message = Some(error.clone());
            Some(Event::of(EventKind::Failed, op))
        })
    }

    /// Applies `change` to the record as it is stored, and journals what it
    /// returns. Refused while another live process drives the operation.
    fn change(
        &self,
        op_id: &str,
        change: impl FnMut(&mut Operation) -> Option<Event> + Clone + Send + 'static,
    ) -> Result<()> {
        let own = self.db.instance().owner();
        loop {
            let seen = self.stored(op_id)?;
            let seen = seen.ok_or_else(|| ManagerError::unknown(op_id))?;
            if let Some(holder) = Living::new(&self.db).holder(&seen)?
                && holder != own
            {
                return Err(ManagerError::Running {
                    id: op_id.to_owned(),
                    pid: holder.pid,
                });
            }
            let (id, own, owner) = (op_id.to_owned(), own.clone(), seen.owner);
            let mut change = change.clone();
            let changed = self.db.write_blocking(move |txn| {
                let Some(mut op) = records::get(txn.as_read(), &id)? else {
                    return Ok(Changed::Unknown);
                };
                if op.owner != owner {
                    return Ok(Changed::Moved);
                }
                let was = op.status;
                let event = change(&mut op);
                let running = op.status == OperationStatus::Running;
                // Asked for in an earlier run, or followed: it is settled.
                if !running || was != op.status || op.owner.as_ref() != Some(&own) {
                    requests::clear(txn, &id)?;
                }
                op.owner = running.then(|| own.clone());
                op.last_updated = now();
                records::put_over(txn, &op, Some(was))?;
                if let Some(event) = event {
                    event::append(txn, &id, &event)?;
                }
                Ok(Changed::Done)
            })?;
            match changed {
                Changed::Done => return Ok(()),
                Changed::Unknown => return Err(ManagerError::unknown(op_id)),
                Changed::Moved => {}
            }
        }
    }
}
