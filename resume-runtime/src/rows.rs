//! The rows of an operation's tables: what is committed, under what is not yet.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::database::Database;
use crate::error::{Classify as _, StepError};
use crate::records;
use crate::store::{Direction, Space, StoreError, WriteTxn};
use crate::table::{Table, TableKey};

/// Uncommitted rows, by stored key; `None` is a removal.
pub(crate) type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The longest part of a key that is stored as it is. LMDB keys end at 511
/// bytes; the operation's id and the table's name take up to 106 of them.
const KEY_PREFIX: usize = 340;
const KEY_HASH: usize = 32;

pub(crate) struct Rows {
    db: Database,
    id: String,
    writes: Writes,
    bytes: usize,
}

impl Rows {
    pub(crate) fn new(db: Database, id: &str) -> Self {
        Self {
            db,
            id: id.to_owned(),
            writes: Writes::new(),
            bytes: 0,
        }
    }

    /// What waits in memory, in bytes.
    pub(crate) const fn pending_bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_dirty(&self) -> bool {
        !self.writes.is_empty()
    }

    /// A copy of what is to be committed.
    pub(crate) fn take_writes(&mut self) -> Writes {
        self.bytes = 0;
        std::mem::take(&mut self.writes)
    }

    pub(crate) fn put<K: TableKey, V: Serialize>(
        &mut self,
        table: &Table<K, V>,
        key: &K,
        value: &V,
    ) -> Result<(), StepError> {
        let (stored, long) = self.key(table, key);
        let mut row = match long {
            Some(whole) => {
                let len = u32::try_from(whole.len()).or_fatal()?;
                [&len.to_be_bytes()[..], &whole].concat()
            }
            None => vec![0; 4],
        };
        serde_json::to_writer(&mut row, value).or_fatal()?;
        self.write(stored, Some(row));
        Ok(())
    }

    pub(crate) fn remove<K: TableKey, V>(&mut self, table: &Table<K, V>, key: &K) {
        let (stored, _) = self.key(table, key);
        self.write(stored, None);
    }

    pub(crate) fn get<K: TableKey, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<Option<V>, StepError> {
        let (stored, _) = self.key(table, key);
        let row = match self.writes.get(&stored) {
            Some(row) => row.clone(),
            None => self.db.read(|txn| txn.get(Space::Tables, &stored))?,
        };
        row.map(|row| Ok(self.parse::<K, V>(table, &stored, &row)?.1))
            .transpose()
    }

    pub(crate) fn next_after<K: TableKey, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        after: Option<&K>,
    ) -> Result<Option<(K, V)>, StepError> {
        Ok(self.page(table, after, 1)?.pop())
    }

    /// Up to `limit` rows after `after`, in key order.
    pub(crate) fn page<K: TableKey, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        after: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, StepError> {
        let prefix = self.table_prefix(table.name());
        let from = match after {
            Some(key) => Bound::Excluded(self.key(table, key).0),
            None => Bound::Included(prefix.clone()),
        };
        let to = records::upper(&prefix);
        let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut pending = self.writes.range((from.clone(), to.clone())).peekable();
        self.db.read(|txn| {
            found.clear();
            pending = self.writes.range((from.clone(), to.clone())).peekable();
            txn.scan(
                Space::Tables,
                (as_slice(&from), as_slice(&to)),
                Direction::Forward,
                &mut |key, row| {
                    // Those in memory that come before this one, then the
                    // younger of the two where both have it.
                    while let Some((k, v)) = pending.next_if(|(k, _)| k.as_slice() < key) {
                        found.extend(v.clone().map(|v| (k.clone(), v)));
                    }
                    match pending.next_if(|(k, _)| k.as_slice() == key) {
                        Some((k, v)) => found.extend(v.clone().map(|v| (k.clone(), v))),
                        None => found.push((key.to_vec(), row.to_vec())),
                    }
                    if found.len() < limit {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    }
                },
            )
        })?;
        if found.len() < limit {
            found.extend(pending.filter_map(|(k, v)| Some((k.clone(), v.clone()?))));
        }
        found.truncate(limit);
        found
            .iter()
            .map(|(key, row)| self.parse(table, key, row))
            .collect()
    }

    fn write(&mut self, key: Vec<u8>, row: Option<Vec<u8>>) {
        let size = key.len() + row.as_ref().map_or(0, Vec::len);
        self.bytes += size;
        if let Some(old) = self.writes.insert(key, row) {
            self.bytes -= old.map_or(0, |old| old.len()).min(self.bytes);
        }
    }

    fn table_prefix(&self, table: &str) -> Vec<u8> {
        [&records::prefix(&self.id)[..], table.as_bytes(), &[0]].concat()
    }

    /// The stored key, and the whole one where it is too long to be stored: the
    /// rest of a long key is replaced by its hash, which keeps it unique and the
    /// order total.
    fn key<K: TableKey, V>(&self, table: &Table<K, V>, key: &K) -> (Vec<u8>, Option<Vec<u8>>) {
        let mut stored = self.table_prefix(table.name());
        let whole = key.to_key();
        if whole.len() <= KEY_PREFIX + KEY_HASH {
            stored.extend_from_slice(&whole);
            return (stored, None);
        }
        stored.extend_from_slice(&whole[..KEY_PREFIX]);
        stored.extend_from_slice(blake3::hash(&whole).as_bytes());
        (stored, Some(whole))
    }

    fn parse<K: TableKey, V: DeserializeOwned>(
        &self,
        table: &Table<K, V>,
        stored: &[u8],
        row: &[u8],
    ) -> Result<(K, V), StepError> {
        let damaged = || StepError::fatal(format!("a row of table `{}` is damaged", table.name()));
        let (len, rest) = row.split_first_chunk::<4>().ok_or_else(damaged)?;
        let len = u32::from_be_bytes(*len) as usize;
        let (whole, value) = rest.split_at_checked(len).ok_or_else(damaged)?;
        let key = if whole.is_empty() {
            &stored[self.table_prefix(table.name()).len()..]
        } else {
            whole
        };
        let key = K::from_key(key).ok_or_else(damaged)?;
        let value = serde_json::from_slice(value).map_err(|e| {
            StepError::fatal(format!(
                "a row of table `{}` cannot be read: {e}",
                table.name()
            ))
        })?;
        Ok((key, value))
    }
}

/// Puts committed rows into the transaction.
pub(crate) fn apply(txn: &mut dyn WriteTxn, writes: &Writes) -> Result<(), StoreError> {
    for (key, row) in writes {
        match row {
            Some(row) => txn.put(Space::Tables, key, row)?,
            None => txn.delete(Space::Tables, key)?,
        }
    }
    Ok(())
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}
