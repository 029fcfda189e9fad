//! Every byte of a small pack changed, every file cut at every length: `verify` and restoring say
//! what is wrong, and nothing wrong is ever given back.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use resume_runtime::testing::scratch_parent;

use super::{full, verify};
use crate::pack::restore::source;
use crate::pack::restore::tests::fixture::{Order, add_layer, git, repository};
use crate::pack::restore::tests::plain::encode;

/// A pack of some objects, with deltas, in few bytes.
fn small(dir: &Path) -> PathBuf {
    let repo = repository(dir, 3);
    let out = dir.join("out");
    git(&repo, &["config", "pack.threads", "1"]);
    add_layer(&repo, &out, 4 << 20, Order::DepthFirst);
    out
}

/// What restoring gives, or why it gives nothing.
fn restored(pack: &Path) -> Result<Vec<u8>, String> {
    let source = source::open(pack).map_err(|error| error.to_string())?;
    let (pack, ..) = encode(&Arc::new(source), 1).map_err(|error| error.to_string())?;
    Ok(pack)
}

fn files(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
        } else {
            all.push(path);
        }
    }
}

/// Changes made to one file of a pack.
#[derive(Debug)]
enum Change {
    Byte(usize, u8),
    Cut(usize),
}

/// Runs `check` on a copy of the pack for each change, on all processors.
fn each(
    changes: &[(PathBuf, Change)],
    pack: &Path,
    check: impl Fn(&Path, &(PathBuf, Change)) + Sync,
) {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let dir = tempfile::tempdir_in(scratch_parent()).unwrap();
                let copy = dir.path().join("copy");
                super::copy(pack, &copy);
                loop {
                    let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(change) = changes.get(at) else { break };
                    let path = copy.join(&change.0);
                    let bytes = fs::read(&path).unwrap();
                    let mut new = bytes.clone();
                    match change.1 {
                        Change::Byte(at, value) => new[at] = value,
                        Change::Cut(length) => new.truncate(length),
                    }
                    fs::write(&path, new).unwrap();
                    check(&copy, change);
                    fs::write(&path, bytes).unwrap();
                }
            });
        }
    });
}

#[test]
fn any_byte_changed_and_any_file_cut_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let pack = small(dir.path());
    assert!(full(&pack).is_sound());
    let sound = restored(&pack).unwrap();
    let (mut all, mut changes) = (Vec::new(), Vec::new());
    files(&pack, &mut all);
    assert_eq!(all.len(), 4);
    for path in all {
        let name = path.strip_prefix(&pack).unwrap().to_owned();
        let bytes = fs::read(&path).unwrap();
        let is_text = path.ends_with("manifest.json") || path.ends_with("refs");
        for (at, byte) in bytes.iter().enumerate() {
            changes.push((name.clone(), Change::Cut(at)));
            if is_text {
                // What another value means is for a parser to say: try those that it knows.
                let values = b"\0\n \"9a,\xff";
                let values = values.iter().filter(|value| *value != byte);
                changes.extend(values.map(|value| (name.clone(), Change::Byte(at, *value))));
            } else {
                // A checksum does not care which bits.
                let flip = 1 << (at % 8);
                changes.push((name.clone(), Change::Byte(at, byte ^ flip)));
            }
        }
    }
    let count = changes.len();
    assert!((10_000..200_000).contains(&count), "{count} changes");
    each(&changes, &pack, |copy, change| {
        if let Ok(report) = verify(copy, true, 1) {
            assert!(!report.is_sound(), "{change:?} went unnoticed");
            let reason = &report.damages[0].reason;
            assert!(!reason.is_empty(), "{change:?}");
        }
        // What does not change the meaning of the manifest changes nothing in what it describes.
        if let Ok(bytes) = restored(copy) {
            assert!(bytes == sound, "{change:?} gave other objects");
            assert!(
                change.0.ends_with("manifest.json"),
                "{change:?} went unnoticed"
            );
        }
    });
}
