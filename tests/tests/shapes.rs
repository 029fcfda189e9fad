//! Repositories of every shape: packed, restored, and equal.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::path::{Path, PathBuf};

use end_to_end::{Scratch, Shape, assert_same, head, memory, restored, round_trip, same_device};

const SHAPE: Shape = Shape {
    commits: 12,
    files: 9,
    lines: 30,
    seed: 4,
};

fn at(path: &Path) -> &str {
    path.to_str().expect("a scratch path is text")
}

fn plain(scratch: &Scratch) -> PathBuf {
    scratch.repository("plain", false, SHAPE)
}

fn bare(scratch: &Scratch) -> PathBuf {
    scratch.repository("bare.git", true, SHAPE)
}

#[test]
fn bare_repository() {
    let scratch = Scratch::new();
    let repository = bare(&scratch);
    round_trip(&scratch, &repository, &repository);
}

#[test]
fn from_within_the_working_tree() {
    let scratch = Scratch::new();
    let repository = plain(&scratch);
    round_trip(&scratch, &repository.join("dir-1"), &repository);
}

#[test]
fn linked_worktree() {
    let scratch = Scratch::new();
    let repository = plain(&scratch);
    scratch.git(
        &repository,
        &["worktree", "add", "-q", "../linked", "topic"],
    );
    let linked = scratch.join("linked");
    // The operation belongs to the repository, not to the worktree.
    scratch.mug(&linked, &["pack", "create", "../out"]).ok();
    let ids = |dir: &Path| {
        let records = scratch.operations(dir, &[]);
        records
            .iter()
            .map(|op| op.id().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&linked).len(), 1);
    assert_eq!(ids(&linked), ids(&repository));
    restored(&scratch, &linked);
}

#[test]
fn loose_objects_only() {
    let scratch = Scratch::new();
    let repository = plain(&scratch);
    unpack(&scratch, &repository);
    let count = scratch.git(&repository, &["count-objects", "-v"]);
    assert!(count.contains("in-pack: 0\n"), "{count}");
    round_trip(&scratch, &repository, &repository);
}

/// Turns all packs into loose objects.
fn unpack(scratch: &Scratch, repository: &Path) {
    let script = "mv .git/objects/pack ../packs && mkdir .git/objects/pack && \
                  for pack in ../packs/*.pack; do git unpack-objects -q < $pack; done";
    let mut command = scratch.command("sh", repository);
    assert!(
        command
            .args(["-c", script])
            .status()
            .expect("sh runs")
            .success()
    );
}

#[test]
fn several_packs_with_the_same_objects_and_loose_ones() {
    let scratch = Scratch::new();
    let repository = plain(&scratch);
    unpack(&scratch, &repository);
    let pack = |revision: &str| {
        let script = format!("echo {revision} | git pack-objects -q --revs .git/objects/pack/pack");
        let mut command = scratch.command("sh", &repository);
        assert!(
            command
                .args(["-c", &script])
                .status()
                .expect("sh runs")
                .success()
        );
    };
    for revision in ["main~8", "main~4", "topic"] {
        pack(revision);
    }
    scratch.git(&repository, &["prune-packed"]);
    pack("main~6");
    let count = scratch.git(&repository, &["count-objects", "-v"]);
    assert!(count.contains("packs: 4"), "{count}");
    assert!(!count.starts_with("count: 0"), "{count}");
    round_trip(&scratch, &repository, &repository);
}

#[test]
fn objects_of_an_alternate() {
    let scratch = Scratch::new();
    let source = bare(&scratch);
    scratch.git(".", &["clone", "-q", "--shared", at(&source), "shared"]);
    let shared = scratch.join("shared");
    scratch.git(&shared, &["commit", "-q", "--allow-empty", "-m", "own"]);
    round_trip(&scratch, &shared, &shared);
}

#[test]
fn head_of_a_branch_that_is_not_born() {
    let scratch = Scratch::new();
    let repository = bare(&scratch);
    scratch.git(&repository, &["symbolic-ref", "HEAD", "refs/heads/unborn"]);
    round_trip(&scratch, &repository, &repository);
    assert_eq!(
        head(&scratch, &scratch.join("new")),
        "ref: refs/heads/unborn"
    );
}

#[test]
fn empty_repository() {
    let scratch = Scratch::new();
    scratch.git(".", &["init", "-q", "--initial-branch=first", "empty"]);
    let repository = scratch.join("empty");
    round_trip(&scratch, &repository, &repository);
    assert_eq!(
        head(&scratch, &scratch.join("new.git")),
        "ref: refs/heads/first"
    );
}

