//! What is not committed, kept aside meanwhile.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::{End, Wish};
use super::conflicts::{conflicting, resolve};
use super::fixture::{Pair, Run, input};
use super::linear::two_branches;
use crate::history::testing::{git, put, try_git};

/// Changes of every kind that lie apart from what is rebased.
fn dirty(repo: &Path) {
    put(repo, "untracked", "mine\n");
    put(repo, "added", "mine\n");
    git(repo, &["add", "added"]);
    let file = fs::read_to_string(repo.join("file")).unwrap();
    put(repo, "file", file.replace("line 20\n", "mine\n"));
    fs::remove_file(repo.join("only-side/a")).unwrap();
}

fn with(make: fn(&Path) -> PathBuf, change: fn(&Path)) -> Pair {
    Pair::new(|dir| {
        let repo = make(dir);
        change(&repo);
        repo
    })
}

#[test]
fn it_is_put_back_as_by_git() {
    let pair = with(two_branches, dirty);
    let output = pair.same(&["--autostash", "main"]);
    assert_eq!((output.picked, output.stashed), (4, false));
    assert!(!pair.mug.join(".git/refs/stash").exists());
}

#[test]
fn what_conflicts_stays_in_the_stash() {
    let pair = with(two_branches, |repo| {
        let file = fs::read_to_string(repo.join("file")).unwrap();
        put(repo, "file", file.replace("line 3\n", "mine\n"));
    });
    let done = try_git(&pair.git, &["rebase", "--autostash", "main"]);
    assert!(done.status.success());
    let output = Run::new().start(input(&pair.mug, &["--autostash", "main"]));
    assert!(output.unwrap().stashed);
    assert_eq!(
        git(&pair.mug, &["for-each-ref"]),
        git(&pair.git, &["for-each-ref"])
    );
    // Git tries to put it back and leaves the conflicts; here the files are the branch's.
    assert_eq!(git(&pair.mug, &["status", "--porcelain"]), "");
    let kept = ["stash", "list", "--format=%gs %T"];
    assert_eq!(git(&pair.mug, &kept), git(&pair.git, &kept));
}

#[test]
fn a_conflict_in_between_loses_nothing() {
    for wish in [Wish::Continue, Wish::Abort] {
        let pair = with(conflicting, |repo| put(repo, "s1", "mine\n"));
        assert!(
            !try_git(&pair.git, &["rebase", "--autostash", "main"])
                .status
                .success()
        );
        let mut run = Run::new();
        run.start(input(&pair.mug, &["--autostash", "main"]))
            .unwrap_err();
        assert_eq!(git(&pair.mug, &["status"]), git(&pair.git, &["status"]));
        if wish == Wish::Abort {
            git(&pair.git, &["rebase", "--abort"]);
            assert_eq!(run.go_on(wish).unwrap().end, End::Aborted);
        } else {
            for _ in 0..2 {
                resolve(&pair.git);
                resolve(&pair.mug);
                try_git(&pair.git, &["rebase", "--continue"]);
                let _ = run.go_on(wish);
            }
        }
        pair.assert_same();
        assert_eq!(fs::read(pair.mug.join("s1")).unwrap(), b"mine\n");
    }
}

#[test]
fn git_finishes_it_too() {
    let pair = with(conflicting, |repo| put(repo, "s1", "mine\n"));
    let mut run = Run::new();
    run.start(input(&pair.mug, &["--autostash", "main"]))
        .unwrap_err();
    git(&pair.mug, &["rebase", "--abort"]);
    assert_eq!(run.go_on(Wish::Continue).unwrap().end, End::AbortedWithGit);
    assert_eq!(fs::read(pair.mug.join("s1")).unwrap(), b"mine\n");
}
