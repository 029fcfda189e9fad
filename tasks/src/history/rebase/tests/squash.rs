//! Commits that are melded into others (`--autosquash`), by mug and by git without an editor.

use std::fs;
use std::path::{Path, PathBuf};

use resume_runtime::testing::{Case, assert_resumable};

use super::super::{End, Input, Rebase, Wish};
use super::conflicts::{assert_stopped_alike, resolve};
use super::crash::observe;
use super::fixture::{Pair, Run, env, input, listen};
use super::linear::text;
use crate::history::testing::{commit, git, init, put, try_git};

/// A branch `side` with these commits, each with a file of its own, over a `main` that went on.
fn branch(dir: &Path, messages: &[&str]) -> PathBuf {
    let repo = init(dir);
    put(&repo, "file", text(&[]));
    commit(&repo, "base");
    git(&repo, &["switch", "-q", "-c", "side"]);
    for (n, message) in messages.iter().enumerate() {
        put(&repo, &format!("s{n}"), format!("{message}\n"));
        git(&repo, &["add", "-A"]);
        git(
            &repo,
            &["commit", "-q", "--cleanup=verbatim", "-m", message],
        );
    }
    git(&repo, &["switch", "-q", "main"]);
    put(&repo, "file", text(&[(10, "main"), (20, "main")]));
    commit(&repo, "main");
    git(&repo, &["switch", "-q", "side"]);
    listen(&repo, &["post-rewrite"]);
    repo
}

/// The hook is told the same at the end. Git has `git commit --amend` melding the last one, which tells it
/// of a commit that was in between, too.
#[track_caller]
fn assert_rewritten_alike(pair: &Pair) {
    let said = |repo: &Path| {
        let said = fs::read_to_string(repo.join(".git/said")).unwrap_or_default();
        let at = said.find("post-rewrite rebase").unwrap_or(said.len());
        said[at..].to_owned()
    };
    assert_eq!(said(&pair.mug), said(&pair.git));
}

#[test]
fn commits_are_melded_as_by_git() {
    for messages in [
        &["one\n\nbody", "two", "fixup! one", "fixup! two\n\nnot kept"][..],
        &[
            "one\n\nbody\n",
            "two",
            "squash! one\n\nmore\n\n\nmore",
            "three",
        ],
        &[
            "one",
            "squash! one",
            "two",
            "squash! one\n\nsecond",
            "fixup! one\n\nthird",
        ],
        &[
            "one",
            "fixup! one\n\nfirst",
            "squash! one\n\nsecond",
            "fixup! one",
        ],
        &["one", "amend! one\n\nanother one\n\nwith a body", "two"],
        &[
            "one",
            "fixup! one",
            "amend! one\n\nanother one",
            "fixup! one",
        ],
        &[
            "one",
            "squash! one\n\nsecond",
            "amend! one\n\nanother one\n\n# no comment",
        ],
        &["one", "amend! one\n\nanother", "squash! one\n\nsecond"],
        &[
            "one",
            "amend! one\n\nfirst",
            "amend! amend! one\n\nsecond",
            "fixup! fixup! one",
        ],
        &[
            "one two",
            "three",
            "squash! one\n\nby the beginning",
            "fixup! nobody",
        ],
        // The first one stays where it lies.
        &["fixup! one", "one", "fixup! fixup! one"],
    ] {
        let pair = Pair::new(|dir| branch(dir, messages));
        pair.same(&["--autosquash", "main"]);
        assert_rewritten_alike(&pair);
        // What is melded into lies there already.
        let pair = Pair::new(|dir| branch(dir, messages));
        pair.same(&["--autosquash", "main~1"]);
        assert_rewritten_alike(&pair);
        let pair = Pair::new(|dir| branch(dir, messages));
        pair.same(&["--autosquash", "--root"]);
        assert_rewritten_alike(&pair);
    }
}

