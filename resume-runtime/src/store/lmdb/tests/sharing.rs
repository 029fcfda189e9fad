//! One process: handles, threads, keys, modes.

use std::ops::{Bound, ControlFlow};
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::store::{Direction, MAX_KEY};

#[test]
fn opened_twice_it_is_one_environment_under_any_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    let first = open(&store);
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&store, &link).unwrap();
    let handles = [&store, &link, &store.join("../store")].map(|path| open(path));
    for (at, handle) in (0_u8..).zip(&handles) {
        put(handle, &[at + 1], b"1").unwrap();
        assert!(get(&first, &[at + 1]).unwrap().is_some());
        assert_eq!(handle.identity(), first.identity());
    }
    drop(first);
    put(&handles[0], b"still", b"1").unwrap();
    drop(handles);
    // With the last handle it was closed, and can be opened with other options.
    let again = LmdbStore::open_with(&store, SMALL).unwrap();
    assert_eq!(map_size(&again), SMALL.initial);
    assert!(get(&again, b"still").unwrap().is_some());
}

#[test]
fn opening_and_closing_from_many_threads_is_safe() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|threads| {
        for thread in 0..4_u8 {
            let dir = dir.path();
            threads.spawn(move || {
                for _ in 0..30 {
                    put(&open(dir), &[thread], b"1").unwrap();
                }
            });
        }
    });
    let store = open(dir.path());
    for thread in 0..4 {
        assert!(get(&store, &[thread]).unwrap().is_some());
    }
}

#[test]
fn two_threads_that_write_wait_for_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let stores = [open(dir.path()), open(dir.path())];
    std::thread::scope(|threads| {
        for store in &stores {
            threads.spawn(move || (0..200).for_each(|_| increment(store)));
        }
    });
    assert_eq!(
        get(&stores[0], b"counter").unwrap(),
        Some(400_u32.to_be_bytes().to_vec())
    );
}

pub(super) fn increment(store: &LmdbStore) {
    store
        .write(&mut |txn| {
            let now = txn.get(Space::Tables, b"counter")?.unwrap_or(vec![0; 4]);
            let next = u32::from_be_bytes(now.try_into().unwrap()) + 1;
            txn.put(Space::Tables, b"counter", &next.to_be_bytes())
        })
        .unwrap();
}

#[test]
fn keys_that_do_not_fit_are_refused_and_the_rest_of_the_transaction_stands() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let longest = vec![b'k'; MAX_KEY];
    let longer = vec![b'k'; MAX_KEY + 1];
    store
        .write(&mut |txn| {
            txn.put(Space::Tables, &longest, b"1")?;
            for key in [&longer[..], &[]] {
                let refused = txn.put(Space::Tables, key, b"1");
                assert!(matches!(refused, Err(StoreError::Key { .. })));
                txn.delete(Space::Tables, key)?;
                assert_eq!(txn.get(Space::Tables, key)?, None);
            }
            Ok(())
        })
        .unwrap();
    assert!(get(&store, &longest).unwrap().is_some());
}

/// Both stores give the same rows for the same bounds, odd ones included.
#[test]
fn scans_agree_with_the_store_in_memory() {
    let dir = tempfile::tempdir().unwrap();
    let stores: [&dyn Store; 2] = [&open(dir.path()), &crate::store::MemoryStore::new()];
    for store in stores {
        for key in [&b"a"[..], b"ab", b"b", b"b\0", b"b\xff", b"c", b"\xff\xff"] {
            put(store, key, key).unwrap();
        }
    }
    let keys: [&[u8]; 6] = [b"", b"a", b"b", b"b\0", b"bb", b"\xff"];
    let bounds = || {
        let bound = |key| [Bound::Included(key), Bound::Excluded(key)];
        keys.into_iter().flat_map(bound).chain([Bound::Unbounded])
    };
    for (low, high) in bounds().flat_map(|low| bounds().map(move |high| (low, high))) {
        for direction in [Direction::Forward, Direction::Backward] {
            let [lmdb, memory] = stores.map(|store| {
                let mut found = Vec::new();
                store
                    .read(&mut |txn| {
                        txn.scan(Space::Tables, (low, high), direction, &mut |key, value| {
                            found.push((key.to_vec(), value.to_vec()));
                            if found.len() == 4 {
                                return ControlFlow::Break(());
                            }
                            ControlFlow::Continue(())
                        })
                    })
                    .unwrap();
                found
            });
            assert_eq!(lmdb, memory, "{low:?} {high:?} {direction:?}");
        }
    }
}

#[test]
fn everything_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("deep/store");
    let _open = open(&store);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&store), 0o700);
    let mut files = 0;
    for entry in std::fs::read_dir(&store).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_eq!(mode(&path), 0o700, "{}", path.display());
        } else {
            files += 1;
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
    assert!(files >= 4, "data, LMDB's lock, our lock, the sentinel");
}

#[test]
fn a_store_that_was_replaced_while_open_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, b"key", b"1").unwrap();
    std::fs::rename(dir.path().join("data.mdb"), dir.path().join("old")).unwrap();
    let refused = put(&store, b"lost", b"1");
    assert!(matches!(refused, Err(StoreError::Unusable { .. })));
    assert!(LmdbStore::open(dir.path()).is_err());
    std::fs::rename(dir.path().join("old"), dir.path().join("data.mdb")).unwrap();
    put(&store, b"kept", b"1").unwrap();
}
