//! A repository that is older than the one it was cloned from, and what a fetch made of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::super::{Env, Input, Told};
use crate::transfer::obtain::script::Script;
use crate::transfer::refs::Committer;
use crate::transfer::refs::fetch::FetchOptions;

/// git with nothing of this machine's configuration; what it says without the last line feed.
pub(super) fn git(dir: &Path, words: &str) -> String {
    let mut command = Command::new("git");
    command
        .current_dir(dir)
        .env_clear()
        .args(words.split_whitespace());
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
    assert!(out.status.success(), "git {words}: {error}");
    String::from_utf8_lossy(&out.stdout).trim_end().to_owned()
}

fn change(dir: &Path, range: std::ops::Range<usize>) {
    for n in range {
        let name = ["a", "src/b", "src/deep/c"][n % 3];
        let mut text = fs::read_to_string(dir.join(name)).unwrap_or_default();
        for line in 0..40 {
            text.push_str(&blake3::hash(format!("{n} {line}").as_bytes()).to_hex());
            text.push('\n');
        }
        fs::write(dir.join(name), text).unwrap();
        git(dir, "add .");
        git(dir, &format!("commit -q -m change-{n}"));
    }
}

/// Makes `origin` and `ours` in `scratch`: the first has moved on since the other was cloned.
pub(super) fn pair(scratch: &Path) {
    let origin = scratch.join("origin");
    fs::create_dir_all(origin.join("src/deep")).unwrap();
    git(&origin, "init -q -b main");
    change(&origin, 0..3);
    for words in ["branch side", "branch gone", "branch dir", "tag old"] {
        git(&origin, words);
    }
    let url = format!("file://{}", origin.display());
    git(scratch, &format!("clone -q {url} ours"));
    git(&scratch.join("ours"), "config gc.auto 0");
    git(&scratch.join("ours"), "pack-refs --all");
    change(&origin, 3..9);
    for words in [
        "tag light main~1",
        "tag -a -m r anno main~2",
        "branch -D gone",
        "branch -D dir",
        "branch dir/new",
        "checkout -q side",
        "reset -q --hard HEAD~1",
    ] {
        git(&origin, words);
    }
    change(&origin, 9..10);
    git(&origin, "checkout -q main");
}

pub(super) fn input(scratch: &Path) -> Input {
    Input {
        options: FetchOptions {
            prune: Some(true),
            ..FetchOptions::default()
        },
        git_dir: scratch.join("ours/.git"),
        url: "https://host/x.git".into(),
        action: "fetch --prune origin".into(),
        staged: false,
    }
}

/// A process that always writes the same into logs.
pub(super) fn env(scratch: &Path, script: &Script, tries: u32) -> Env {
    let options = gix::open::Options::isolated().config_overrides([
        "user.name=A",
        "user.email=a@x",
        "gitoxide.commit.committerDate=1700000000 +0000",
    ]);
    let repo = gix::open_opts(scratch.join("ours"), options).unwrap();
    let mut env = Env::new(script.server(), 2, tries, Told::default());
    env.committer = Some(Committer::of(&repo));
    env
}

/// All that a fetch may have touched.
pub(super) fn observe(scratch: &Path) -> BTreeMap<String, String> {
    let ours = scratch.join("ours");
    let git_dir = ours.join(".git");
    let mut seen = BTreeMap::new();
    let reached = git(&ours, "rev-list --objects --all --no-object-names");
    let mut reached: Vec<&str> = reached.lines().collect();
    reached.sort_unstable();
    seen.insert("objects".to_owned(), reached.join("\n"));
    for words in ["for-each-ref", "fsck --full", "config --local --list"] {
        seen.insert(words.to_owned(), git(&ours, words));
    }
    seen.insert("log of HEAD".to_owned(), git(&ours, "reflog show HEAD"));
    for name in ["FETCH_HEAD", "packed-refs"] {
        seen.insert(
            name.to_owned(),
            fs::read_to_string(git_dir.join(name)).unwrap(),
        );
    }
    list(&git_dir.join("logs"), &mut seen);
    list(&git_dir.join("refs"), &mut seen);
    let packs = fs::read_dir(git_dir.join("objects/pack")).unwrap();
    for path in packs.map(|it| it.unwrap().path()) {
        let kept = path.extension().is_some_and(|it| it == "keep");
        assert!(!kept, "{} is left", path.display());
    }
    seen
}

fn list(dir: &Path, to: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        assert!(
            path.extension().is_none_or(|it| it != "lock"),
            "{}",
            path.display()
        );
        if path.is_dir() {
            list(&path, to);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            to.insert(path.display().to_string(), text);
        }
    }
}
