//! Clones with each option, beside those of git.

use std::fs;
use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice as _;
use gix_hash::ObjectId;

use super::fixture::{Plain, bring_objects, command, commit, git, git_dir, init, listed, state};
use crate::transfer::RemoteRef;
use crate::transfer::refs::{
    CloneDefaults, CloneOptions, ClonePlan, Committer, NewHead, Objects, RefsError, apply_clone,
    for_clone,
};

/// A remote with branches, tags of all kinds, and refs elsewhere.
fn remote(dir: &Path) -> PathBuf {
    let repo = init(dir, "remote");
    commit(&repo, "one");
    for words in [
        "branch other",
        "branch zz/deep",
        "tag light",
        "tag -a -m x anno",
        "tag -a -m y nested anno",
        "update-ref refs/notes/x HEAD",
        "update-ref refs/pull/1/head HEAD",
        "symbolic-ref refs/heads/sym refs/heads/main",
        "checkout -q other",
    ] {
        git(&repo, words);
    }
    commit(&repo, "two");
    git(&repo, "tag -a -m z side");
    git(&repo, "checkout -q main");
    repo
}

fn options(url: &str, words: &str) -> CloneOptions {
    let defaults = CloneDefaults {
        branch: "main".into(),
        ..CloneDefaults::default()
    };
    let mut options = CloneOptions::new(url, defaults);
    let mut words = words.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "--bare" => options.bare = true,
            "--mirror" => options.mirror = true,
            "--single-branch" => options.single_branch = Some(true),
            "--no-single-branch" => options.single_branch = Some(false),
            "--no-tags" => options.no_tags = true,
            "--no-checkout" => options.no_checkout = true,
            "--branch" => options.branch = Some(words.next().unwrap().into()),
            "--origin" => options.origin = words.next().unwrap().to_owned(),
            "--depth" => options.depth = Some(words.next().unwrap().parse().unwrap()),
            "--filter" => options.filter = Some(words.next().unwrap().to_owned()),
            other => panic!("{other}"),
        }
    }
    options
}

/// Writes the plan, twice, for a repository whose objects are all there.
fn write(git_dir: &Path, plan: &ClonePlan, template: &Path) {
    let text = serde_json::to_string(plan).unwrap();
    assert_eq!(&serde_json::from_str::<ClonePlan>(&text).unwrap(), plan);
    let committer = Committer::of(&committer_of(template));
    let objects = Objects::at(&git_dir.join("objects")).unwrap();
    let own = git_dir.join("mug/own");
    for _ in 0..2 {
        apply_clone(git_dir, &own, plan, &objects, &committer, &Plain).unwrap();
    }
    fs::remove_dir_all(git_dir.join("mug")).unwrap();
}

/// A repository with git's own committer of the tests.
fn committer_of(dir: &Path) -> gix::Repository {
    let options = gix::open::Options::isolated().config_overrides([
        "user.name=A",
        "user.email=a@x",
        "gitoxide.commit.committerDate=1700000000 +0000",
    ]);
    gix::open_opts(dir, options).unwrap()
}

/// git's clone with `words`, and ours of the same remote; both as text.
fn both(dir: &Path, remote: &Path, words: &str) -> (String, String) {
    let (theirs, ours) = (dir.join("theirs"), dir.join("ours"));
    for path in [&theirs, &ours] {
        let _ = fs::remove_dir_all(path);
    }
    let url = format!("file://{}", remote.display());
    let mut clone = command(dir);
    clone.args(["-c", "init.defaultBranch=main", "clone", "-q"]);
    let out = clone
        .args(words.split_whitespace())
        .args([&url, "theirs"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", out.stderr.as_bstr());
    let options = options(&url, words);
    let bare = if options.is_bare() { "--bare" } else { "" };
    git(dir, &format!("init -q {bare} ours"));
    // What git received decides which tags follow.
    bring_objects(&theirs, &ours);
    let plan = for_clone(&listed(remote), &options).unwrap();
    fs::remove_file(git_dir(&ours).join("HEAD")).unwrap();
    write(&git_dir(&ours), &plan, remote);
    (state(&theirs), state(&ours))
}

#[test]
fn every_option_leaves_what_git_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let remote = remote(dir.path());
    for words in [
        "",
        "--bare",
        "--mirror",
        "--no-checkout",
        "--single-branch",
        "--branch other",
        "--branch anno",
        "--branch nested",
        "--branch light",
        "--no-tags",
        "--origin up",
        "--filter blob:none",
        "--bare --filter blob:none --origin up",
        "--mirror --filter blob:none",
        "--single-branch --branch light",
        "--single-branch --branch other",
        "--single-branch --branch zz/deep --no-tags",
        "--single-branch --bare",
        "--single-branch --bare --branch side",
        "--mirror --single-branch --branch other",
        "--mirror --no-tags",
        "--depth 1 --no-single-branch",
    ] {
        let (theirs, ours) = both(dir.path(), &remote, words);
        assert_eq!(theirs, ours, "{words}");
    }
}

#[test]
fn every_head_leaves_what_git_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [
        ("empty", vec!["symbolic-ref HEAD refs/heads/trunk"]),
        (
            "guessed",
            vec!["commit -q --allow-empty -m 1", "checkout -q --detach"],
        ),
        (
            "detached",
            vec![
                "commit -q --allow-empty -m 1",
                "branch x",
                "checkout -q --detach",
                "commit -q --allow-empty -m 2",
            ],
        ),
        (
            "unborn",
            vec![
                "commit -q --allow-empty -m 1",
                "branch -m foo",
                "symbolic-ref HEAD refs/heads/nope",
            ],
        ),
        (
            "elsewhere",
            vec![
                "commit -q --allow-empty -m 1",
                "update-ref refs/pull/1/head HEAD",
                "symbolic-ref HEAD refs/pull/1/head",
            ],
        ),
    ];
    for (name, words) in cases {
        let remote = init(dir.path(), name);
        for words in words {
            git(&remote, words);
        }
        for words in ["", "--bare", "--mirror", "--single-branch"] {
            let (theirs, ours) = both(dir.path(), &remote, words);
            assert_eq!(theirs, ours, "{name} {words}");
        }
    }
}

