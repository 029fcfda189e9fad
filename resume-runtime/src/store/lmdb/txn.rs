//! Reads and writes in one LMDB transaction.

use std::cell::RefCell;
use std::ops::Bound;

use heed::{RoTxn, RwTxn, WithoutTls};

use super::failure::Failure;
use super::shared::Shared;
use crate::store::{
    Direction, MAX_KEY, ReadTxn, Space, StoreError, Visit, WriteTxn, check_key, is_empty,
};

pub(super) struct Read<'e> {
    pub(super) shared: &'e Shared,
    pub(super) txn: RoTxn<'e, WithoutTls>,
}

pub(super) struct Write<'e> {
    pub(super) shared: &'e Shared,
    pub(super) txn: RwTxn<'e>,
    /// The first thing that went wrong: the transaction must not be committed.
    pub(super) failure: RefCell<Option<Failure>>,
}

impl ReadTxn for Read<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        get(self.shared, &self.txn, space, key).map_err(|e| self.shared.fail(e))
    }

    fn scan(
        &self,
        space: Space,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        scan(self.shared, &self.txn, space, bounds, direction, visit)
            .map_err(|e| self.shared.fail(e))
    }
}

impl Write<'_> {
    fn fail(&self, error: heed::Error) -> StoreError {
        let failure = Failure::of(error, &self.shared.dir);
        let message = format!("{failure:?}");
        self.failure.borrow_mut().get_or_insert(failure);
        // Replaced by what `failure` says when the body has returned.
        StoreError::Backend(message)
    }
}

impl ReadTxn for Write<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        get(self.shared, &self.txn, space, key).map_err(|e| self.fail(e))
    }

    fn scan(
        &self,
        space: Space,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        scan(self.shared, &self.txn, space, bounds, direction, visit).map_err(|e| self.fail(e))
    }
}

impl WriteTxn for Write<'_> {
    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        check_key(key)?;
        self.shared
            .db(space)
            .put(&mut self.txn, key, value)
            .map_err(|e| self.fail(e))
    }

    fn delete(&mut self, space: Space, key: &[u8]) -> Result<(), StoreError> {
        if check_key(key).is_err() {
            return Ok(());
        }
        self.shared
            .db(space)
            .delete(&mut self.txn, key)
            .map(drop)
            .map_err(|e| self.fail(e))
    }

    fn as_read(&self) -> &dyn ReadTxn {
        self
    }
}

fn get(
    shared: &Shared,
    txn: &RoTxn<'_, WithoutTls>,
    space: Space,
    key: &[u8],
) -> heed::Result<Option<Vec<u8>>> {
    if !(1..=MAX_KEY).contains(&key.len()) {
        return Ok(None);
    }
    Ok(shared.db(space).get(txn, key)?.map(<[u8]>::to_vec))
}

fn scan(
    shared: &Shared,
    txn: &RoTxn<'_, WithoutTls>,
    space: Space,
    (low, high): (Bound<&[u8]>, Bound<&[u8]>),
    direction: Direction,
    visit: Visit<'_>,
) -> heed::Result<()> {
    // LMDB knows no empty key; all keys are after it.
    let low = match low {
        Bound::Included([]) | Bound::Excluded([]) => Bound::Unbounded,
        low => low,
    };
    let bounds = (low, high);
    if is_empty(bounds) || matches!(high, Bound::Included([]) | Bound::Excluded([])) {
        return Ok(());
    }
    let db = shared.db(space);
    match direction {
        Direction::Forward => {
            for row in db.range(txn, &bounds)? {
                let (key, value) = row?;
                if visit(key, value).is_break() {
                    break;
                }
            }
        }
        Direction::Backward => {
            for row in db.rev_range(txn, &bounds)? {
                let (key, value) = row?;
                if visit(key, value).is_break() {
                    break;
                }
            }
        }
    }
    Ok(())
}
