//! Reading and writing records, and the index by status that goes with them.

use std::ops::{Bound, ControlFlow};

use crate::operation::{Operation, OperationStatus};
use crate::store::{Direction, ReadTxn, Space, StoreError, WriteTxn};

/// The record of `id`.
pub(crate) fn get(txn: &dyn ReadTxn, id: &str) -> Result<Option<Operation>, StoreError> {
    txn.get(Space::Operations, id.as_bytes())?
        .map(|bytes| parse(id, &bytes))
        .transpose()
}

/// Writes `op` and keeps the index by status in step with it.
pub(crate) fn put(txn: &mut dyn WriteTxn, op: &Operation) -> Result<(), StoreError> {
    if let Ok(Some(old)) = get(txn.as_read(), &op.id)
        && (old.status, old.created_at) != (op.status, op.created_at)
    {
        txn.delete(Space::ByStatus, &index_key(&old))?;
    }
    let bytes = serde_json::to_vec(op).map_err(|e| StoreError::Record {
        id: op.id.clone(),
        reason: e.to_string(),
    })?;
    txn.put(Space::Operations, op.id.as_bytes(), &bytes)?;
    txn.put(Space::ByStatus, &index_key(op), &[])
}

/// Removes the record of `id` and all that belongs to it in the store.
pub(crate) fn delete(txn: &mut dyn WriteTxn, id: &str) -> Result<(), StoreError> {
    match get(txn.as_read(), id) {
        Ok(Some(op)) => txn.delete(Space::ByStatus, &index_key(&op))?,
        Ok(None) => {}
        // Nothing says where its index entry is: look for it.
        Err(StoreError::Record { .. }) => {
            for key in keys(txn.as_read(), Space::ByStatus, &[])? {
                if key.ends_with(id.as_bytes()) {
                    txn.delete(Space::ByStatus, &key)?;
                }
            }
        }
        Err(e) => return Err(e),
    }
    txn.delete(Space::Operations, id.as_bytes())?;
    txn.delete(Space::Requests, id.as_bytes())?;
    let prefix = prefix(id);
    for space in [Space::Tables, Space::Files, Space::Events] {
        for key in keys(txn.as_read(), space, &prefix)? {
            txn.delete(space, &key)?;
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
            let Some(id) = key.get(9..).and_then(|id| std::str::from_utf8(id).ok()) else {
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
    visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
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

fn parse(id: &str, bytes: &[u8]) -> Result<Operation, StoreError> {
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

fn index_key(op: &Operation) -> Vec<u8> {
    // Ordered by time as unsigned, then reversed: the newest first.
    let created = op.created_at.timestamp_micros().cast_unsigned() ^ (1 << 63);
    let mut key = vec![status_byte(op.status)];
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
