//! What tells a clone from git's own tells them apart.

use std::path::{Path, PathBuf};

use end_to_end::server::{HttpServer, Project};
use end_to_end::{Scratch, assert_cloned, packs};

/// Two clones by git of one server.
fn two() -> (Scratch, PathBuf, PathBuf) {
    let scratch = Scratch::new();
    Project::LITTLE.make(&scratch, "project.git");
    let server = HttpServer::start(&scratch);
    let url = server.url("project.git");
    for name in ["left", "right"] {
        scratch.git(".", &["clone", "-q", &url, name]);
    }
    let (left, right) = (scratch.join("left"), scratch.join("right"));
    (scratch, left, right)
}

#[test]
fn two_clones_are_alike() {
    let (scratch, left, right) = two();
    assert_cloned(&scratch, &left, &right);
    assert_eq!(packs(&scratch, &left), 1);
}

/// What is done to one of two clones, and what is then said of it.
fn told_apart(by: impl FnOnce(&Scratch, &Path) + Send + 'static) {
    let (scratch, left, right) = two();
    by(&scratch, &left);
    let compared = std::panic::catch_unwind(|| assert_cloned(&scratch, &left, &right));
    assert!(compared.is_err());
}

#[test]
fn another_ref_is_seen() {
    told_apart(|scratch, dir| {
        scratch.git(dir, &["update-ref", "refs/remotes/origin/x", "HEAD"]);
    });
}

#[test]
fn another_configuration_is_seen() {
    told_apart(|scratch, dir| {
        scratch.git(dir, &["config", "remote.origin.prune", "true"]);
    });
}

#[test]
fn a_reflog_that_is_not_there_is_seen() {
    told_apart(|_, dir| {
        std::fs::remove_file(dir.join(".git/logs/HEAD")).expect("a reflog");
    });
}

#[test]
fn a_file_that_is_not_there_is_seen() {
    told_apart(|scratch, dir| {
        let first = scratch.git(dir, &["ls-files"]);
        let first = first.lines().next().expect("a file");
        std::fs::remove_file(dir.join(first)).expect("a file");
    });
}

#[test]
fn an_object_of_nobody_is_seen() {
    told_apart(|scratch, dir| {
        scratch.git(dir, &["hash-object", "-w", ".git/config"]);
    });
}

#[test]
fn what_is_left_of_a_transfer_is_seen() {
    told_apart(|_, dir| {
        let ops = dir.join(".git/mug/ops/op-1");
        std::fs::create_dir_all(ops).expect("a directory");
    });
}