#[test]
fn with_commands_and_as_configured() {
    let messages = [
        "one\n\n# kept?\n\n; x",
        "two  \n\n\n\nx",
        "squash! one\n\n# b\n; c",
        "fixup! one",
    ];
    let show = "git log -1 --format=%B >> .git/seen";
    let melded = [
        &["--autosquash", "main"][..],
        &["--autosquash", "-x", show, "main"],
    ];
    let plain = [&["main"][..]];
    for (key, value, all) in [
        ("core.commentChar", ";", &melded[..]),
        ("commit.cleanup", "strip", &melded),
        ("commit.cleanup", "strip", &plain),
        ("commit.cleanup", "whitespace", &plain),
        ("commit.cleanup", "verbatim", &plain),
        ("commit.cleanup", "scissors", &plain),
        // For `-i` alone.
        ("rebase.autoSquash", "true", &plain),
    ] {
        for args in all {
            let pair = Pair::new(|dir| {
                let repo = branch(dir, &messages);
                git(&repo, &["config", key, value]);
                repo
            });
            pair.same(args);
            assert_rewritten_alike(&pair);
        }
    }
}

#[test]
fn one_that_is_named_by_its_id() {
    let pair = Pair::new(|dir| {
        let repo = branch(dir, &["one", "two"]);
        let id = git(&repo, &["rev-parse", "--short", "HEAD~1"]);
        put(&repo, "more", "more\n");
        commit(&repo, &format!("fixup! {}", id.trim()));
        repo
    });
    let output = pair.same(&["--autosquash", "main"]);
    assert_eq!((output.picked, output.melded), (2, 1));
}

#[test]
fn the_last_one_is_there_already() {
    for last in ["fixup! one", "squash! one"] {
        let pair = Pair::new(|dir| {
            let repo = branch(dir, &["one", "squash! one\n\nsecond", last]);
            git(&repo, &["switch", "-q", "main"]);
            put(&repo, "s2", format!("{last}\n"));
            put(&repo, "more", "more\n");
            commit(&repo, "the last one, and more");
            git(&repo, &["switch", "-q", "side"]);
            repo
        });
        pair.same(&["--autosquash", "main"]);
        assert_rewritten_alike(&pair);
    }
}

/// `side` has a commit, and others that are melded into it, of which those with a line conflict with
/// `main`.
fn conflicting(dir: &Path, melded: &[(&str, Option<usize>)]) -> PathBuf {
    let repo = init(dir);
    put(&repo, "file", text(&[]));
    commit(&repo, "base");
    git(&repo, &["switch", "-q", "-c", "side"]);
    put(&repo, "s", "s\n");
    commit(&repo, "one\n\nbody");
    put(&repo, "two", "two\n");
    commit(&repo, "two");
    for (n, (message, line)) in melded.iter().enumerate() {
        put(&repo, &format!("s{n}"), "s\n");
        if let Some(line) = line {
            let before = fs::read_to_string(repo.join("file")).unwrap();
            let changed = before.replace(&format!("line {line}\n"), &format!("side {n}\n"));
            put(&repo, "file", changed);
        }
        commit(&repo, message);
    }
    git(&repo, &["switch", "-q", "main"]);
    put(
        &repo,
        "file",
        text(&[(10, "main"), (20, "main"), (30, "main")]),
    );
    commit(&repo, "main");
    git(&repo, &["switch", "-q", "side"]);
    listen(&repo, &["post-rewrite"]);
    repo
}

type Melded = &'static [(&'static str, Option<usize>)];

const CHAINS: [Melded; 5] = [
    &[("fixup! one", Some(10))],
    &[
        ("squash! one\n\nfirst", Some(10)),
        ("squash! one\n\nsecond", Some(20)),
    ],
    &[
        ("squash! one\n\nfirst", None),
        ("fixup! one\n\nsecond", Some(20)),
    ],
    &[
        ("fixup! one", None),
        ("fixup! one\n\nsecond", Some(10)),
        ("squash! one\n\nlast", None),
    ],
    &[
        ("squash! one\n\nx", Some(10)),
        ("amend! one\n\nnew", Some(20)),
        ("fixup! two", Some(30)),
    ],
];

