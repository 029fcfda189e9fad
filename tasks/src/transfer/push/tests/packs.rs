//! Packs against those of git.

use std::{path::Path, process::Command};

use gix::hashtable::HashSet;
use gix_hash::ObjectId;

use crate::transfer::push::{
    contents::{Collector, Limits},
    history,
    pack::{Made, Options, write},
    store::Store,
};

fn oid(text: &str) -> ObjectId {
    ObjectId::from_hex(text.trim().as_bytes()).unwrap()
}

/// The pack for a reader that has `known`.
pub(super) fn pack(git_dir: &Path, tips: &[&str], known: &[&str], thin: bool) -> (Made, Vec<u8>) {
    let store = Store::at(&git_dir.join("objects")).unwrap();
    let tips: Vec<_> = tips.iter().map(|id| oid(id)).collect();
    let known: Vec<_> = known.iter().map(|id| oid(id)).collect();
    let none = HashSet::default();
    let commits = history::missing(&store, &tips, &known, &none, &|| false).unwrap();
    let mut collector = Collector::new(&store, Limits { blob: u64::MAX });
    for id in &commits {
        collector.commit(*id, false).unwrap();
    }
    for tip in tips {
        collector.object(tip).unwrap();
    }
    let options = Options {
        thin,
        ofs: true,
        threads: 2,
    };
    let mut out = Vec::new();
    let contents = collector.contents;
    let made = write(contents, &store, options, &mut out, &|| false).unwrap();
    assert_eq!(made.bytes, out.len() as u64);
    (made, out)
}

/// The length of git's pack for the same.
fn gits(git_dir: &Path, tips: &[&str], known: &[&str]) -> u64 {
    use std::io::Write as _;
    let mut child = Command::new("git")
        .args([
            "pack-objects",
            "--revs",
            "--thin",
            "--stdout",
            "--delta-base-offset",
            "-q",
        ])
        .current_dir(git_dir)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for tip in tips {
        writeln!(input, "{tip}").unwrap();
    }
    for id in known {
        writeln!(input, "^{id}").unwrap();
    }
    drop(input);
    child.wait_with_output().unwrap().stdout.len() as u64
}

/// By hand, on a large repository: `MUG_CORPUS=x.git cargo test … -- --ignored --nocapture`.
#[test]
#[ignore = "wants a corpus"]
fn bytes_beside_those_of_git() {
    let Some(corpus) = std::env::var_os("MUG_CORPUS") else {
        return;
    };
    let corpus = Path::new(&corpus);
    let rev = |rev: &str| {
        let out = Command::new("git")
            .args(["rev-parse", rev])
            .current_dir(corpus)
            .output()
            .unwrap();
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    };
    let head = rev("HEAD");
    for back in [1, 2, 10, 100, 1000, 3000] {
        let old = rev(&format!("HEAD~{back}"));
        let began = std::time::Instant::now();
        let (made, _) = pack(corpus, &[&head], &[&old], true);
        let took = began.elapsed();
        let began = std::time::Instant::now();
        let git = gits(corpus, &[&head], &[&old]);
        let ratio = made.bytes as f64 / git as f64;
        println!(
            "{back}: {} objects, {} deltas, {} bytes in {took:?}; git {git} in {:?}: {ratio:.3}",
            made.objects,
            made.deltas,
            made.bytes,
            began.elapsed()
        );
    }
}
