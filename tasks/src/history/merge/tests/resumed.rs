//! Conflicts resolved, given up, and ended with git.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use resume_runtime::ErrorClass;

use super::super::Ended;
use super::fixture::{Store, copy, input, repository, seen};
use crate::history::testing::{commit, git, put, try_git};

fn conflicting(dir: &Path) -> PathBuf {
    let repo = repository(dir);
    put(&repo, "f", "base\n");
    put(&repo, "other", "base\n");
    put(&repo, "gone", "base\n");
    commit(&repo, "base");
    git(&repo, &["switch", "-q", "-c", "topic"]);
    put(&repo, "f", "theirs\n");
    put(&repo, "d/new", "new\n");
    fs::remove_file(repo.join("gone")).unwrap();
    commit(&repo, "theirs");
    git(&repo, &["switch", "-q", "main"]);
    put(&repo, "f", "ours\n");
    commit(&repo, "ours");
    repo
}

#[test]
fn resolved_it_goes_on_as_git_merge_continue_does() {
    let dir = tempfile::tempdir().unwrap();
    let repo = conflicting(dir.path());
    let by_git = dir.path().join("git");
    copy(&repo, &by_git);
    assert!(!try_git(&by_git, &["merge", "topic"]).status.success());
    let store = Store::new();
    let (id, result) = store.start(input(&repo, "topic"));
    assert_eq!(result.unwrap_err().class(), ErrorClass::NeedsUser);
    // Nothing is resolved yet.
    let error = store.resume(&id).unwrap_err();
    assert_eq!(error.to_string(), "not resolved yet: \"f\"");
    for repo in [&repo, &by_git] {
        put(repo, "f", "both\n");
        git(repo, &["add", "f"]);
    }
    git(&by_git, &["merge", "--continue"]);
    let output = store.resume(&id).unwrap();
    assert_eq!(output.ended, Ended::Merged);
    assert_eq!(seen(&repo), seen(&by_git));
    git(&repo, &["fsck", "--full", "--strict"]);
}

#[test]
fn given_up_all_is_as_it_was_and_what_the_user_changed_elsewhere_stays() {
    let dir = tempfile::tempdir().unwrap();
    let repo = conflicting(dir.path());
    put(&repo, "other", "mine\n");
    put(&repo, "untracked", "mine\n");
    let mut before = seen(&repo);
    let store = Store::new();
    let (id, result) = store.start(input(&repo, "topic"));
    result.unwrap_err();
    put(&repo, "f", "half resolved\n");
    let output = store.abort(&id).unwrap();
    assert_eq!(output.ended, Ended::Aborted);
    let mut after = seen(&repo);
    assert!(after.remove("ORIG_HEAD").is_some());
    before.remove("ORIG_HEAD");
    assert_eq!(after, before);
}

#[test]
fn a_merged_file_that_was_edited_is_not_lost_by_giving_up() {
    let dir = tempfile::tempdir().unwrap();
    let repo = conflicting(dir.path());
    let store = Store::new();
    let (id, result) = store.start(input(&repo, "topic"));
    result.unwrap_err();
    put(&repo, "d/new", "edited since\n");
    let error = store.abort(&id).unwrap_err();
    assert_eq!(error.class(), ErrorClass::NeedsUser);
    assert!(error.to_string().contains("d/new"), "{error}");
    assert_eq!(fs::read(repo.join("d/new")).unwrap(), b"edited since\n");
    git(&repo, &["checkout", "d/new"]);
    assert_eq!(store.abort(&id).unwrap().ended, Ended::Aborted);
}

#[test]
fn what_git_ended_is_noticed() {
    for finish in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let repo = conflicting(dir.path());
        let store = Store::new();
        let (id, result) = store.start(input(&repo, "topic"));
        result.unwrap_err();
        let wanted = if finish {
            put(&repo, "f", "both\n");
            git(&repo, &["add", "f"]);
            git(&repo, &["merge", "--continue"]);
            Ended::FinishedOutside
        } else {
            git(&repo, &["merge", "--abort"]);
            Ended::AbortedOutside
        };
        let before = seen(&repo);
        assert_eq!(store.resume(&id).unwrap().ended, wanted);
        assert_eq!(seen(&repo), before);
    }
}