/// Both rebase to the end, and do `act` at each conflict.
#[track_caller]
fn both(melded: Melded, act: impl Fn(&Path), by_git: &str, wish: Wish) {
    let pair = Pair::new(|dir| conflicting(dir, melded));
    let args = ["--autosquash", "main"];
    let mut done = try_git(&pair.git, &[&["rebase"], &args[..]].concat())
        .status
        .success();
    let mut run = Run::new();
    let mut output = run.start(input(&pair.mug, &args));
    let mut stops = 0;
    while !done {
        output.unwrap_err();
        stops += 1;
        assert_stopped_alike(&pair);
        act(&pair.git);
        act(&pair.mug);
        done = try_git(&pair.git, &["rebase", by_git]).status.success();
        output = run.go_on(wish);
    }
    assert!(stops > 0);
    output.unwrap();
    pair.assert_same();
    assert_rewritten_alike(&pair);
}

#[test]
fn conflicts_are_resolved() {
    for melded in CHAINS {
        both(melded, resolve, "--continue", Wish::Continue);
    }
}

#[test]
fn conflicts_are_left_out() {
    for melded in CHAINS {
        both(melded, |_| (), "--skip", Wish::Skip);
    }
}

#[test]
fn conflicts_are_committed_by_hand() {
    let commit = |repo: &Path| {
        resolve(repo);
        git(repo, &["commit", "-q", "--amend", "-m", "in my own words"]);
    };
    for melded in CHAINS {
        both(melded, commit, "--continue", Wish::Continue);
    }
}

#[test]
fn conflicts_are_gone_on_with_by_git() {
    let resolve_and_go_on = |repo: &Path| {
        resolve(repo);
        let todo = fs::read(repo.join(".git/rebase-merge/git-rebase-todo")).unwrap();
        // To the next conflict, not to the end.
        if todo.windows(5).any(|word| word == b"fixup") {
            assert!(!try_git(repo, &["rebase", "--continue"]).status.success());
            resolve(repo);
        }
    };
    both(CHAINS[4], resolve_and_go_on, "--continue", Wish::Continue);
}

#[test]
fn given_up() {
    let pair = Pair::new(|dir| conflicting(dir, CHAINS[1]));
    let args = ["--autosquash", "main"];
    try_git(&pair.git, &[&["rebase"], &args[..]].concat());
    let mut run = Run::new();
    run.start(input(&pair.mug, &args)).unwrap_err();
    git(&pair.git, &["rebase", "--abort"]);
    assert_eq!(run.go_on(Wish::Abort).unwrap().end, End::Aborted);
    pair.assert_same();
}

#[test]
fn nothing_would_be_left_of_both() {
    let pair = Pair::new(|dir| {
        let repo = branch(dir, &["one", "two"]);
        fs::remove_file(repo.join("s0")).unwrap();
        commit(&repo, "fixup! one");
        repo
    });
    let args = ["--autosquash", "main"];
    assert!(
        !try_git(&pair.git, &[&["rebase"], &args[..]].concat())
            .status
            .success()
    );
    let mut run = Run::new();
    run.start(input(&pair.mug, &args)).unwrap_err();
    assert_eq!(
        git(&pair.mug, &["ls-files", "-s"]),
        git(&pair.git, &["ls-files", "-s"])
    );
    git(&pair.git, &["rebase", "--continue"]);
    run.go_on(Wish::Continue).unwrap();
    pair.assert_same();
}

#[tokio::test]
async fn melding_stands_every_crash() {
    let make = |scratch: &Path| -> Input {
        let repo = conflicting(scratch, CHAINS[4]);
        input(&repo, &["--autosquash", "main"])
    };
    let case = Case::<Rebase>::with_env(make, |_, _| Ok(env(Wish::Continue)))
        .user(|scratch, _| resolve(&scratch.join("repo")))
        .observe(observe)
        .states_may_differ()
        // What `git add` wrote may go with the power, as with Git: that is at no point of this seed.
        .seed(3)
        .points(5);
    assert_resumable(case).await;
}
