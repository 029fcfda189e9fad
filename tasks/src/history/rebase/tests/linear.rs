//! Rebases without conflicts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::super::End;
use super::fixture::{Pair, listen};
use crate::history::testing::{command, commit, git, init, put};

/// A text of numbered lines, with one of them changed.
pub(super) fn text(changed: &[(usize, &str)]) -> String {
    let line = |n: usize| {
        let new = changed.iter().find(|(at, _)| *at == n);
        new.map_or_else(|| format!("line {n}\n"), |(_, new)| format!("{new}\n"))
    };
    (1..=40).map(line).collect()
}

/// `main` goes on in one part of a file, `side` in another, and both in files of their own.
pub(super) fn two_branches(dir: &Path) -> PathBuf {
    let repo = init(dir);
    put(&repo, "file", text(&[]));
    put(&repo, "gone", "gone\n");
    commit(&repo, "base");
    git(&repo, &["switch", "-q", "-c", "side"]);
    put(&repo, "file", text(&[(35, "side")]));
    commit(&repo, "side one\nwith a second line\n\nand a body");
    put(&repo, "only-side/a", "a\n");
    fs::set_permissions(repo.join("only-side/a"), fs::Permissions::from_mode(0o755)).unwrap();
    commit(&repo, "side two");
    git(
        &repo,
        &["commit", "-q", "--allow-empty", "-m", "meant to be empty"],
    );
    fs::remove_file(repo.join("gone")).unwrap();
    commit(&repo, "side three");
    git(&repo, &["switch", "-q", "main"]);
    put(&repo, "file", text(&[(3, "main")]));
    commit(&repo, "main one");
    put(&repo, "only-main", "main\n");
    commit(&repo, "main two");
    git(&repo, &["switch", "-q", "side"]);
    repo
}

#[test]
fn commits_are_picked_as_git_picks_them() {
    let pair = Pair::new(two_branches);
    let output = pair.same(&["main"]);
    assert_eq!(
        (output.end, output.picked, output.dropped),
        (End::Rebased, 4, 0)
    );
    let again = Pair::same(&pair, &["main"]);
    assert_eq!(again.end, End::UpToDate);
}

#[test]
fn bases_branches_and_roots_as_git_has_them() {
    for args in [
        &["--onto", "main", "side~1"][..],
        &["--onto", "main~1", "side~2", "side"],
        &["main", "side"],
        &["side", "main"],
        &["--onto", "main", "main~2", "side~1"],
        &["--root", "--onto", "main"],
        &["--onto", "main...side", "side~1"],
        &["side~2"],
        &["main~1"],
    ] {
        let pair = Pair::new(two_branches);
        pair.same(args);
    }
    for args in [&["main"][..], &["main", "side"]] {
        let pair = Pair::new(|dir| {
            let repo = two_branches(dir);
            git(&repo, &["checkout", "-q", "--detach"]);
            repo
        });
        pair.same(args);
    }
}

#[test]
fn the_first_commits_become_roots_again() {
    // All lies there already; or a commit in between is empty, or of another root, or to be made anew.
    let plain: fn(&Path) -> PathBuf = two_branches;
    let roots: fn(&Path) -> PathBuf = |dir| {
        let repo = two_branches(dir);
        git(&repo, &["checkout", "-q", "--orphan", "other"]);
        git(&repo, &["rm", "-q", "-r", "--cached", "."]);
        git(&repo, &["clean", "-q", "-f", "-d"]);
        put(&repo, "other", "other\n");
        commit(&repo, "another root");
        git(&repo, &["switch", "-q", "side"]);
        let merge = ["merge", "-q", "--allow-unrelated-histories", "-m", "both"];
        git(&repo, &[&merge[..], &["other"]].concat());
        put(&repo, "after", "after\n");
        commit(&repo, "after both");
        repo
    };
    let empty: fn(&Path) -> PathBuf = |dir| {
        let repo = init(dir);
        git(&repo, &["commit", "-q", "--allow-empty", "-m", "nothing"]);
        put(&repo, "file", "file\n");
        commit(&repo, "something");
        repo
    };
    for (make, args) in [
        (plain, &["--root"][..]),
        (plain, &["--root", "main"]),
        (plain, &["--root", "side~1"]),
        (roots, &["--root"]),
        (empty, &["--root"]),
    ] {
        let pair = Pair::new(|dir| {
            let repo = make(dir);
            listen(&repo, &["post-checkout", "post-rewrite"]);
            repo
        });
        pair.same(args);
        let said = |repo: &Path| fs::read_to_string(repo.join(".git/said")).ok();
        assert_eq!(said(&pair.mug), said(&pair.git), "{args:?}");
    }
}

#[test]
fn what_is_applied_already_is_left_out() {
    let pair = Pair::new(|dir| {
        let repo = two_branches(dir);
        git(&repo, &["switch", "-q", "main"]);
        // The same change elsewhere, and one that is there with others.
        git(&repo, &["cherry-pick", "side~3"]);
        put(&repo, "only-side/a", "a\n");
        fs::set_permissions(repo.join("only-side/a"), fs::Permissions::from_mode(0o755)).unwrap();
        put(&repo, "more", "more\n");
        commit(&repo, "the second one, and more");
        git(&repo, &["switch", "-q", "side"]);
        repo
    });
    let output = pair.same(&["main"]);
    assert_eq!((output.picked, output.dropped), (2, 2));
}