fn oid(hex: u8) -> ObjectId {
    ObjectId::from_hex(&[hex; 40]).unwrap()
}

#[test]
fn what_no_repository_can_have_is_left_out_and_told() {
    let good = ["refs/heads/main", "refs/heads/a", "refs/tags/v1"];
    let bad = [
        "refs/heads/../../x",
        "refs/heads/a\u{1b}[31m",
        "refs/heads/x.lock",
        "refs/heads/a",
        "refs/heads/a/b",
        "outside",
    ];
    let remote: Vec<_> = good
        .iter()
        .chain(&bad)
        .map(|it| RemoteRef::new(*it, oid(b'a')))
        .collect();
    let plan = for_clone(&remote, &options("u", "")).unwrap();
    let names: Vec<_> = plan.refs.iter().map(|it| it.name.to_string()).collect();
    assert_eq!(
        names,
        [
            "refs/remotes/origin/a",
            "refs/remotes/origin/main",
            "refs/tags/v1"
        ]
    );
    let mut left_out: Vec<_> = plan.left_out.iter().map(ToString::to_string).collect();
    left_out.sort();
    let mut bad = bad;
    bad.sort_unstable();
    assert_eq!(left_out, bad);
    let mut head = RemoteRef::new("HEAD", oid(b'b'));
    (head.target, head.symref) = (None, Some("refs/heads/../../../x".into()));
    let plan = for_clone(&[head], &options("u", "")).unwrap();
    assert_eq!(plan.head, NewHead::Unborn("refs/heads/main".into()));
    let missing = for_clone(&[], &options("u", "--branch no")).unwrap_err();
    assert!(matches!(missing, RefsError::NoBranch { .. }), "{missing}");
}

#[test]
fn ten_thousand_refs_are_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path(), "remote");
    commit(&repo, "one");
    let head = ObjectId::from_hex(git(&repo, "rev-parse HEAD").trim().as_bytes()).unwrap();
    let mut remote = vec![
        RemoteRef::new("HEAD", head),
        RemoteRef::new("refs/heads/main", head),
    ];
    remote[0].symref = Some("refs/heads/main".into());
    remote.extend((0..10_000).map(|at| RemoteRef::new(format!("refs/heads/b{at}"), head)));
    remote.push(RemoteRef::new(b"refs/heads/\xff\xe9".as_bstr(), head));
    let url = format!("file://{}", repo.display());
    let plan = for_clone(&remote, &options(&url, "")).unwrap();
    assert_eq!(plan.wants(), [head]);
    git(dir.path(), "init -q ours");
    let ours = dir.path().join("ours");
    bring_objects(&repo, &ours);
    write(&git_dir(&ours), &plan, &repo);
    assert_eq!(git(&ours, "for-each-ref").lines().count(), 10_004);
    assert_eq!(git(&ours, "fsck --strict"), "");
    assert_eq!(
        git(&ours, "status --porcelain --branch").lines().next(),
        Some("## main...origin/main")
    );
}

#[test]
fn what_is_checked_out_must_be_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path(), "remote");
    commit(&repo, "one");
    let tree = ObjectId::from_hex(git(&repo, "rev-parse HEAD^{tree}").trim().as_bytes()).unwrap();
    let objects = Objects::at(&git_dir(&repo).join("objects")).unwrap();
    let committer = Committer::of(&committer_of(&repo));
    let write = |target: ObjectId| {
        let mut remote = [
            RemoteRef::new("HEAD", target),
            RemoteRef::new("refs/heads/main", target),
        ];
        remote[0].symref = Some("refs/heads/main".into());
        let plan = for_clone(&remote, &options("u", "")).unwrap();
        let to = dir.path().join("ours");
        let written = apply_clone(&to, &to.join("own"), &plan, &objects, &committer, &Plain);
        assert!(
            !to.exists(),
            "nothing is written before all is known to be there"
        );
        written.unwrap_err()
    };
    assert!(matches!(write(tree), RefsError::NotCommit { .. }));
    assert!(matches!(write(oid(b'a')), RefsError::Missing { .. }));
}