#[test]
fn detached_head() {
    let scratch = Scratch::new();
    let repository = plain(&scratch);
    scratch.git(&repository, &["checkout", "-q", "--detach", "main~3"]);
    round_trip(&scratch, &repository, &repository);
}

#[test]
fn head_that_no_branch_reaches() {
    let scratch = Scratch::new();
    let repository = plain(&scratch);
    scratch.git(&repository, &["checkout", "-q", "--detach", "main~3"]);
    scratch.git(
        &repository,
        &["commit", "-q", "--allow-empty", "-m", "alone"],
    );
    let alone = scratch.git(&repository, &["rev-parse", "HEAD"]);
    round_trip(&scratch, &repository, &repository);
    assert_eq!(scratch.git("new.git", &["rev-parse", "HEAD"]), alone);
}

#[test]
fn tags_of_tags_symbolic_refs_and_packed_refs() {
    let scratch = Scratch::new();
    let repository = plain(&scratch);
    let git = |args: &[&str]| scratch.git(&repository, args);
    git(&["tag", "-a", "-m", "outer", "outer", "annotated"]);
    git(&["tag", "tree", "main^{tree}"]);
    git(&["tag", "blob", "main:dir-1/file-1.txt"]);
    git(&["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
    git(&["pack-refs", "--all"]);
    git(&["update-ref", "refs/notes/odd", "main~2"]);
    round_trip(&scratch, &repository, &repository);
}

#[test]
fn odd_names_modes_and_links() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new();
    let repository = plain(&scratch);
    let write = |name: &str, content: &[u8]| {
        std::fs::write(repository.join(name), content).expect("a file");
    };
    write("with space\tand tab", b"1");
    write("\u{fc}\u{4e16}\u{1f600}", b"2");
    write("empty", b"");
    write("large", &vec![7; 9 << 20]);
    write("run", b"#!/bin/sh\n");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(repository.join("run"), mode).expect("a mode");
    std::os::unix::fs::symlink("empty", repository.join("link")).expect("a link");
    scratch.git(&repository, &["add", "-A"]);
    scratch.git(&repository, &["commit", "-q", "-m", "odd"]);
    round_trip(&scratch, &repository, &repository);
    let link = std::fs::read_link(scratch.join("new/link")).expect("a link");
    assert_eq!(link, Path::new("empty"));
    let run = scratch.join("new/run").metadata().expect("it is there");
    assert_eq!(run.permissions().mode() & 0o111, 0o111);
}

#[test]
fn chosen_refs_only() {
    let scratch = Scratch::new();
    let repository = bare(&scratch);
    scratch
        .mug(&repository, &["pack", "create", "../out", "topic"])
        .ok();
    scratch
        .mug(".", &["pack", "restore", "out", "new", "--bare"])
        .ok();
    scratch.git("new", &["fsck", "--full", "--strict"]);
    assert_eq!(
        scratch.git("new", &["show-ref"]),
        scratch.git(&repository, &["show-ref", "refs/heads/topic"])
    );
    // What only the others reach may be a secret.
    let count = |dir: &Path, revision: &str| {
        scratch.git(dir, &["rev-list", "--objects", "--count", revision])
    };
    let packed = scratch.git("new", &["count-objects", "-v"]);
    let in_pack = format!("in-pack: {}\n", count(&repository, "topic"));
    assert!(packed.contains(&in_pack), "{packed}");
    assert_ne!(count(&repository, "topic"), count(&repository, "main"));
}

#[test]
fn from_one_file_system_to_another() {
    let scratch = Scratch::new();
    let Some(memory) = memory(64 << 20) else {
        println!("skipped: this machine has no file system in memory with room");
        return;
    };
    if same_device(scratch.path(), memory) {
        println!("skipped: {} is no other file system", memory.display());
        return;
    }
    let other = tempfile::tempdir_in(memory).expect("a directory");
    let repository = bare(&scratch);
    let (out, new) = (other.path().join("out"), other.path().join("new"));
    scratch.mug(&repository, &["pack", "create", at(&out)]).ok();
    scratch
        .mug(&repository, &["pack", "create", at(&scratch.join("out"))])
        .ok();
    assert_same(&out, &scratch.join("out"));
    // And back: the pack there, the repository here, and the other way round.
    scratch.mug(".", &["pack", "restore", at(&out), "new"]).ok();
    scratch.mug(".", &["pack", "restore", "out", at(&new)]).ok();
    for new in [&scratch.join("new"), &new] {
        scratch.git(new, &["fsck", "--full", "--strict"]);
        assert_eq!(
            scratch.git(new, &["show-ref"]),
            scratch.git(&repository, &["show-ref"])
        );
    }
}
