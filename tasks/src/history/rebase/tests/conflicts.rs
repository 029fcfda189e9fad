//! Conflicts: resolved, skipped and given up, by mug and by git.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::{End, Wish};
use super::fixture::{Pair, Run, input};
use super::linear::text;
use crate::history::testing::{commit, git, init, put, try_git};

/// Of five commits on `side` the second and the fourth conflict with `main`.
pub(super) fn conflicting(dir: &Path) -> PathBuf {
    let repo = init(dir);
    put(&repo, "file", text(&[]));
    commit(&repo, "base");
    git(&repo, &["switch", "-q", "-c", "side"]);
    for (n, line) in [(1, 30), (2, 10), (3, 38), (4, 20), (5, 34)] {
        let before = fs::read_to_string(repo.join("file")).unwrap();
        let changed = before.replace(&format!("line {line}\n"), &format!("side {n}\n"));
        put(&repo, "file", changed);
        put(&repo, &format!("s{n}"), "s\n");
        commit(&repo, &format!("side {n}\n\nbody {n}"));
    }
    git(&repo, &["switch", "-q", "main"]);
    put(&repo, "file", text(&[(10, "main"), (20, "main")]));
    commit(&repo, "main");
    git(&repo, &["switch", "-q", "side"]);
    repo
}

/// Takes the side's lines.
pub(super) fn resolve(repo: &Path) {
    let content = fs::read_to_string(repo.join("file")).unwrap();
    let mut out = String::new();
    let mut ours = false;
    for line in content.lines() {
        match line.get(..7) {
            Some("<<<<<<<") => ours = true,
            Some("=======") => ours = false,
            Some(">>>>>>>") => {}
            _ if ours => {}
            _ => out.extend([line, "\n"]),
        }
    }
    put(repo, "file", out);
    git(repo, &["add", "file"]);
}

/// The same state at a conflict, as far as git shows it.
#[track_caller]
pub(super) fn assert_stopped_alike(pair: &Pair) {
    for args in [
        &["status"][..],
        &["ls-files", "-s"],
        &["diff", "--cc"],
        &["rev-parse", "HEAD", "ORIG_HEAD"],
        &["rev-parse", "-q", "--verify", "REBASE_HEAD"],
        &["reflog", "-20", "--format=%H %gs"],
    ] {
        let said = |repo: &Path| {
            let output = try_git(repo, args);
            (output.status.code(), String::from_utf8(output.stdout))
        };
        assert_eq!(said(&pair.mug), said(&pair.git), "{args:?}");
    }
    for name in [
        "done",
        "git-rebase-todo",
        "message",
        "author-script",
        "msgnum",
        "end",
        "head-name",
        "onto",
        "orig-head",
        "stopped-sha",
        "rewritten-list",
        "rewritten-pending",
        "amend",
        "current-fixups",
        "message-squash",
        "message-fixup",
        "keep_redundant_commits",
        "drop_redundant_commits",
    ] {
        let read = |repo: &Path| fs::read_to_string(repo.join(".git/rebase-merge").join(name)).ok();
        assert_eq!(read(&pair.mug), read(&pair.git), "{name}");
    }
    for name in ["MERGE_MSG", "AUTO_MERGE"] {
        let read = |repo: &Path| fs::read_to_string(repo.join(".git").join(name)).ok();
        assert_eq!(read(&pair.mug), read(&pair.git), "{name}");
    }
}

/// Both stop at the first conflict.
fn stopped() -> (Pair, Run) {
    let pair = Pair::new(conflicting);
    assert!(!try_git(&pair.git, &["rebase", "main"]).status.success());
    let mut run = Run::new();
    let error = run.start(input(&pair.mug, &["main"])).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("(side 2): conflicts in \"file\""),
        "{error}"
    );
    assert_stopped_alike(&pair);
    (pair, run)
}