#[test]
fn merges_are_flattened() {
    let pair = Pair::new(|dir| {
        let repo = two_branches(dir);
        for (branch, file) in [("a", "fa"), ("b", "fb")] {
            git(&repo, &["switch", "-q", "-c", branch, "side~2"]);
            for n in 0..3 {
                put(&repo, file, format!("{n}\n"));
                commit(&repo, &format!("{branch} {n}"));
            }
        }
        git(&repo, &["switch", "-q", "side"]);
        git(&repo, &["merge", "-q", "--no-ff", "-m", "merge a", "a"]);
        put(&repo, "between", "x\n");
        commit(&repo, "between");
        git(&repo, &["merge", "-q", "--no-ff", "-m", "merge b", "b"]);
        put(&repo, "after", "x\n");
        commit(&repo, "after");
        repo
    });
    pair.same(&["main"]);
}

#[test]
fn authors_dates_messages_and_encodings_are_kept() {
    let pair = Pair::new(|dir| {
        let repo = two_branches(dir);
        let commit_as = |message: &[u8], more: &[&str]| {
            fs::write(dir.join("message"), message).unwrap();
            put(&repo, "n", message);
            git(&repo, &["add", "-A"]);
            let path = dir.join("message");
            let args = [
                more,
                &[
                    "commit",
                    "-q",
                    "--cleanup=verbatim",
                    "-F",
                    path.to_str().unwrap(),
                ],
            ];
            let mut command = command(&repo, &args.concat());
            command
                .env("GIT_AUTHOR_NAME", "O'Brien \u{e9}")
                .env("GIT_AUTHOR_EMAIL", "o@example.org")
                .env("GIT_AUTHOR_DATE", "1234567890 -0730");
            assert!(command.status().unwrap().success());
        };
        commit_as(b"no end of line", &[]);
        commit_as(b"\n\n  \nblank lines before\n\n\n# and a mark\n\n\n", &[]);
        commit_as(b"latin \xe9\n", &["-c", "i18n.commitEncoding=ISO-8859-1"]);
        commit_as("utf \u{e9}\n".as_bytes(), &[]);
        repo
    });
    pair.same(&["main"]);
}

#[test]
fn an_upstream_that_was_rewritten_is_seen_by_its_log() {
    let pair = Pair::new(|dir| {
        let repo = two_branches(dir);
        git(&repo, &["switch", "-q", "-c", "topic", "main"]);
        git(&repo, &["branch", "-q", "--set-upstream-to", "main"]);
        put(&repo, "topic", "topic\n");
        commit(&repo, "topic");
        git(&repo, &["switch", "-q", "main"]);
        put(&repo, "only-main", "rewritten\n");
        git(&repo, &["commit", "-qam", "main two, rewritten", "--amend"]);
        git(&repo, &["switch", "-q", "topic"]);
        repo
    });
    let output = pair.same(&[]);
    assert_eq!(output.picked, 1);
}

#[test]
fn a_bare_repository_has_its_branch_moved() {
    let dir = tempfile::tempdir().unwrap();
    let repo = two_branches(dir.path());
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
    let commands = git(&bare, &["replay", "--onto", "main", "main..side"]);
    let expected = commands.split(' ').nth(2).unwrap();
    let mut run = super::fixture::Run::new();
    let output = run
        .start(super::fixture::input(&bare, &["main", "side"]))
        .unwrap();
    assert_eq!(output.picked, 4);
    // Git's replay reads the committer of the environment, as this test does.
    assert_eq!(
        git(&bare, &["rev-parse", "side^{tree}"]),
        git(&bare, &["rev-parse", &format!("{expected}^{{tree}}")])
    );
    assert_eq!(git(&bare, &["fsck", "--no-dangling"]), "");
}

#[test]
fn a_sparse_checkout_and_a_linked_worktree() {
    let pair = Pair::new(|dir| {
        let repo = two_branches(dir);
        git(
            &repo,
            &["sparse-checkout", "set", "--no-cone", "/*", "!/only-main"],
        );
        repo
    });
    pair.same(&["main"]);
    assert!(!pair.mug.join("only-main").exists());
    let dir = tempfile::tempdir().unwrap();
    let repo = two_branches(dir.path());
    git(&repo, &["switch", "-q", "main"]);
    let linked = dir.path().join("linked");
    git(
        &repo,
        &["worktree", "add", "-q", linked.to_str().unwrap(), "side"],
    );
    let mut input = super::fixture::input(&repo, &["main"]);
    input.git_dir = repo.join(".git/worktrees/linked");
    super::fixture::Run::new().start(input).unwrap();
    assert_eq!(git(&linked, &["status", "--porcelain"]), "");
    assert_eq!(
        git(&linked, &["merge-base", "main", "HEAD"]),
        git(&repo, &["rev-parse", "main"])
    );
}

#[test]
fn hooks_are_run_as_by_git() {
    let pair = Pair::new(|dir| {
        let repo = two_branches(dir);
        listen(&repo, &["pre-rebase", "post-checkout", "post-rewrite"]);
        // One is left out on the way: its changes are there with others.
        git(&repo, &["switch", "-q", "main"]);
        fs::remove_file(repo.join(".git/said")).unwrap();
        fs::remove_file(repo.join("gone")).unwrap();
        put(&repo, "more", "more\n");
        commit(&repo, "the third one, and more");
        git(&repo, &["switch", "-q", "side"]);
        repo
    });
    pair.same(&["main"]);
    pair.assert_said_alike();
}
