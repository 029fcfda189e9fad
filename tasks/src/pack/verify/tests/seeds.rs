//! The inputs that fuzzing begins with: `tasks/fuzz/corpus`, one directory a target.

use std::fs;
use std::path::Path;

use crate::pack::format::{PackDir, Refs};
use crate::pack::restore::tests::fixture::{
    Order, add_empty_layer, add_layer, git, grow, refs, repository,
};

/// Writes inputs of the newest layer of a pack for all targets.
fn write(pack: &Path, corpus: &Path, name: &str) {
    let pack = PackDir::open(pack).unwrap();
    let layer = pack.layer_path(&pack.manifest().layers.last().unwrap().id);
    let read = |name: &str| fs::read(layer.join(name)).unwrap_or_default();
    let (refs, mut index, frames) = (read("refs"), read("index"), read("frames-0000"));
    // The target makes the checksum right.
    index.truncate(index.len() - 32);
    let length = |part: &[u8]| u32::try_from(part.len()).unwrap().to_le_bytes();
    let all = [&length(&refs)[..], &refs, &length(&index), &index, &frames].concat();
    let manifest = pack.manifest().to_bytes();
    for (target, bytes) in [
        ("manifest", manifest),
        ("frames", all),
        ("refs", refs),
        ("index", index),
    ] {
        let dir = corpus.join(target);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(name), bytes).unwrap();
    }
}

#[test]
#[ignore = "writes to tasks/fuzz/corpus, which is committed"]
fn the_inputs_that_fuzzing_begins_with_are_written() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let dir = tempfile::tempdir().unwrap();
    let made = |name: &str| dir.path().join(name);
    add_empty_layer(&made("empty"));
    write(&made("empty"), &corpus, "empty");

    let repo = repository(dir.path(), 2);
    for (name, frame_size) in [("one-frame", 4 << 20), ("frames", 600)] {
        add_layer(&repo, &made(name), frame_size, Order::DepthFirst);
        write(&made(name), &corpus, name);
    }
    // Deltas across layers.
    grow(&repo, 2..4);
    add_layer(&repo, &made("frames"), 600, Order::Pack);
    write(&made("frames"), &corpus, "layer");
    // An object in several frames, and lists of what is not there.
    git(&repo, &["checkout", "-q", "--orphan", "other"]);
    git(&repo, &["rm", "-rfq", "."]);
    fs::write(repo.join("large"), "0123456789".repeat(70)).unwrap();
    git(&repo, &["add", "large"]);
    git(&repo, &["commit", "-qm", "large"]);
    let id = |byte| gix_hash::ObjectId::Sha1([byte; 20]);
    let cut_off = Refs {
        shallow: vec![id(1)],
        missing: vec![id(2), id(3)],
        ..refs(&repo)
    };
    let text = cut_off.to_bytes(Path::new("refs")).unwrap();
    fs::write(corpus.join("refs/cut-off"), text).unwrap();
    for name in ["heads/main", "heads/side", "remotes/origin/main"] {
        git(&repo, &["update-ref", "-d", &format!("refs/{name}")]);
    }
    git(&repo, &["tag", "-d", "v1"]);
    git(&repo, &["reflog", "expire", "--expire=now", "--all"]);
    git(&repo, &["repack", "-adfq"]);
    add_layer(&repo, &made("large"), 200, Order::Pack);
    write(&made("large"), &corpus, "large");
}
