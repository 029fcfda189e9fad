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
        let (key_len, row_len) = (key.len(), row.as_ref().map_or(0, Vec::len));
        self.bytes += row_len;
        match self.writes.insert(key, row) {
            Some(old) => self.bytes -= old.map_or(0, |old| old.len()),
            None => self.bytes += key_len,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap as Model;

    use super::*;

    const T: Table<String, u64> = Table::new("t");
    /// Sorts right after `t` and must not be seen in it.
    const NEXT: Table<String, u64> = Table::new("t1");

    fn rows(db: &Database) -> Rows {
        Rows::new(db.clone(), "op-1")
    }

    fn commit(db: &Database, rows: &mut Rows) {
        let writes = rows.take_writes();
        db.write_blocking(move |txn| apply(txn, &writes)).unwrap();
        assert_eq!(rows.pending_bytes(), 0);
    }

    /// All rows, by pages of `limit`.
    fn pages(rows: &Rows, limit: usize) -> Vec<(String, u64)> {
        let mut all: Vec<(String, u64)> = Vec::new();
        loop {
            let after = all.last().map(|(key, _)| key.clone());
            let page = rows.page(&T, after.as_ref(), limit).unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    #[test]
    fn pages_show_committed_rows_under_uncommitted_ones() {
        let db = Database::in_memory().unwrap();
        let mut rng = fastrand::Rng::with_seed(5);
        let mut model = Model::new();
        let mut rows = rows(&db);
        rows.put(&NEXT, &"x".to_owned(), &0).unwrap();
        for round in 0..400_u64 {
            let key = format!("{:02}", rng.u8(0..40));
            if rng.u8(0..3) == 0 {
                rows.remove(&T, &key);
                model.remove(&key);
            } else {
                rows.put(&T, &key, &round).unwrap();
                model.insert(key.clone(), round);
            }
            assert_eq!(rows.get(&T, &key).unwrap(), model.get(&key).copied());
            let limit = rng.usize(1..7);
            let all: Vec<_> = model.clone().into_iter().collect();
            assert_eq!(pages(&rows, limit), all, "round {round}");
            let next = rows.next_after(&T, Some(&key)).unwrap();
            assert_eq!(next, all.into_iter().find(|(other, _)| *other > key));
            if rng.u8(0..20) == 0 {
                commit(&db, &mut rows);
            }
        }
        assert!(rows.page(&T, None, 0).unwrap().is_empty());
        // What was not committed is gone in another slice.
        let key = "other".to_owned();
        commit(&db, &mut rows);
        rows.put(&T, &key, &1).unwrap();
        assert_eq!(self::rows(&db).get(&T, &key).unwrap(), None);
    }

    #[test]
    fn long_keys_are_unique_come_back_whole_and_can_be_walked() {
        let db = Database::in_memory().unwrap();
        let mut rows = rows(&db);
        let mut model = Model::new();
        for len in [0, 1, 339, 340, 341, 371, 372, 373, 374, 5_000] {
            for end in ["", "a", "b"] {
                let key = format!("{}{end}", "x".repeat(len));
                rows.put(&T, &key, &(len as u64)).unwrap();
                model.insert(key, len as u64);
                if len == 341 {
                    commit(&db, &mut rows);
                }
            }
        }
        for (key, value) in &model {
            assert_eq!(rows.get(&T, key).unwrap(), Some(*value));
        }
        let mut walked = pages(&rows, 4);
        assert_eq!(walked.len(), model.len());
        // Keys that are stored whole come in their order.
        let whole: Vec<_> = walked.iter().filter(|(key, _)| key.len() <= 340).collect();
        assert!(whole.is_sorted(), "{whole:?}");
        walked.sort();
        assert_eq!(walked, model.clone().into_iter().collect::<Vec<_>>());
        for key in model.keys() {
            rows.remove(&T, key);
        }
        assert!(pages(&rows, 4).is_empty());
        commit(&db, &mut rows);
        assert!(pages(&rows, 4).is_empty());
    }

    #[test]
    fn overwriting_a_row_takes_no_more_memory() {
        let db = Database::in_memory().unwrap();
        let mut rows = rows(&db);
        let key = "key".to_owned();
        rows.put(&T, &key, &10).unwrap();
        let once = rows.pending_bytes();
        assert!(once > 0);
        for n in 10..60 {
            rows.remove(&T, &key);
            assert!(rows.pending_bytes() < once);
            rows.put(&T, &key, &n).unwrap();
            rows.put(&T, &key, &n).unwrap();
        }
        assert_eq!(rows.pending_bytes(), once);
    }

    #[test]
    fn a_damaged_row_is_told_from_a_missing_one() {
        let db = Database::in_memory().unwrap();
        let mut rows = rows(&db);
        let key = "key".to_owned();
        rows.put(&T, &key, &10).unwrap();
        let stored = rows.take_writes().into_keys().next().unwrap();
        for bad in [&b""[..], b"\0\0\0\xffx", b"\0\0\0\0{", b"\0\0\0\x01"] {
            let stored = stored.clone();
            db.write_blocking(move |txn| txn.put(Space::Tables, &stored, bad))
                .unwrap();
            assert!(rows.get(&T, &key).is_err(), "{bad:?}");
            assert!(rows.page(&T, None, 1).is_err(), "{bad:?}");
        }
    }
}
