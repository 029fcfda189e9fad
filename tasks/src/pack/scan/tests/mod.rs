//! What a scan finds, held against `git rev-list --objects`.
#![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]

mod errors;
mod slices;

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use super::{Reach, Scan, ScanError, Universe};
use crate::pack::{
    select::{Repository, tips},
    source::{SourceList, Sources, hex},
    testing::GitRepo,
};

fn universe(git_dir: &Path) -> Universe {
    let objects = Repository::open(git_dir).unwrap().objects();
    let list = SourceList::find(&objects).unwrap();
    Universe::read(Arc::new(Sources::open(list, None).unwrap())).unwrap()
}

fn tip_numbers(git_dir: &Path, universe: &Universe, refs: &[&str]) -> Vec<u32> {
    let names: Vec<String> = refs.iter().map(ToString::to_string).collect();
    let refs = Repository::open(git_dir).unwrap().refs(&names).unwrap();
    tips(&refs)
        .into_iter()
        .map(|(_, id)| {
            let gix_hash::ObjectId::Sha1(oid) = id else {
                panic!("sha1")
            };
            universe.catalog.find(&universe.sources, &oid).unwrap()
        })
        .collect()
}

fn scan_all(universe: &Universe, threads: usize) -> Scan {
    let scan = Scan::new(universe);
    let stop = AtomicBool::new(false);
    let end = scan.run(universe, 0, threads, &stop, &|_| false).unwrap();
    assert_eq!(end, scan.len());
    scan
}

fn reach(git_dir: &Path, universe: &Universe, refs: &[&str]) -> Result<Reach, ScanError> {
    let tips = tip_numbers(git_dir, universe, refs);
    Reach::of(
        universe,
        scan_all(universe, 2),
        &tips,
        &AtomicBool::new(false),
    )
}

fn reached(universe: &Universe, reach: &Reach) -> BTreeSet<String> {
    let all: BTreeSet<String> = (0..universe.catalog.len())
        .filter(|id| reach.has(*id))
        .map(|id| hex(&universe.catalog.oid(&universe.sources, id)))
        .collect();
    assert_eq!(all.len(), reach.len() as usize);
    all
}

/// Holds what `refs` reach against what git says that `revisions` reach.
fn agree(repo: &GitRepo, refs: &[&str], revisions: &[&str]) {
    let universe = universe(repo.git_dir());
    let reach = reach(repo.git_dir(), &universe, refs).unwrap();
    assert_eq!(
        reached(&universe, &reach),
        repo.reachable(revisions),
        "{refs:?}"
    );
}

#[test]
fn loose_objects_only() {
    let repo = GitRepo::history(6);
    agree(&repo, &[], &["--all", "HEAD"]);
}

#[test]
fn several_packs_duplicates_loose_and_unreachable_objects() {
    let repo = GitRepo::history(20);
    repo.git(&["repack", "-q", "-d"]);
    // Unreachable, packed: a branch that is deleted after the repack.
    repo.git(&["checkout", "-q", "-b", "lost"]);
    repo.write("secret/key", "not for others");
    repo.write("src/deep/er/3", "changed on the lost branch");
    repo.commit("lost");
    repo.git(&["repack", "-q", "-d"]);
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["branch", "-q", "-D", "lost"]);
    // Everything once more, in a pack that duplicates the first.
    repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    repo.git(&["repack", "-q", "-a", "--no-write-bitmap-index"]);
    // Unreachable and reachable, loose.
    repo.write("unreachable", "loose and lost");
    repo.git(&["hash-object", "-w", "unreachable"]);
    std::fs::remove_file(repo.path().join("unreachable")).unwrap();
    repo.write("fresh", "loose and found");
    repo.commit("fresh");
    let packs = std::fs::read_dir(repo.git_dir().join("objects/pack")).unwrap();
    let packs = packs.filter(|e| {
        e.as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|e| e == "pack")
    });
    assert!(packs.count() >= 3);
    agree(&repo, &[], &["--all", "HEAD"]);
}

