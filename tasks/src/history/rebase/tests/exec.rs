//! Commands after each commit (`--exec`), run by mug and by git.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use resume_runtime::testing::{Case, assert_resumable};

use super::super::{End, Env, Input, Rebase, Wish};
use super::conflicts::{assert_stopped_alike, conflicting, resolve};
use super::crash::observe;
use super::fixture::{Pair, Run, env, input, listen};
use super::linear::two_branches;
use crate::history::testing::{commit, git, put, try_git};

/// Writes down where it is.
const LOOK: &str = "git rev-parse HEAD HEAD^{tree} >> .git/said; git status --porcelain >> .git/said; \
                    ls >> .git/said; ls -d .git/rebase-merge >> .git/said";
/// Fails once: at the second commit.
const FAIL: &str =
    "if test -f only-side/a && test ! -f .git/mended; then echo not mended; exit 5; fi";

#[test]
fn commands_run_after_each_commit_as_by_git() {
    for args in [
        &["-x", LOOK, "-x", "true", "main"][..],
        // All lies there already.
        &["-x", LOOK, "side~2"],
        &["-x", LOOK, "--root"],
        &["-x", LOOK, "main", "side"],
        // No commit, no command.
        &["-x", "false", "main", "main~1"],
    ] {
        let pair = Pair::new(|dir| {
            let repo = two_branches(dir);
            listen(&repo, &["post-checkout", "post-rewrite"]);
            repo
        });
        pair.same(args);
        pair.assert_said_alike();
    }
}

#[test]
fn commits_of_which_nothing_is_left_stay() {
    let pair = Pair::new(|dir| {
        let repo = two_branches(dir);
        git(&repo, &["switch", "-q", "main"]);
        fs::remove_file(repo.join("gone")).unwrap();
        put(&repo, "more", "more\n");
        commit(&repo, "the third one, and more");
        git(&repo, &["switch", "-q", "side"]);
        repo
    });
    let output = pair.same(&["-x", LOOK, "main"]);
    assert_eq!((output.picked, output.dropped), (4, 0));
}

#[test]
fn what_commands_commit_is_built_upon() {
    let when = "export GIT_COMMITTER_DATE='1700000000 +0000' GIT_AUTHOR_DATE='1700000000 +0000'";
    for script in [
        "git commit -q --allow-empty --amend -m \"amended: $(git log -1 --format=%s)\"",
        "git ls-files | wc -l > lines && git add lines && git commit -q --allow-empty -m count",
        "sed -i '/exec/d' .git/rebase-merge/git-rebase-todo",
    ] {
        let pair = Pair::new(two_branches);
        pair.same(&["-x", &format!("{when}; {script}"), "main"]);
    }
}

/// Both stop at the second commit's command.
fn stopped(command: &str, said: &str) -> (Pair, Run) {
    let pair = Pair::new(two_branches);
    let args = ["-x", command, "main"];
    let done = try_git(&pair.git, &[&["rebase"], &args[..]].concat());
    assert!(!done.status.success());
    let mut run = Run::new();
    let error = run.start(input(&pair.mug, &args)).unwrap_err();
    assert!(error.to_string().contains(said), "{error}");
    assert_stopped_alike(&pair);
    (pair, run)
}

fn mend(pair: &Pair) {
    for repo in [&pair.git, &pair.mug] {
        fs::write(repo.join(".git/mended"), "").unwrap();
    }
}

#[test]
fn one_that_fails_stops_it_and_is_not_run_again() {
    let (pair, mut run) = stopped(FAIL, "exit status: 5\n  not mended");
    assert_eq!(git(&pair.mug, &["log", "-1", "--format=%s"]), "side two\n");
    mend(&pair);
    for repo in [&pair.git, &pair.mug] {
        git(repo, &["commit", "-q", "--amend", "-m", "mended"]);
    }
    git(&pair.git, &["rebase", "--continue"]);
    let output = run.go_on(Wish::Continue).unwrap();
    assert_eq!((output.end, output.picked), (End::Rebased, 4));
    pair.assert_same();
}

#[test]
fn one_that_failed_is_run_again_where_git_would() {
    let pair = Pair::new(|dir| {
        let repo = two_branches(dir);
        git(&repo, &["config", "rebase.rescheduleFailedExec", "true"]);
        repo
    });
    let mut run = Run::new();
    let args = ["-x", FAIL, "main"];
    assert!(
        !try_git(&pair.git, &[&["rebase"], &args[..]].concat())
            .status
            .success()
    );
    run.start(input(&pair.mug, &args)).unwrap_err();
    assert!(
        !try_git(&pair.git, &["rebase", "--continue"])
            .status
            .success()
    );
    run.go_on(Wish::Continue).unwrap_err();
    mend(&pair);
    git(&pair.git, &["rebase", "--continue"]);
    run.go_on(Wish::Continue).unwrap();
    pair.assert_same();
}