fn hook(repo: &Path, name: &str, script: &str) {
    let path = repo.join(".git/hooks").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn hooks_are_asked_and_told_as_by_git() {
    let log = "echo $(basename $0) $(basename \"$1\") $2 >>.git/hooks.log";
    for conflict in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let repo = conflicting(dir.path());
        if !conflict {
            git(&repo, &["checkout", "-q", "topic~1", "--", "f"]);
            commit(&repo, "back");
        }
        for name in [
            "pre-merge-commit",
            "pre-commit",
            "prepare-commit-msg",
            "post-merge",
            "post-commit",
        ] {
            hook(&repo, name, log);
        }
        hook(&repo, "commit-msg", &format!("{log}\necho more >>$1"));
        let by_git = dir.path().join("git");
        copy(&repo, &by_git);
        let store = Store::new();
        let (id, result) = store.start(input(&repo, "topic"));
        let by_git_ok = try_git(&by_git, &["merge", "--no-edit", "topic"])
            .status
            .success();
        assert_eq!(result.is_ok(), by_git_ok, "{result:?}");
        assert_eq!(by_git_ok, !conflict);
        if conflict {
            for repo in [&repo, &by_git] {
                put(repo, "f", "both\n");
                git(repo, &["add", "f"]);
            }
            git(&by_git, &["merge", "--continue"]);
            store.resume(&id).unwrap();
        }
        let log = |repo: &Path| {
            let log = fs::read_to_string(repo.join(".git/hooks.log")).unwrap();
            log.replace("COMMIT_EDITMSG", "MERGE_MSG")
        };
        assert_eq!(log(&repo), log(&by_git));
        let commit = ["cat-file", "-p", "HEAD"];
        assert_eq!(git(&repo, &commit), git(&by_git, &commit));
    }
}

#[test]
fn a_hook_that_refuses_pauses_and_the_state_is_one_that_git_knows() {
    let dir = tempfile::tempdir().unwrap();
    let repo = conflicting(dir.path());
    git(&repo, &["checkout", "-q", "topic~1", "--", "f"]);
    commit(&repo, "back");
    hook(&repo, "pre-merge-commit", "echo not today; exit 1");
    let store = Store::new();
    let (id, result) = store.start(input(&repo, "topic"));
    let error = result.unwrap_err();
    assert_eq!(error.class(), ErrorClass::NeedsUser);
    assert!(error.to_string().contains("not today"), "{error}");
    assert!(git(&repo, &["status"]).contains("All conflicts fixed but you are still merging"));
    fs::remove_file(repo.join(".git/hooks/pre-merge-commit")).unwrap();
    assert_eq!(store.resume(&id).unwrap().ended, Ended::Merged);
    assert_eq!(git(&repo, &["status", "--porcelain"]), "");
}

#[test]
fn a_branch_that_moved_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let repo = conflicting(dir.path());
    let store = Store::new();
    let (id, result) = store.start(input(&repo, "topic"));
    result.unwrap_err();
    put(&repo, "f", "both\n");
    git(&repo, &["add", "f"]);
    let was = git(&repo, &["rev-parse", "main"]);
    git(&repo, &["update-ref", "refs/heads/main", "main~1"]);
    let now = git(&repo, &["rev-parse", "main"]);
    let error = store.resume(&id).unwrap_err();
    assert_eq!(error.class(), ErrorClass::NeedsUser);
    assert!(
        error.to_string().contains("moved by somebody else"),
        "{error}"
    );
    assert_eq!(git(&repo, &["rev-parse", "main"]), now);
    git(&repo, &["update-ref", "refs/heads/main", was.trim()]);
    assert_eq!(store.resume(&id).unwrap().ended, Ended::Merged);
}

#[test]
fn locks_of_others_are_waited_out_by_the_user() {
    for (lock, conflict) in [("index.lock", true), ("refs/heads/main.lock", false)] {
        let dir = tempfile::tempdir().unwrap();
        let repo = conflicting(dir.path());
        if !conflict {
            git(&repo, &["checkout", "-q", "topic~1", "--", "f"]);
            commit(&repo, "back");
        }
        let lock = repo.join(".git").join(lock);
        fs::write(&lock, "").unwrap();
        let store = Store::new();
        let (id, result) = store.start(input(&repo, "topic"));
        let error = result.unwrap_err();
        assert_eq!(error.class(), ErrorClass::NeedsUser);
        assert!(error.to_string().contains("locked"), "{error}");
        fs::remove_file(&lock).unwrap();
        let result = store.resume(&id);
        assert_eq!(result.is_err(), conflict, "{result:?}");
    }
}