#[test]
fn merges_submodules_and_tags_of_everything() {
    let repo = GitRepo::history(5);
    let base = repo.git(&["rev-parse", "HEAD~3"]);
    repo.git(&["checkout", "-q", "-b", "side", &base]);
    repo.write("side", "side");
    repo.commit("side");
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    let elsewhere = "1234567890123456789012345678901234567890";
    let entry = format!("160000,{elsewhere},vendor/sub");
    repo.git(&["update-index", "--add", "--cacheinfo", &entry]);
    repo.git(&["commit", "-q", "-m", "submodule"]);
    repo.git(&["tag", "-a", "-m", "a commit", "annotated"]);
    repo.git(&["tag", "-a", "-m", "a tag", "nested", "annotated"]);
    repo.git(&["tag", "-a", "-m", "a tree", "tree", "HEAD~2^{tree}"]);
    repo.write("loner", "only a tag refers to this");
    let blob = repo.git(&["hash-object", "-w", "loner"]);
    repo.git(&["tag", "-a", "-m", "a blob", "blob", &blob]);
    let blob = repo.git(&["rev-parse", "HEAD:readme"]);
    repo.git(&["tag", "light-blob", &blob]);
    agree(&repo, &[], &["--all", "HEAD"]);
    for tag in ["nested", "tree", "blob", "light-blob"] {
        agree(&repo, &[tag], &[tag]);
    }
    repo.git(&["repack", "-q", "-a", "-d"]);
    agree(&repo, &[], &["--all", "HEAD"]);
    for refs in ["side", "tree", "blob"] {
        agree(&repo, &[refs], &[refs]);
    }
}

#[test]
fn every_commit_by_itself_out_of_one_pack() {
    let repo = GitRepo::history(25);
    repo.git(&["repack", "-q", "-a", "-d", "-f", "--depth=50"]);
    for back in [0, 1, 7, 20, 24] {
        let commit = repo.git(&["rev-parse", &format!("HEAD~{back}")]);
        repo.git(&["update-ref", "refs/heads/part", &commit]);
        agree(&repo, &["part"], &[&commit]);
    }
}

#[test]
fn a_detached_head_is_a_tip() {
    let repo = GitRepo::history(3);
    repo.git(&["checkout", "-q", "--detach"]);
    repo.write("detached", "on no branch");
    repo.commit("detached");
    agree(&repo, &[], &["--all", "HEAD"]);
    agree(&repo, &["main"], &["main"]);
}

#[test]
fn an_empty_repository_and_an_empty_tree_that_is_not_stored() {
    let repo = GitRepo::new();
    let universe = universe(repo.git_dir());
    assert!(reach(repo.git_dir(), &universe, &[]).unwrap().is_empty());
    let empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    let commit = repo.git(&["commit-tree", "-m", "empty", empty]);
    repo.git(&["update-ref", "refs/heads/main", &commit]);
    let stored = repo
        .git_dir()
        .join("objects/4b/825dc642cb6eb9a060e54bf8d69288fbee4904");
    let _ = std::fs::remove_file(stored);
    agree(&repo, &[], &["--all"]);
}

#[test]
fn alternates_are_sources() {
    let repo = GitRepo::history(6);
    repo.git(&["repack", "-q", "-a", "-d"]);
    repo.write("loose", "and loose ones");
    repo.commit("loose");
    let path = repo.path();
    repo.git(&[
        "clone",
        "-q",
        "--shared",
        path.to_str().unwrap(),
        "../shared",
    ]);
    let shared = repo.beside("shared");
    std::fs::write(shared.join("new"), "own").unwrap();
    for args in [&["add", "new"][..], &["commit", "-q", "-m", "own"]] {
        assert!(crate::pack::testing::git_in(&shared, args).status.success());
    }
    let git_dir = shared.join(".git");
    let universe = universe(&git_dir);
    let reach = reach(&git_dir, &universe, &["main"]).unwrap();
    let args = ["rev-list", "--objects", "--no-object-names", "main"];
    let expected = crate::pack::testing::git_in(&shared, &args).stdout;
    let expected: BTreeSet<String> = String::from_utf8(expected)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(reached(&universe, &reach), expected);
}

#[test]
fn names_are_the_smallest_that_any_tree_gives() {
    let repo = GitRepo::new();
    repo.write("zebra", "same");
    repo.write("sub/aardvark", "same");
    repo.commit("twice");
    let universe = universe(repo.git_dir());
    let scan = scan_all(&universe, 1);
    let number = |revision: &str| {
        let id = repo.git(&["rev-parse", revision]);
        let gix_hash::ObjectId::Sha1(oid) = gix_hash::ObjectId::from_hex(id.as_bytes()).unwrap()
        else {
            panic!("sha1")
        };
        universe.catalog.find(&universe.sources, &oid).unwrap()
    };
    assert_eq!(&*scan.names().get(number("HEAD:zebra")), b"aardvark");
    assert_eq!(&*scan.names().get(number("HEAD:sub")), b"sub");
    assert!(scan.names().get(number("HEAD")).is_empty());
}