#[test]
fn one_that_leaves_changes_stops_it() {
    let change = "if test -f only-side/a && test ! -f .git/mended; then echo x >> file; fi";
    let (pair, mut run) = stopped(change, "left changes: \"file\"");
    mend(&pair);
    assert!(
        !try_git(&pair.git, &["rebase", "--continue"])
            .status
            .success()
    );
    let error = run.go_on(Wish::Continue).unwrap_err();
    assert!(
        error.to_string().contains("not committed: \"file\""),
        "{error}"
    );
    assert_stopped_alike(&pair);
    git(&pair.git, &["rebase", "--skip"]);
    run.go_on(Wish::Skip).unwrap();
    pair.assert_same();
}

#[test]
fn given_up_and_gone_on_with_by_git() {
    let (pair, mut run) = stopped(FAIL, "exit status: 5");
    git(&pair.git, &["rebase", "--abort"]);
    assert_eq!(run.go_on(Wish::Abort).unwrap().end, End::Aborted);
    pair.assert_same();

    let (pair, mut run) = stopped(FAIL, "exit status: 5");
    mend(&pair);
    for repo in [&pair.git, &pair.mug] {
        git(repo, &["rebase", "--continue"]);
    }
    let output = run.go_on(Wish::Continue).unwrap();
    assert_eq!(output.end, End::FinishedWithGit);
    pair.assert_same();

    // Git goes on to the next command that fails.
    let always = "test ! -f only-side/a";
    let (pair, mut run) = stopped(always, "exit status: 1");
    for repo in [&pair.git, &pair.mug] {
        assert!(!try_git(repo, &["rebase", "--continue"]).status.success());
    }
    assert!(
        !try_git(&pair.git, &["rebase", "--continue"])
            .status
            .success()
    );
    run.go_on(Wish::Continue).unwrap_err();
    git(&pair.git, &["rebase", "--continue"]);
    run.go_on(Wish::Continue).unwrap();
    pair.assert_same();
}

#[test]
fn conflicts_and_commands() {
    let pair = Pair::new(conflicting);
    let args = ["-x", LOOK, "main"];
    assert!(
        !try_git(&pair.git, &[&["rebase"], &args[..]].concat())
            .status
            .success()
    );
    let mut run = Run::new();
    run.start(input(&pair.mug, &args)).unwrap_err();
    assert_stopped_alike(&pair);
    for _ in 0..2 {
        resolve(&pair.git);
        resolve(&pair.mug);
        let _ = try_git(&pair.git, &["rebase", "--continue"]);
        let _ = run.go_on(Wish::Continue);
    }
    pair.assert_same();
    pair.assert_said_alike();
}

#[test]
fn what_can_not_be_run_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let repo = two_branches(dir.path());
    for command in ["", " ", "a\nb"] {
        let refused = Run::new().start(input(&repo, &["-x", command, "main"]));
        let error = refused.unwrap_err();
        assert!(error.to_string().contains("is no command"), "{error}");
    }
    git(
        dir.path(),
        &["clone", "-q", "--bare", repo.to_str().unwrap(), "bare"],
    );
    let refused = Run::new().start(input(
        &dir.path().join("bare"),
        &["-x", "true", "main", "side"],
    ));
    let error = refused.unwrap_err();
    assert!(error.to_string().contains("no working tree"), "{error}");
}

#[tokio::test]
async fn commands_stand_every_crash() {
    let picked = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&picked);
    let make = |scratch: &Path| -> Input {
        let repo = conflicting(scratch);
        let build = "if test -f s3 && test ! -f s4; then exit 1; fi";
        input(&repo, &["-x", build, "main"])
    };
    let case = Case::<Rebase>::with_env(make, move |_, _| {
        Ok(Env {
            picked: Arc::clone(&counted),
            ..env(Wish::Continue)
        })
    })
    .user(|scratch, error| {
        if error.to_string().contains("conflicts in") {
            resolve(&scratch.join("repo"));
        }
    })
    .observe(observe)
    .states_may_differ()
    .work(picked)
    .points(5);
    assert_resumable(case).await;
}
