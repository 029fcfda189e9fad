//! Files that are not what they were.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::super::check;
use super::*;

/// A closed store with 2 MiB in it.
fn closed() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path())
        .write(&mut |txn| put_rows(txn, 0..2000))
        .unwrap();
    let data = dir.path().join("data.mdb");
    (dir, data)
}

fn writable(path: &Path) -> File {
    OpenOptions::new().write(true).open(path).unwrap()
}

/// Opening is refused with an error that names the file and what to do, and
/// nothing is changed.
fn refused(dir: &Path, reason: &str) {
    let data = dir.join("data.mdb");
    let before = std::fs::read(&data).ok();
    let message = match LmdbStore::open(dir) {
        Err(e @ StoreError::Unusable { .. }) => e.to_string(),
        Err(e) => panic!("{e}"),
        Ok(_) => panic!("it was opened"),
    };
    assert!(message.contains(reason), "{message}");
    assert!(message.contains(dir.to_str().unwrap()), "{message}");
    assert!(message.contains("move "), "{message}");
    assert_eq!(std::fs::read(&data).ok(), before);
}

#[test]
fn truncated() {
    let (dir, data) = closed();
    let length = std::fs::metadata(&data).unwrap().len();
    for kept in [length - 1, length / 2, 8192, 8191, 4096, 100] {
        writable(&data).set_len(kept).unwrap();
        let reason = if kept > 4096 {
            "truncated"
        } else {
            "too short"
        };
        refused(dir.path(), reason);
    }
}

#[test]
fn emptied_or_gone() {
    let (dir, data) = closed();
    writable(&data).set_len(0).unwrap();
    refused(dir.path(), "emptied");
    std::fs::remove_file(&data).unwrap();
    refused(dir.path(), "gone");
    // What the error says to do works.
    let aside = dir.path().with_extension("aside");
    std::fs::rename(dir.path(), &aside).unwrap();
    put(&open(dir.path()), b"new", b"1").unwrap();
    std::fs::remove_dir_all(aside).unwrap();
}

#[test]
fn garbage() {
    let (dir, data) = closed();
    std::fs::write(&data, "all work and no play\n".repeat(2000)).unwrap();
    refused(dir.path(), "no store");
    std::fs::write(&data, vec![0; 1 << 20]).unwrap();
    refused(dir.path(), "no store");
}

#[test]
fn of_another_version() {
    let (dir, data) = closed();
    for page in [0, 4096] {
        writable(&data)
            .write_all_at(&999_u32.to_ne_bytes(), page + 20)
            .unwrap();
    }
    refused(dir.path(), "version is 999");
}

#[test]
fn of_a_newer_format() {
    let (dir, _) = closed();
    open(dir.path())
        .write(&mut |txn| txn.put(Space::Meta, b"format", b"2"))
        .unwrap();
    refused(dir.path(), "newer build");
    std::fs::write(dir.path().join("format"), "3\n").unwrap();
    let message = LmdbStore::open(dir.path()).err().unwrap().to_string();
    assert!(message.contains("format 3"), "{message}");
}

/// A power cut while the store was made: it was never in use, and is made anew.
#[test]
fn blank_before_it_was_ever_in_use() {
    for blank in [&[][..], &[0; 100], &[0; 8192]] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("data.mdb"), blank).unwrap();
        put(&open(dir.path()), b"key", b"1").unwrap();
    }
}

/// A store whose sentinel was not written yet is a store all the same.
#[test]
fn a_missing_sentinel_is_made_again() {
    let (dir, data) = closed();
    std::fs::remove_file(dir.path().join("format")).unwrap();
    open(dir.path())
        .read(&mut |txn| check_rows(txn, 0..2000))
        .unwrap();
    writable(&data).set_len(0).unwrap();
    refused(dir.path(), "emptied");
}

/// Pages that were taken and freed again in one transaction are not written; a
/// file that is short by them is whole.
#[test]
fn short_by_free_pages_only() {
    let (dir, data) = closed();
    let store = open(dir.path());
    let mut short = false;
    for round in 0..20_u32 {
        store
            .write(&mut |txn| {
                for number in 0..round * 10 {
                    txn.put(Space::Files, &number.to_be_bytes(), &vec![1; 20_000])?;
                }
                for number in 0..round * 10 {
                    txn.delete(Space::Files, &number.to_be_bytes())?;
                }
                txn.put(Space::Meta, b"round", &round.to_be_bytes())
            })
            .unwrap();
        let pages = store.shared().unwrap().env.info().last_page_number + 1;
        short = std::fs::metadata(&data).unwrap().len() < pages as u64 * 4096;
        if short {
            break;
        }
    }
    assert!(
        short,
        "LMDB writes them now: this test and the free list can go"
    );
    drop(store);
    let store = open(dir.path());
    store.read(&mut |txn| check_rows(txn, 0..2000)).unwrap();
    store.write(&mut |txn| put_rows(txn, 2000..2500)).unwrap();
    store.read(&mut |txn| check_rows(txn, 0..2500)).unwrap();
    drop(store);
    let length = std::fs::metadata(&data).unwrap().len();
    writable(&data).set_len(length - 4096).unwrap();
    refused(dir.path(), "truncated");
}

#[test]
fn a_damaged_page_is_reported_and_nothing_more_is_written() {
    let (dir, data) = closed();
    let bytes = std::fs::read(&data).unwrap();
    // A leaf: its header's flags are at byte 10.
    for page in 2..bytes.len() / 4096 {
        let (_, value) = row(1000);
        let content = &bytes[page * 4096..][..4096];
        let holds_rows = content.windows(64).any(|window| *window == value[..64]);
        if content[10] == 2 && holds_rows {
            writable(&data)
                .write_all_at(&[0; 4096], page as u64 * 4096)
                .unwrap();
        }
    }
    let store = open(dir.path());
    put(&store, b"\xff before it is found", b"1").unwrap();
    let found = store.read(&mut |txn| check_rows(txn, 1000..1001));
    let message = match found {
        Err(e @ StoreError::Damaged { .. }) => e.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(message.contains(data.to_str().unwrap()), "{message}");
    let refused = put(&store, b"\xff after", b"1");
    assert!(matches!(refused, Err(StoreError::Damaged { .. })));
    // What can be read can still be saved.
    assert!(get(&store, b"\xff before it is found").unwrap().is_some());
}

/// Whatever the meta pages and the free list say, looking at them ends.
#[test]
fn no_content_makes_the_check_fail_otherwise_than_by_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data.mdb");
    let store = open(dir.path());
    store.write(&mut |txn| put_rows(txn, 0..400)).unwrap();
    store
        .write(&mut |txn| (0..300).try_for_each(|n| txn.delete(Space::Tables, &row(n).0)))
        .unwrap();
    drop(store);
    let whole = std::fs::read(&data).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut outcomes = [0; 2];
    for _ in 0..1000 {
        let mut bytes = whole.clone();
        if random.bool() {
            bytes.truncate(random.usize(8192..bytes.len()));
        }
        for _ in 0..random.usize(1..6) {
            let at = match random.u8(..3) {
                0 => random.usize(..152),
                1 => 4096 + random.usize(..152),
                _ => random.usize(..bytes.len()),
            };
            bytes[at] = random.u8(..);
        }
        std::fs::write(&data, &bytes).unwrap();
        outcomes[usize::from(check::check(dir.path(), false).is_ok())] += 1;
    }
    assert!(outcomes.iter().all(|count| *count > 50), "{outcomes:?}");
}
