//! Repositories to clone, and what came of it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use resume_runtime::{OperationStatus, Scheduler, Start, Stopped};

use super::super::{Cloning, Env, Input, Output, prepare};
use crate::core::registry::Registry;
use crate::core::resume::OperationManager;
use crate::transfer::obtain::script::Script;
use crate::transfer::obtain::stems;
use crate::transfer::refs::{CloneDefaults, CloneOptions};

/// git with nothing of this machine's configuration; what it says without the last line feed.
pub(super) fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).env_clear().args(args);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    for (key, value) in [
        ("HOME", "/nonexistent"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "A"),
        ("GIT_AUTHOR_EMAIL", "a@x"),
        ("GIT_COMMITTER_NAME", "A"),
        ("GIT_COMMITTER_EMAIL", "a@x"),
        ("GIT_AUTHOR_DATE", "1700000000 +0000"),
        ("GIT_COMMITTER_DATE", "1700000000 +0000"),
    ] {
        command.env(key, value);
    }
    let out = command.output().unwrap();
    let error = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "git {args:?}: {error}");
    String::from_utf8_lossy(&out.stdout).trim_end().to_owned()
}

/// A repository with so many commits, each of which changes one of some files.
pub(super) fn repository(dir: &Path, commits: usize) {
    fs::create_dir_all(dir.join("src/deep")).unwrap();
    git(dir, &["init", "-q", "-b", "main"]);
    for n in 0..commits {
        let name = ["a", "src/b", "src/deep/c"][n % 3];
        let mut text = fs::read_to_string(dir.join(name)).unwrap_or_default();
        for line in 0..40 {
            text.push_str(&blake3::hash(format!("{n} {line}").as_bytes()).to_hex());
            text.push('\n');
        }
        fs::write(dir.join(name), text).unwrap();
        git(dir, &["add", "."]);
        git(dir, &["commit", "-q", "-m", &format!("change {n}")]);
    }
    git(dir, &["tag", "-a", "-m", "a release", "v1", "main~1"]);
    git(dir, &["branch", "side", "main~2"]);
}

/// Makes two bundles of the repository: `old.bundle` with all up to one commit, `new.bundle` with all
/// from there up to another.
pub(super) fn bundles(scratch: &Path, old: &str, new: &str) {
    let origin = scratch.join("origin");
    git(&origin, &["branch", "-f", "old", old]);
    git(&origin, &["branch", "-f", "new", new]);
    let create = ["bundle", "create", "-q"];
    git(&origin, &[&create[..], &["../old.bundle", "old"]].concat());
    let new = ["../new.bundle", "new", "^old"];
    git(&origin, &[&create[..], &new].concat());
    git(&origin, &["branch", "-q", "-D", "old", "new"]);
}

pub(super) fn input(scratch: &Path, bare: bool, staged: bool) -> Input {
    let mut options = CloneOptions::new("https://host/x.git", CloneDefaults::default());
    options.bare = bare;
    Input {
        options,
        target: scratch.join("new"),
        existed: false,
        staged,
    }
}

/// Clones to the end, or until it stops.
pub(super) async fn clone(input: &Input, script: &Script, tries: u32) -> Result<Output, Stopped> {
    let registry = Registry::in_dir(&input.target.parent().unwrap().join("state"));
    let script = script.clone();
    let env = move |_: &Input| Ok(Env::new(script.server(), 2, tries));
    let resumes = input.git_dir().exists();
    let db = if resumes {
        prepare::reopen(input).unwrap()
    } else {
        prepare::begin(input, &registry).unwrap()
    };
    let manager = OperationManager::new(db.clone());
    let scheduler = Scheduler::builder(db.into())
        .register::<Cloning>(env)
        .build();
    let handle = if resumes {
        let id = manager.list(None).unwrap()[0].id.clone();
        scheduler.resume::<Cloning>(&id).unwrap()
    } else {
        let start = Start::new();
        scheduler
            .start::<Cloning>(input.clone(), start)
            .await
            .unwrap()
    };
    let output = handle.await?;
    let op = &manager.list(None).unwrap()[0];
    assert_eq!(op.status, OperationStatus::Completed);
    Ok(output)
}

/// Compares a clone with what was cloned.
pub(super) fn assert_cloned(origin: &Path, input: &Input) {
    let new = &input.target;
    git(new, &["fsck", "--full", "--strict"]);
    let all = ["rev-list", "--objects", "--all", "--no-object-names"];
    let sorted = |dir: &Path, args: &[&str]| {
        let text = git(dir, args);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(new, &all), sorted(origin, &all));
    let tip = |dir: &Path| git(dir, &["rev-parse", "HEAD"]);
    assert_eq!(tip(new), tip(origin));
    if !input.options.is_bare() {
        assert_eq!(git(new, &["status", "--porcelain"]), "");
        let side = git(new, &["rev-parse", "origin/side"]);
        assert_eq!(side, git(origin, &["rev-parse", "side"]));
    }
    let packs = stems(&input.git_dir().join("objects/pack")).unwrap();
    assert_eq!(packs.len(), 1, "{packs:?}");
    let left = fs::read_dir(input.git_dir().join("mug/ops"));
    assert_eq!(left.map_or(0, Iterator::count), 0, "nothing is left");
}

pub(super) fn asked(script: &Script) -> usize {
    let asked = Arc::clone(&script.asked);
    let asked = asked.lock().unwrap();
    asked.len()
}
