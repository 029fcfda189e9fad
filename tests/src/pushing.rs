//! What pushes are tested with: a repository to push from, others to push to that count what they
//! take, and what is to be there in the end.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::server::Project;
use crate::{Output, Scratch};

/// A scratch directory with the repository `local.git` in it.
pub fn setup() -> Scratch {
    let scratch = Scratch::fast(200 << 20);
    Project::LITTLE.make(&scratch, "local.git");
    scratch
}

/// An empty repository that takes pushes; its hook `post-receive` writes a line a push to `log`, and
/// what was pushed to `pushed`.
///
/// # Panics
///
/// When it can't be made.
pub fn target(scratch: &Scratch, name: &str, config: &[(&str, &str)]) -> PathBuf {
    scratch.git(
        ".",
        &["init", "--quiet", "--bare", "--initial-branch=main", name],
    );
    let usual = [
        ("http.receivepack", "true"),
        ("daemon.receivepack", "true"),
        ("gc.auto", "0"),
    ];
    for (key, value) in usual.iter().chain(config) {
        scratch.git(name, &["config", key, value]);
    }
    let path = scratch.join(name);
    hook(&path, "post-receive", "cat >> pushed; echo >> log");
    path
}

/// Has a repository run this at that time.
///
/// # Panics
///
/// When it can't be written.
pub fn hook(repository: &Path, name: &str, script: &str) {
    let path = repository.join("hooks").join(name);
    fs::create_dir_all(repository.join("hooks")).expect("a directory");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a hook");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a hook that runs");
}

/// How many pushes a repository has taken.
pub fn pushes(path: &Path) -> usize {
    fs::read_to_string(path.join("log")).map_or(0, |log| log.lines().count())
}

/// The refs of a repository, a line each.
pub fn refs(scratch: &Scratch, name: &str) -> String {
    let format = "--format=%(objectname) %(refname)";
    scratch.git(name, &["for-each-ref", format])
}

/// Whether the target has these refs of the local repository, no others, and all objects.
///
/// # Panics
///
/// When it has not.
#[track_caller]
pub fn assert_pushed(scratch: &Scratch, name: &str, expected: &[&str]) {
    let local = refs(scratch, "local.git");
    let wanted: Vec<&str> = local
        .lines()
        .filter(|line| expected.iter().any(|it| line.ends_with(&format!(" {it}"))))
        .collect();
    assert_eq!(wanted.len(), expected.len());
    assert_eq!(refs(scratch, name), wanted.join("\n"));
    scratch.git(name, &["fsck", "--full", "--strict"]);
}

/// What most tests push.
pub const MAIN: &[&str] = &["refs/heads/main"];
/// Small enough for some ten increments.
pub const SMALL: &str = "--max-increment=40k";

/// Pushes from `local.git`.
pub fn push(scratch: &Scratch, to: &str, more: &[&str]) -> Output {
    scratch.mug("local.git", &[&["push", to], more].concat())
}

/// Bytes that nothing makes shorter, the same each time.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes
}
