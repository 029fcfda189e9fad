//! The memory map: growing it, its limits, and readers meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;

#[test]
fn a_full_map_grows_and_the_transaction_runs_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = LmdbStore::open_with(dir.path(), SMALL).unwrap();
    assert_eq!(map_size(&store), SMALL.initial);
    put(&store, b"before", b"1").unwrap();
    let mut runs = 0;
    store
        .write(&mut |txn| {
            runs += 1;
            // What an earlier run wrote is not there any more.
            assert_eq!(txn.get(Space::Tables, b"count")?, None);
            txn.put(Space::Tables, b"count", b"1")?;
            put_rows(txn, 0..10_000)
        })
        .unwrap();
    assert!(runs > 3, "{runs}");
    assert!(map_size(&store) >= 12 << 20);
    store.read(&mut |txn| check_rows(txn, 0..10_000)).unwrap();
    assert!(get(&store, b"before").unwrap().is_some());
    drop(store);
    // A map that is smaller than the file is no obstacle.
    let store = LmdbStore::open_with(dir.path(), SMALL).unwrap();
    store.read(&mut |txn| check_rows(txn, 0..10_000)).unwrap();
}

#[test]
fn growth_has_a_limit_that_leaves_the_store_usable() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = Sizes {
        limit: 4 << 20,
        ..SMALL
    };
    let store = LmdbStore::open_with(dir.path(), sizes).unwrap();
    put(&store, b"before", b"1").unwrap();
    let refused = store.write(&mut |txn| put_rows(txn, 0..10_000));
    assert!(matches!(refused, Err(StoreError::Limit { limit, .. }) if limit == 4 << 20));
    assert_eq!(get(&store, &row(0).0).unwrap(), None);
    assert!(get(&store, b"before").unwrap().is_some());
    put(&store, b"after", b"1").unwrap();
}

#[test]
fn a_body_that_swallows_an_error_commits_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = Sizes {
        limit: 1 << 20,
        ..SMALL
    };
    let store = LmdbStore::open_with(dir.path(), sizes).unwrap();
    let refused = store.write(&mut |txn| {
        let _ = put_rows(txn, 0..10_000);
        Ok(())
    });
    assert!(matches!(refused, Err(StoreError::Limit { .. })));
    assert_eq!(get(&store, &row(0).0).unwrap(), None);
}

#[test]
fn readers_see_whole_transactions_while_the_map_moves() {
    let dir = tempfile::tempdir().unwrap();
    let store = LmdbStore::open_with(dir.path(), SMALL).unwrap();
    let done = AtomicBool::new(false);
    let seen = AtomicU32::new(0);
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    store
                        .read(&mut |txn| {
                            let Some(count) = txn.get(Space::Tables, b"count")? else {
                                return Ok(());
                            };
                            let count = u32::from_be_bytes(count.try_into().unwrap());
                            check_rows(txn, count.saturating_sub(40)..count)?;
                            assert_eq!(txn.get(Space::Tables, &row(count).0)?, None);
                            seen.fetch_add(1, Ordering::Relaxed);
                            Ok(())
                        })
                        .unwrap();
                }
            });
        }
        for count in (200..=20_000).step_by(200) {
            store
                .write(&mut |txn| {
                    put_rows(txn, count - 200..count)?;
                    txn.put(Space::Tables, b"count", &count.to_be_bytes())
                })
                .unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(map_size(&store) >= 16 << 20);
    assert!(seen.into_inner() > 100);
}

/// No reader can be kept: what a read borrows ends with its closure. So however
/// much is read, pages are used again and the file stays small.
#[test]
fn the_file_stays_small_under_constant_reading() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let done = AtomicBool::new(false);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    store
                        .read(&mut |txn| txn.get(Space::Tables, &[1]).map(drop))
                        .unwrap();
                }
            });
        }
        for number in 0..3_000_u32 {
            put(&store, &[(number % 100) as u8], &[7; 1200]).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let length = std::fs::metadata(dir.path().join("data.mdb"))
        .unwrap()
        .len();
    assert!(length < 4 << 20, "{length}");
}
