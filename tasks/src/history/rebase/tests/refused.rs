//! What does not begin, or stops before anything is lost.

use std::fs;
use std::path::Path;

use super::super::Wish;
use super::conflicts::{conflicting, resolve};
use super::fixture::{Run, input};
use crate::history::testing::{commit, files, git, init, put};

type Make = fn(&Path);

#[test]
fn what_git_refuses_is_refused_and_nothing_is_touched() {
    let cases: &[(&str, Make, &[&str], &str)] = &[
        (
            "unstaged",
            |repo| put(repo, "file", "mine\n"),
            &["main"],
            "unstaged changes",
        ),
        (
            "staged",
            |repo| {
                put(repo, "new", "mine\n");
                git(repo, &["add", "new"]);
            },
            &["main"],
            "uncommitted changes",
        ),
        ("unknown", |_| {}, &["nowhere"], "nowhere"),
        ("no upstream", |_| {}, &[], "tracking information"),
        (
            "busy",
            |repo| fs::create_dir(repo.join(".git/rebase-merge")).unwrap(),
            &["main"],
            "another rebase",
        ),
        (
            "elsewhere",
            |repo| {
                let to = repo.with_file_name("linked");
                git(
                    repo,
                    &["worktree", "add", "-q", to.to_str().unwrap(), "main"],
                );
            },
            &["side", "main"],
            "used by the worktree",
        ),
        (
            "rerere",
            |repo| {
                git(repo, &["config", "rerere.enabled", "true"]);
            },
            &["main"],
            "rerere",
        ),
        (
            "a hook",
            |repo| {
                use std::os::unix::fs::PermissionsExt as _;
                let path = repo.join(".git/hooks/pre-rebase");
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, "#!/bin/sh\necho not today\nexit 1\n").unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            },
            &["main"],
            "not today",
        ),
        (
            "unborn",
            |repo| {
                git(repo, &["checkout", "-q", "--orphan", "fresh"]);
            },
            &["main"],
            "no commit yet",
        ),
    ];
    for (what, make, args, said) in cases {
        let dir = tempfile::tempdir().unwrap();
        let repo = conflicting(dir.path());
        make(&repo);
        let before = (
            files(&repo),
            git(&repo, &["for-each-ref"]),
            fs::read(repo.join(".git/HEAD")).unwrap(),
        );
        let error = Run::new().start(input(&repo, args)).unwrap_err();
        assert!(error.to_string().contains(said), "{what}: {error}");
        let after = (
            files(&repo),
            git(&repo, &["for-each-ref"]),
            fs::read(repo.join(".git/HEAD")).unwrap(),
        );
        assert_eq!(before, after, "{what}");
    }
}

#[test]
fn a_branch_that_somebody_moved_is_left_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let repo = conflicting(dir.path());
    let mut run = Run::new();
    run.start(input(&repo, &["main"])).unwrap_err();
    git(&repo, &["update-ref", "refs/heads/side", "main"]);
    for _ in 0..2 {
        resolve(&repo);
        let error = run.go_on(Wish::Continue).unwrap_err();
        if error.to_string().contains("moved by somebody") {
            assert_eq!(
                git(&repo, &["rev-parse", "side"]),
                git(&repo, &["rev-parse", "main"])
            );
            return;
        }
    }
    panic!("it was not seen");
}

#[test]
fn an_untracked_file_in_the_way_waits_for_the_user() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    put(&repo, "base", "base\n");
    commit(&repo, "base");
    git(&repo, &["switch", "-q", "-c", "side"]);
    put(&repo, "side", "side\n");
    commit(&repo, "side");
    git(&repo, &["switch", "-q", "main"]);
    put(&repo, "new", "main\n");
    commit(&repo, "main");
    git(&repo, &["switch", "-q", "side"]);
    put(&repo, "new", "mine\n");
    let before = files(&repo);
    let mut run = Run::new();
    let error = run.start(input(&repo, &["main"])).unwrap_err();
    assert!(error.to_string().contains("untracked"), "{error}");
    assert_eq!(files(&repo), before);
    fs::rename(repo.join("new"), repo.join("kept")).unwrap();
    run.go_on(Wish::Continue).unwrap();
    assert_eq!(fs::read(repo.join("kept")).unwrap(), b"mine\n");
    assert_eq!(git(&repo, &["status", "--porcelain"]), "?? kept\n");
}
