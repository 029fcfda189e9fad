//! The records of operations: made, looked up, changed and removed.
//!
//! - here: creating and looking up, with the status as the user is shown it;
//! - `change`: updates, each by the process that an operation belongs to;
//! - `remove`: deleting and cleaning up.

mod change;
mod error;
mod find;
mod remove;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::ControlFlow;

pub use error::ManagerError;

use crate::database::Database;
use crate::event::{self, Event, EventKind};
use crate::operation::{Operation, OperationStatus, OperationType, Owner, WaitingFor};
use crate::records;
use crate::store::Space;

type Result<T, E = ManagerError> = std::result::Result<T, E>;

/// The longest checkpoint of an operation that no machine drives, in bytes.
const CHECKPOINT_LIMIT: usize = 1 << 20;

/// Keeps the records of operations in a store.
///
/// A command that drives itself uses it directly: it creates an operation,
/// updates it as it goes, looks at [`Self::pause_requested`] now and then, and
/// completes or fails it. Such an operation belongs to the process that created
/// it, or that first updated it after that one's death; a live process's
/// operation is not changed from another one.
///
/// Look-ups give the status as the user is shown it: an operation that is stored
/// as running, but whose process died or which waits for something, is paused.
///
/// The methods block until what they write is durable, a few milliseconds.
#[derive(Clone, Debug)]
pub struct OperationManager {
    db: Database,
}

impl OperationManager {
    /// The records of this store.
    pub fn new(db: impl Into<Database>) -> Self {
        Self { db: db.into() }
    }

    /// The store that the records are in.
    pub const fn database(&self) -> &Database {
        &self.db
    }

    /// Makes a record with the status `running`, which belongs to this process.
    /// The checkpoint is any JSON of the caller's, of at most 1 MiB.
    pub fn create(
        &self,
        op_type: OperationType,
        checkpoint: String,
        metadata: HashMap<String, String>,
    ) -> Result<Operation> {
        check_size(&checkpoint)?;
        let mut op = Operation::new(op_type, checkpoint, metadata);
        op.owner = Some(self.db.instance().owner().clone());
        let event = Event::of(EventKind::Created, &op);
        let stored = op.clone();
        self.db.write_blocking(move |txn| {
            records::put(txn, &stored)?;
            event::append(txn, &stored.id, &event)
        })?;
        Ok(op)
    }

    /// The operation with this id.
    pub fn get(&self, op_id: &str) -> Result<Option<Operation>> {
        let mut living = Living::new(&self.db);
        let op = self.stored(op_id)?;
        op.map(|op| living.show(op)).transpose()
    }

    /// Operations, the newest first: all, or those that are shown with a status.
    /// Records that cannot be read are left out; see [`Self::unreadable`].
    pub fn list(&self, status_filter: Option<OperationStatus>) -> Result<Vec<Operation>> {
        use OperationStatus::{Paused, Running};
        let stored: &[OperationStatus] = match status_filter {
            None => &OperationStatus::ALL,
            // Some that are stored as running are shown as paused.
            Some(Paused) => &[Paused, Running],
            Some(Running) => &[Running],
            Some(OperationStatus::Completed) => &[OperationStatus::Completed],
            Some(OperationStatus::Failed) => &[OperationStatus::Failed],
        };
        let mut ops = self.db.read(|txn| {
            let mut ops = Vec::new();
            for status in stored {
                records::by_status(txn, *status, &mut |op| {
                    ops.push(op);
                    ControlFlow::Continue(())
                })?;
            }
            Ok(ops)
        })?;
        let mut living = Living::new(&self.db);
        for op in &mut ops {
            op.status = living.status(op)?;
        }
        ops.retain(|op| status_filter.is_none_or(|status| op.status == status));
        ops.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        Ok(ops)
    }

    /// The paused operation of a type (or machine's name) that was last worked
    /// on: the one that is meant when no id is given to continue.
    pub fn get_latest_pausable(&self, op_type: &str) -> Result<Option<Operation>> {
        self.latest(op_type, OperationStatus::Paused)
    }

    /// The running operation of a type (or machine's name) that was last updated.
    pub fn get_running(&self, op_type: &str) -> Result<Option<Operation>> {
        self.latest(op_type, OperationStatus::Running)
    }

