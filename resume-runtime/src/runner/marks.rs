//! Writing into a record what happened to an operation outside its commits.

use chrono::{DateTime, Utc};

use crate::database::Database;
use crate::event::{self, Event, EventKind};
use crate::operation::{Operation, OperationStatus, WaitingFor, now};
use crate::records;
use crate::requests;
use crate::store::StoreError;

use super::commit::Written;

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    /// It is put down where its last commit was. `joined` says that no thread
    /// works for it any more; otherwise it stays this process's until that ends.
    Paused {
        waiting_for: Option<WaitingFor>,
        message: Option<String>,
        joined: bool,
    },
    /// The thread that was left behind when it was paused has ended.
    Released,
    /// It failed.
    Failed(String),
    /// It will be tried again then.
    Retry(String, DateTime<Utc>),
    /// It waits for its turn.
    Waits(WaitingFor),
    /// It waits no longer.
    Goes,
}

/// Writes `mark` into the record of `id`, if it is still this process's.
pub(crate) async fn mark(db: &Database, id: &str, mark: Mark) -> Result<Written, StoreError> {
    let me = db.instance().owner().clone();
    let id = id.to_owned();
    db.write(move |txn| {
        let Some(mut op) = records::get(txn.as_read(), &id)? else {
            return Ok(Written::Lost);
        };
        if op.owner.as_ref() != Some(&me) {
            return Ok(Written::Lost);
        }
        if matches!(mark, Mark::Released) && op.status == OperationStatus::Running {
            // It was taken up again meanwhile, by this process.
            return Ok(Written::Yes);
        }
        op.last_updated = now();
        let kind = apply(&mut op, &mark);
        records::put(txn, &op)?;
        if op.status != OperationStatus::Running {
            requests::clear(txn, &id)?;
        }
        if let Some(kind) = kind {
            event::append(txn, &id, &Event::of(kind, &op))?;
        }
        Ok(Written::Yes)
    })
    .await
}

fn apply(op: &mut Operation, mark: &Mark) -> Option<EventKind> {
    if !matches!(mark, Mark::Released) {
        op.waiting_for = None;
    }
    match mark {
        Mark::Released => {
            op.owner = None;
            None
        }
        Mark::Paused {
            waiting_for,
            message,
            joined,
        } => {
            op.status = OperationStatus::Paused;
            op.waiting_for.clone_from(waiting_for);
            op.state.error_message.clone_from(message);
            if *joined {
                op.owner = None;
            }
            Some(EventKind::Paused)
        }
        Mark::Failed(message) => {
            op.status = OperationStatus::Failed;
            op.state.error_message = Some(message.clone());
            op.owner = None;
            Some(EventKind::Failed)
        }
        Mark::Retry(message, at) => {
            op.waiting_for = Some(WaitingFor::Until(*at));
            op.state.error_message = Some(message.clone());
            Some(EventKind::Retry)
        }
        Mark::Waits(what) => {
            op.waiting_for = Some(what.clone());
            None
        }
        Mark::Goes => {
            op.state.error_message = None;
            None
        }
    }
}
