//! The journal: what happened to an operation, with time and progress.
//!
//! An event is written in the transaction that it reports. The newest thousand
//! of an operation are kept, and its first.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::operation::{Operation, OperationProgress};
use crate::records;
use crate::store::{Direction, ReadTxn, Space, StoreError, WriteTxn};

/// How many of the newest events are kept.
const KEPT: u64 = 1_000;

/// Something that happened to an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// When.
    pub time: DateTime<Utc>,
    /// What.
    pub kind: EventKind,
    /// The step it happened in, or the step entered.
    pub step: String,
    /// The operation's commits by then.
    pub commit: u64,
    /// The error, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How far the operation was.
    pub progress: OperationProgress,
}

/// What can happen to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EventKind {
    /// Its record was made.
    Created,
    /// It was driven for the first time.
    Started,
    /// It entered a step.
    Step,
    /// A commit was made.
    Commit,
    /// An error that may pass; it will be tried again.
    Retry,
    /// It was paused.
    Paused,
    /// It was taken up again.
    Resumed,
    /// It failed.
    Failed,
    /// It is done.
    Completed,
    /// A remark of the operation's own.
    Note,
}

impl EventKind {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Started => "started",
            Self::Step => "step",
            Self::Commit => "commit",
            Self::Retry => "retry",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Failed => "failed",
            Self::Completed => "completed",
            Self::Note => "note",
        }
    }
}

impl Event {
    /// An event of `op` as it stands now.
    pub(crate) fn of(kind: EventKind, op: &Operation) -> Self {
        Self {
            time: op.last_updated,
            kind,
            step: op.state.current_step.clone(),
            commit: op.commits,
            message: op.state.error_message.clone(),
            progress: op.progress.clone(),
        }
    }

    /// `op` entered `step`.
    pub(crate) fn step(step: &str, op: &Operation) -> Self {
        Self {
            step: step.to_owned(),
            ..Self::of(EventKind::Step, op)
        }
    }

    /// A remark of the operation's own.
    pub(crate) fn note(message: &str, op: &Operation) -> Self {
        Self {
            message: Some(message.to_owned()),
            ..Self::of(EventKind::Note, op)
        }
    }
}

/// Adds an event to the journal of `id`.
pub(crate) fn append(txn: &mut dyn WriteTxn, id: &str, event: &Event) -> Result<(), StoreError> {
    let number = last(txn.as_read(), id)?.map_or(0, |last| last + 1);
    let value = serde_json::to_vec(event).map_err(|e| StoreError::Record {
        id: id.to_owned(),
        reason: e.to_string(),
    })?;
    txn.put(Space::Events, &key(id, number), &value)?;
    // The first is the creation, and stays.
    match number.checked_sub(KEPT) {
        Some(old) if old > 0 => txn.delete(Space::Events, &key(id, old)),
        _ => Ok(()),
    }
}

/// The journal of `id`, the oldest event first.
pub(crate) fn list(txn: &dyn ReadTxn, id: &str) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    records::scan(
        txn,
        Space::Events,
        id,
        Direction::Forward,
        &mut |_, value| {
            // One that a newer build wrote in another form is passed over.
            events.extend(serde_json::from_slice::<Event>(value));
            ControlFlow::Continue(())
        },
    )?;
    Ok(events)
}

fn last(txn: &dyn ReadTxn, id: &str) -> Result<Option<u64>, StoreError> {
    let mut number = None;
    records::scan(
        txn,
        Space::Events,
        id,
        Direction::Backward,
        &mut |key, _| {
            number = key.last_chunk::<8>().copied().map(u64::from_be_bytes);
            ControlFlow::Break(())
        },
    )?;
    Ok(number)
}

fn key(id: &str, number: u64) -> Vec<u8> {
    [&records::prefix(id)[..], &number.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::database::Database;
    use crate::operation::OperationType;

    #[test]
    fn the_journal_keeps_the_first_and_the_newest() {
        let db = Database::in_memory().unwrap();
        let mut op = Operation::new(OperationType::Pack, String::new(), HashMap::new());
        let other = Event::of(EventKind::Created, &op);
        let neighbour = format!("{}0", op.id);
        let id = op.id.clone();
        db.write_blocking(move |txn| {
            append(txn, &neighbour, &other)?;
            op.commits = 0;
            append(txn, &op.id, &Event::of(EventKind::Created, &op))?;
            for number in 1..=2500 {
                op.commits = number;
                append(txn, &op.id, &Event::of(EventKind::Commit, &op))?;
            }
            Ok(())
        })
        .unwrap();
        let events = db.read(|txn| list(txn, &id)).unwrap();
        assert_eq!(events.len(), 1001);
        assert_eq!(events[0].kind, EventKind::Created);
        let numbers: Vec<u64> = events[1..].iter().map(|e| e.commit).collect();
        assert_eq!(numbers, (1501..=2500).collect::<Vec<_>>());
    }
}
