//! Reading and writing records, and the index by status that goes with them.

use std::ops::{Bound, ControlFlow};

use crate::journal;
use crate::operation::{Operation, OperationStatus};
use crate::store::{Direction, ReadTxn, Space, StoreError, Visit, WriteTxn};

/// The record of `id`.
pub(crate) fn get(txn: &dyn ReadTxn, id: &str) -> Result<Option<Operation>, StoreError> {
    txn.get(Space::Operations, id.as_bytes())?
        .map(|bytes| parse(id, &bytes))
        .transpose()
}

/// Writes `op` and keeps the index by status in step with it.
pub(crate) fn put(txn: &mut dyn WriteTxn, op: &Operation) -> Result<(), StoreError> {
    let stored = txn.get(Space::Operations, op.id.as_bytes())?;
    match stored.map(|bytes| parse(&op.id, &bytes)) {
        Some(Ok(old)) if old.created_at == op.created_at => put_over(txn, op, Some(old.status)),
        Some(Ok(old)) => {
            txn.delete(Space::ByStatus, &index_key(&old, old.status))?;
            put_over(txn, op, None)
        }
        Some(Err(_)) => {
            remove_index_entries(txn, &op.id)?;
            put_over(txn, op, None)
        }
        None => put_over(txn, op, None),
    }
}

/// Writes `op` over a record that is known to be stored with the same time of
/// creation and the status `was`, or over none: without reading it.
pub(crate) fn put_over(
    txn: &mut dyn WriteTxn,
    op: &Operation,
    was: Option<OperationStatus>,
) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(op).map_err(|e| StoreError::Record {
        id: op.id.clone(),
        reason: e.to_string(),
    })?;
    txn.put(Space::Operations, op.id.as_bytes(), &bytes)?;
    if was == Some(op.status) {
        return Ok(());
    }
    if let Some(was) = was {
        txn.delete(Space::ByStatus, &index_key(op, was))?;
    }
    txn.put(Space::ByStatus, &index_key(op, op.status), &[])
}

/// Removes the record of `id` and all that belongs to it in the store.
pub(crate) fn delete(txn: &mut dyn WriteTxn, id: &str) -> Result<(), StoreError> {
    match get(txn.as_read(), id) {
        Ok(Some(op)) => txn.delete(Space::ByStatus, &index_key(&op, op.status))?,
        Ok(None) => {}
        Err(StoreError::Record { .. }) => remove_index_entries(txn, id)?,
        Err(e) => return Err(e),
    }
    txn.delete(Space::Operations, id.as_bytes())?;
    txn.delete(Space::Requests, id.as_bytes())?;
    let prefix = prefix(id);
    journal::delete(txn, id)?;
    for space in [Space::Tables, Space::Files] {
        for key in keys(txn.as_read(), space, &prefix)? {
            txn.delete(space, &key)?;
        }
    }
    Ok(())
}

/// Removes the index entries of a record that does not say where they are.
fn remove_index_entries(txn: &mut dyn WriteTxn, id: &str) -> Result<(), StoreError> {
    for key in keys(txn.as_read(), Space::ByStatus, &[])? {
        if key.get(INDEX_ID..) == Some(id.as_bytes()) {
            txn.delete(Space::ByStatus, &key)?;
        }
    }
    Ok(())
}

/// The records of one stored status, the newest first, until `visit` breaks. A
/// record that cannot be read is passed over.
pub(crate) fn by_status(
    txn: &dyn ReadTxn,
    status: OperationStatus,
    visit: &mut dyn FnMut(Operation) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let prefix = [status_byte(status)];
    let mut failed = None;
    txn.scan(
        Space::ByStatus,
        (
            Bound::Included(&prefix),
            upper(&prefix).as_ref().map(Vec::as_slice),
        ),
        Direction::Forward,
        &mut |key, _| {
            let Some(id) = key
                .get(INDEX_ID..)
                .and_then(|id| std::str::from_utf8(id).ok())
            else {
                return ControlFlow::Continue(());
            };
            match get(txn, id) {
                Ok(Some(op)) => visit(op),
                Ok(None) | Err(StoreError::Record { .. }) => ControlFlow::Continue(()),
                Err(e) => {
                    failed = Some(e);
                    ControlFlow::Break(())
                }
            }
        },
    )?;
    failed.map_or(Ok(()), Err)
}

/// Every key of a space that starts with `prefix`.
pub(crate) fn keys(
    txn: &dyn ReadTxn,
    space: Space,
    prefix: &[u8],
) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut keys = Vec::new();
    txn.scan(
        space,
        (
            Bound::Included(prefix),
            upper(prefix).as_ref().map(Vec::as_slice),
        ),
        Direction::Forward,
        &mut |key, _| {
            keys.push(key.to_vec());
            ControlFlow::Continue(())
        },
    )?;
    Ok(keys)
}

/// Visits the rows of `id` in a space that holds operations' data.
pub(crate) fn scan(
    txn: &dyn ReadTxn,
    space: Space,
    id: &str,
    direction: Direction,
    visit: Visit<'_>,
) -> Result<(), StoreError> {
    let prefix = prefix(id);
    let end = upper(&prefix);
    let bounds = (
        Bound::Included(&prefix[..]),
        end.as_ref().map(Vec::as_slice),
    );
    txn.scan(space, bounds, direction, visit)
}

/// What the keys of an operation start with in the spaces that hold its data.
pub(crate) fn prefix(id: &str) -> Vec<u8> {
    [id.as_bytes(), &[0]].concat()
}

/// The first key after all that start with `prefix`.
pub(crate) fn upper(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Bound::Excluded(end);
        }
    }
    Bound::Unbounded
}

/// The record of `id` out of its stored bytes.
pub(crate) fn parse(id: &str, bytes: &[u8]) -> Result<Operation, StoreError> {
    let unreadable = |reason: String| StoreError::Record {
        id: id.to_owned(),
        reason,
    };
    let op: Operation = serde_json::from_slice(bytes).map_err(|e| unreadable(e.to_string()))?;
    if op.id != id {
        return Err(unreadable(format!("it carries the id {:?}", op.id)));
    }
    Ok(op)
}

/// Where the id begins in an index key.
const INDEX_ID: usize = 9;

fn index_key(op: &Operation, status: OperationStatus) -> Vec<u8> {
    // Ordered by time as unsigned, then reversed: the newest first.
    let created = op.created_at.timestamp_micros().cast_unsigned() ^ (1 << 63);
    let mut key = vec![status_byte(status)];
    key.extend_from_slice(&(!created).to_be_bytes());
    key.extend_from_slice(op.id.as_bytes());
    key
}

const fn status_byte(status: OperationStatus) -> u8 {
    match status {
        OperationStatus::Running => b'r',
        OperationStatus::Paused => b'p',
        OperationStatus::Completed => b'c',
        OperationStatus::Failed => b'f',
    }
}
