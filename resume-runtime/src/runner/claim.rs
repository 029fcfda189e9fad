//! Taking an operation for this process.
//!
//! Who lives is asked of the kernel before the transaction; the transaction then
//! only compares: if the owner it finds is none of those that were dead, it has
//! been beaten to it.

use std::ops::ControlFlow;

use crate::database::Database;
use crate::event::{self, Event, EventKind};
use crate::operation::{Operation, OperationStatus, Owner, WaitingFor, now};
use crate::records;
use crate::requests;
use crate::store::{ReadTxn, StoreError, WriteTxn};

/// What came of it.
pub(crate) enum Claim {
    /// It is this process's now; the record as it stands.
    Taken(Box<Operation>),
    /// Somebody else has it.
    Busy(Owner),
    /// Its turn has not come.
    Waits(WaitingFor),
    /// An operation that it comes after will not complete by itself.
    Blocked(String),
    /// It is completed.
    Completed,
    /// There is none.
    Unknown,
}

/// Takes `id`, if nobody who lives has it or anything that it excludes.
pub(crate) async fn claim(db: &Database, id: &str) -> Result<Claim, StoreError> {
    let me = db.instance().owner().clone();
    let mut dead = Vec::new();
    loop {
        let (id, me, known_dead) = (id.to_owned(), me.clone(), dead.clone());
        let look = db
            .write(move |txn| look(txn, &id, &me, &known_dead))
            .await?;
        match look {
            Look::Claim(claim) => return Ok(claim),
            Look::Ask(owner, claim) if db.is_alive(&owner)? => {
                let _ = owner;
                return Ok(claim);
            }
            Look::Ask(owner, _) => dead.push(owner),
        }
    }
}

enum Look {
    Claim(Claim),
    /// The answer, if this owner lives.
    Ask(Owner, Claim),
}

fn look(txn: &mut dyn WriteTxn, id: &str, me: &Owner, dead: &[Owner]) -> Result<Look, StoreError> {
    let Some(mut op) = records::get(txn.as_read(), id)? else {
        return Ok(Look::Claim(Claim::Unknown));
    };
    if op.status == OperationStatus::Completed {
        return Ok(Look::Claim(Claim::Completed));
    }
    if let Some(owner) = &op.owner
        && owner != me
        && !dead.contains(owner)
    {
        return Ok(Look::Ask(owner.clone(), Claim::Busy(owner.clone())));
    }
    if let Some(claim) = dependencies(txn.as_read(), &op)? {
        return Ok(Look::Claim(claim));
    }
    if let Some(other) = excluded_by(txn.as_read(), &op, dead)? {
        let claim = Claim::Waits(WaitingFor::Operation(other.id));
        return Ok(match other.owner {
            Some(owner) if owner != *me => Look::Ask(owner, claim),
            _ => Look::Claim(claim),
        });
    }
    let kind = if op.commits == 0 {
        op.started_at = now();
        EventKind::Started
    } else {
        EventKind::Resumed
    };
    op.status = OperationStatus::Running;
    op.owner = Some(me.clone());
    op.waiting_for = None;
    op.state.error_message = None;
    op.last_updated = now();
    records::put(txn, &op)?;
    requests::clear(txn, id)?;
    event::append(txn, id, &Event::of(kind, &op))?;
    Ok(Look::Claim(Claim::Taken(Box::new(op))))
}

fn dependencies(txn: &dyn ReadTxn, op: &Operation) -> Result<Option<Claim>, StoreError> {
    for id in &op.after {
        match records::get(txn, id)?.map(|other| other.status) {
            Some(OperationStatus::Completed) => {}
            Some(OperationStatus::Failed) => {
                return Ok(Some(Claim::Blocked(format!(
                    "it comes after {id}, which failed: resume that one first"
                ))));
            }
            Some(_) => return Ok(Some(Claim::Waits(WaitingFor::Operation(id.clone())))),
            None => {
                return Ok(Some(Claim::Blocked(format!(
                    "it comes after {id}, which is gone"
                ))));
            }
        }
    }
    Ok(None)
}

/// A running operation that shares one of `op`'s exclusive names and holds it.
fn excluded_by(
    txn: &dyn ReadTxn,
    op: &Operation,
    dead: &[Owner],
) -> Result<Option<Operation>, StoreError> {
    let mut found = None;
    if op.exclusive.is_empty() {
        return Ok(found);
    }
    records::by_status(txn, OperationStatus::Running, &mut |other| {
        let shares = other.id != op.id && other.exclusive.iter().any(|n| op.exclusive.contains(n));
        // One that waits for its own turn holds nothing yet.
        let holds = !matches!(
            other.waiting_for,
            Some(WaitingFor::Operation(_) | WaitingFor::Slot)
        ) && other.owner.as_ref().is_some_and(|o| !dead.contains(o));
        if shares && holds {
            found = Some(other);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}