    fn latest(&self, op_type: &str, status: OperationStatus) -> Result<Option<Operation>> {
        let mut ops = self.list(Some(status))?;
        ops.retain(|op| op.is_of(op_type));
        Ok(ops.into_iter().max_by_key(|op| op.last_updated))
    }

    /// Whether the operation is stored as running although its process died.
    pub fn is_interrupted(&self, op_id: &str) -> Result<bool> {
        match self.stored(op_id)? {
            Some(op) => {
                Ok(op.status == OperationStatus::Running && !Living::new(&self.db).of(&op)?)
            }
            None => Err(ManagerError::unknown(op_id)),
        }
    }

    /// Whether somebody asked this operation to pause. A command that drives
    /// itself then stores its last checkpoint and sets the status to paused.
    pub fn pause_requested(&self, op_id: &str) -> Result<bool> {
        Ok(self.db.requested(op_id)?)
    }

    /// Asks the process that drives an operation to pause it. It is up to that
    /// process when to follow.
    pub fn request_pause(&self, op_id: &str) -> Result<()> {
        let op = self.stored(op_id)?;
        let op = op.ok_or_else(|| ManagerError::unknown(op_id))?;
        if Living::new(&self.db).holder(&op)?.is_none() {
            return Err(ManagerError::NotRunning {
                id: op_id.to_owned(),
                status: Living::new(&self.db).status(&op)?,
            });
        }
        Ok(self.db.request_pause(op_id)?)
    }

    /// What happened to an operation, the oldest event first: its first event
    /// and at least its newest 1,000.
    pub fn journal(&self, op_id: &str) -> Result<Vec<Event>> {
        Ok(self.db.read(|txn| event::list(txn, op_id))?)
    }

    /// The ids of records that cannot be read: damaged, or of a newer build.
    pub fn unreadable(&self) -> Result<Vec<String>> {
        Ok(self.db.read(|txn| {
            let keys = records::keys(txn, Space::Operations, &[])?;
            let ids = keys.iter().map(|key| String::from_utf8_lossy(key));
            Ok(ids
                .filter(|id| records::get(txn, id).is_err())
                .map(std::borrow::Cow::into_owned)
                .collect())
        })?)
    }

    /// The record as it is stored.
    fn stored(&self, op_id: &str) -> Result<Option<Operation>> {
        Ok(self.db.read(|txn| records::get(txn, op_id))?)
    }
}

fn check_size(checkpoint: &str) -> Result<()> {
    match checkpoint.len() {
        0..=CHECKPOINT_LIMIT => Ok(()),
        size => Err(ManagerError::CheckpointSize {
            size,
            limit: CHECKPOINT_LIMIT,
        }),
    }
}

/// Which owners live, each looked at once.
struct Living<'a> {
    db: &'a Database,
    known: HashMap<String, bool>,
}

impl<'a> Living<'a> {
    fn new(db: &'a Database) -> Self {
        Self {
            db,
            known: HashMap::new(),
        }
    }

    /// Whether the operation's owner lives.
    fn of(&mut self, op: &Operation) -> Result<bool> {
        let Some(owner) = &op.owner else {
            return Ok(false);
        };
        if let Some(alive) = self.known.get(&owner.instance) {
            return Ok(*alive);
        }
        let alive = self.db.is_alive(owner)?;
        self.known.insert(owner.instance.clone(), alive);
        Ok(alive)
    }

    /// The live process that drives the operation or is about to.
    fn holder<'o>(&mut self, op: &'o Operation) -> Result<Option<&'o Owner>> {
        let held = match (op.status, &op.waiting_for) {
            (OperationStatus::Running, _) => true,
            (OperationStatus::Paused, Some(waiting)) => !matches!(waiting, WaitingFor::User(_)),
            _ => false,
        };
        Ok(if held && self.of(op)? {
            op.owner.as_ref()
        } else {
            None
        })
    }

    /// The status that the user is shown.
    fn status(&mut self, op: &Operation) -> Result<OperationStatus> {
        Ok(match op.status {
            OperationStatus::Running if op.waiting_for.is_some() || !self.of(op)? => {
                OperationStatus::Paused
            }
            status => status,
        })
    }

    fn show(&mut self, mut op: Operation) -> Result<Operation> {
        op.status = self.status(&op)?;
        Ok(op)
    }
}