#[test]
fn resolved_by_mug() {
    let (pair, mut run) = stopped();
    // Not yet.
    assert!(run.go_on(Wish::Continue).is_err());
    for _ in 0..2 {
        resolve(&pair.git);
        resolve(&pair.mug);
        let done = try_git(&pair.git, &["rebase", "--continue"]);
        let output = run.go_on(Wish::Continue);
        assert_eq!(done.status.success(), output.is_ok());
        match output {
            Ok(output) => assert_eq!((output.end, output.picked), (End::Rebased, 5)),
            Err(error) => {
                assert!(error.to_string().contains("(side 4)"), "{error}");
                assert_stopped_alike(&pair);
            }
        }
    }
    pair.assert_same();
}

#[test]
fn left_out_by_mug() {
    let (pair, mut run) = stopped();
    put(&pair.mug, "untracked", "mine\n");
    put(&pair.git, "untracked", "mine\n");
    for _ in 0..2 {
        try_git(&pair.git, &["rebase", "--skip"]);
        let _ = run.go_on(Wish::Skip);
    }
    pair.assert_same();
    assert_eq!(
        git(&pair.mug, &["log", "--format=%s", "-4"]),
        "side 5\nside 3\nside 1\nmain\n"
    );
}

#[test]
fn given_up_by_mug() {
    let (pair, mut run) = stopped();
    try_git(&pair.git, &["rebase", "--abort"]);
    let output = run.go_on(Wish::Abort).unwrap();
    assert_eq!(output.end, End::Aborted);
    pair.assert_same();
}

#[test]
fn finished_by_git() {
    let (pair, mut run) = stopped();
    for _ in 0..2 {
        for repo in [&pair.git, &pair.mug] {
            resolve(repo);
            try_git(repo, &["rebase", "--continue"]);
        }
    }
    pair.assert_same();
    let output = run.go_on(Wish::Continue).unwrap();
    assert_eq!(output.end, End::FinishedWithGit);
    assert_eq!(
        output.head.to_string(),
        git(&pair.mug, &["rev-parse", "side"]).trim()
    );
    pair.assert_same();
}

#[test]
fn given_up_by_git() {
    let (pair, mut run) = stopped();
    for repo in [&pair.git, &pair.mug] {
        git(repo, &["rebase", "--abort"]);
    }
    let output = run.go_on(Wish::Continue).unwrap();
    assert_eq!(output.end, End::AbortedWithGit);
    pair.assert_same();
}

#[test]
fn gone_on_with_by_git_and_finished_by_mug() {
    let (pair, mut run) = stopped();
    for repo in [&pair.git, &pair.mug] {
        resolve(repo);
        assert!(!try_git(repo, &["rebase", "--continue"]).status.success());
        resolve(repo);
    }
    git(&pair.git, &["rebase", "--continue"]);
    let output = run.go_on(Wish::Continue).unwrap();
    assert_eq!((output.end, output.picked), (End::Rebased, 5));
    pair.assert_same();
}

#[test]
fn committed_by_the_user_and_finished_by_mug() {
    let (pair, mut run) = stopped();
    for repo in [&pair.git, &pair.mug] {
        resolve(repo);
        git(repo, &["commit", "-q", "-m", "in my own words"]);
    }
    assert!(
        !try_git(&pair.git, &["rebase", "--continue"])
            .status
            .success()
    );
    assert!(run.go_on(Wish::Continue).is_err());
    for repo in [&pair.git, &pair.mug] {
        resolve(repo);
    }
    git(&pair.git, &["rebase", "--continue"]);
    run.go_on(Wish::Continue).unwrap();
    let log = ["log", "--format=%T %an %s"];
    assert_eq!(git(&pair.mug, &log), git(&pair.git, &log));
    assert_eq!(git(&pair.mug, &["status", "--porcelain"]), "");
}

#[test]
fn without_a_working_tree_a_conflict_is_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let repo = conflicting(dir.path());
    let bare = dir.path().join("bare");
    git(
        dir.path(),
        &[
            "clone",
            "-q",
            "--bare",
            repo.to_str().unwrap(),
            bare.to_str().unwrap(),
        ],
    );
    let before = git(&bare, &["for-each-ref"]);
    let error = Run::new()
        .start(input(&bare, &["main", "side"]))
        .unwrap_err();
    assert!(error.to_string().contains("no working tree"), "{error}");
    assert_eq!(git(&bare, &["for-each-ref"]), before);
}
