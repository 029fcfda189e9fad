//! What LMDB leaves to its user, case by case.

mod damage;
mod growth;
mod processes;
mod sharing;

use std::path::Path;

use super::LmdbStore;
use super::shared::Sizes;
use crate::store::{ReadTxn, Space, Store, StoreError, WriteTxn};

/// A map that is full soon.
const SMALL: Sizes = Sizes {
    initial: 1 << 20,
    least: 1 << 20,
    limit: 1 << 28,
};

fn open(dir: &Path) -> LmdbStore {
    LmdbStore::open(dir).unwrap()
}

fn put(store: &dyn Store, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    store.write(&mut |txn| txn.put(Space::Tables, key, value))
}

fn get(store: &dyn Store, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let mut value = None;
    store.read(&mut |txn| {
        value = txn.get(Space::Tables, key)?;
        Ok(())
    })?;
    Ok(value)
}

/// Row `number`, and what is under it.
fn row(number: u32) -> ([u8; 4], Vec<u8>) {
    let size = 500 + number as usize % 1500;
    (number.to_be_bytes(), number.to_le_bytes().repeat(size / 4))
}

fn put_rows(txn: &mut dyn WriteTxn, rows: std::ops::Range<u32>) -> Result<(), StoreError> {
    for number in rows {
        let (key, value) = row(number);
        txn.put(Space::Tables, &key, &value)?;
    }
    Ok(())
}

fn check_rows(txn: &dyn ReadTxn, rows: std::ops::Range<u32>) -> Result<(), StoreError> {
    for number in rows {
        let (key, value) = row(number);
        assert_eq!(txn.get(Space::Tables, &key)?.as_ref(), Some(&value));
    }
    Ok(())
}

fn map_size(store: &LmdbStore) -> usize {
    store.shared().unwrap().env.info().map_size
}
