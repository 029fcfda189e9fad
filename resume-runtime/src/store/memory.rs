//! A store that lives as long as the process: for tests, and where nothing is to
//! outlive it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use super::{Direction, ReadTxn, Space, Store, StoreError, Visit, WriteTxn, check_key};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Ordered maps behind a lock. A reader sees all of a transaction or nothing:
/// writes are applied under the lock, and undone under it when they fail.
#[derive(Debug, Default)]
pub struct MemoryStore {
    spaces: RwLock<Spaces>,
    #[cfg(test)]
    failures: tests::Failures,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the next write fail with `error` when it would be made durable.
    #[cfg(test)]
    pub(crate) fn fail_next(&self, error: StoreError) {
        self.failures.push(error);
    }

    #[cfg(test)]
    fn commit(&self) -> Result<(), StoreError> {
        self.failures.next()
    }

    #[cfg(not(test))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "fails in tests"
    )]
    fn commit(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Store for MemoryStore {
    fn read(
        &self,
        body: &mut dyn FnMut(&dyn ReadTxn) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        // A writer that unwound has rolled back: what is there is whole.
        let spaces = self.spaces.read().unwrap_or_else(PoisonError::into_inner);
        body(&*spaces)
    }

    fn write(
        &self,
        body: &mut dyn FnMut(&mut dyn WriteTxn) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut spaces = self.spaces.write().unwrap_or_else(PoisonError::into_inner);
        let mut txn = Txn {
            spaces: &mut spaces,
            undo: Vec::new(),
        };
        body(&mut txn)?;
        self.commit()?;
        txn.undo.clear();
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Spaces([Rows; Space::ALL.len()]);

impl Spaces {
    const fn rows(&self, space: Space) -> &Rows {
        &self.0[space as usize]
    }

    const fn rows_mut(&mut self, space: Space) -> &mut Rows {
        &mut self.0[space as usize]
    }
}

impl ReadTxn for Spaces {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows(space).get(key).cloned())
    }

    fn scan(
        &self,
        space: Space,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        if super::is_empty(bounds) {
            return Ok(());
        }
        let mut rows = self.rows(space).range::<[u8], _>(bounds);
        while let Some((key, value)) = match direction {
            Direction::Forward => rows.next(),
            Direction::Backward => rows.next_back(),
        } {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// A write in progress, with what it replaced.
struct Txn<'a> {
    spaces: &'a mut Spaces,
    undo: Vec<(Space, Vec<u8>, Option<Vec<u8>>)>,
}

impl Drop for Txn<'_> {
    fn drop(&mut self) {
        for (space, key, old) in self.undo.drain(..).rev() {
            let rows = self.spaces.rows_mut(space);
            match old {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
    }
}

impl ReadTxn for Txn<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.spaces.get(space, key)
    }

    fn scan(
        &self,
        space: Space,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        self.spaces.scan(space, bounds, direction, visit)
    }
}

impl WriteTxn for Txn<'_> {
    fn put(&mut self, space: Space, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        check_key(key)?;
        let old = self
            .spaces
            .rows_mut(space)
            .insert(key.to_vec(), value.to_vec());
        self.undo.push((space, key.to_vec(), old));
        Ok(())
    }

    fn delete(&mut self, space: Space, key: &[u8]) -> Result<(), StoreError> {
        if let Some(old) = self.spaces.rows_mut(space).remove(key) {
            self.undo.push((space, key.to_vec(), Some(old)));
        }
        Ok(())
    }

    fn as_read(&self) -> &dyn ReadTxn {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::*;

    /// Errors that the next writes are to fail with.
    #[derive(Debug, Default)]
    pub(super) struct Failures(Mutex<VecDeque<StoreError>>);

    impl Failures {
        pub(super) fn push(&self, error: StoreError) {
            self.0.lock().unwrap().push_back(error);
        }

        pub(super) fn next(&self) -> Result<(), StoreError> {
            self.0.lock().unwrap().pop_front().map_or(Ok(()), Err)
        }
    }

    fn get(store: &MemoryStore, key: &[u8]) -> Option<Vec<u8>> {
        let mut value = None;
        store
            .read(&mut |txn| {
                value = txn.get(Space::Meta, key)?;
                Ok(())
            })
            .unwrap();
        value
    }

    #[test]
    fn a_failed_write_leaves_everything_as_it_was() {
        let store = MemoryStore::new();
        store
            .write(&mut |txn| {
                txn.put(Space::Meta, b"kept", b"1")?;
                txn.put(Space::Meta, b"changed", b"1")
            })
            .unwrap();
        let mut spoil = |txn: &mut dyn WriteTxn| {
            txn.put(Space::Meta, b"changed", b"2")?;
            txn.put(Space::Meta, b"changed", b"3")?;
            txn.put(Space::Meta, b"new", b"1")?;
            txn.delete(Space::Meta, b"kept")?;
            assert_eq!(txn.get(Space::Meta, b"changed")?.unwrap(), b"3");
            Ok(())
        };
        store.fail_next(StoreError::Closed);
        assert!(store.write(&mut spoil).is_err());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.write(&mut |txn| {
                spoil(txn)?;
                panic!("in a transaction");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(get(&store, b"kept").unwrap(), b"1");
        assert_eq!(get(&store, b"changed").unwrap(), b"1");
        assert_eq!(get(&store, b"new"), None);
        store.write(&mut spoil).unwrap();
        assert_eq!(get(&store, b"changed").unwrap(), b"3");
    }
}
