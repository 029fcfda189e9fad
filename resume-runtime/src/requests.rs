//! Requests to pause, durable beside the records.

use crate::operation::now;
use crate::store::{ReadTxn, Space, StoreError, WriteTxn};

/// Asks that `id` pause; asking again changes nothing.
pub(crate) fn put(txn: &mut dyn WriteTxn, id: &str) -> Result<(), StoreError> {
    let time = now().to_rfc3339();
    txn.put(Space::Requests, id.as_bytes(), time.as_bytes())
}

/// Whether a pause of `id` is asked for.
pub(crate) fn exists(txn: &dyn ReadTxn, id: &str) -> Result<bool, StoreError> {
    Ok(txn.get(Space::Requests, id.as_bytes())?.is_some())
}

/// Forgets the request: it was followed, or the operation starts anew.
pub(crate) fn clear(txn: &mut dyn WriteTxn, id: &str) -> Result<(), StoreError> {
    txn.delete(Space::Requests, id.as_bytes())
}
