//! Bundles that leave out what their reader has.

use std::{collections::BTreeSet, fs, path::Path};

use super::{bundle, git, input, objects, path, refs};
use crate::pack::testing::GitRepo;

/// What git says a bundle requires, and what it holds of refs.
fn header(bundle: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let bytes = fs::read(bundle).unwrap();
    let end = bytes.windows(2).position(|two| two == b"\n\n").unwrap();
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let lines = || text.lines().skip(1);
    let required = lines().filter_map(|line| Some(line.strip_prefix('-')?[..40].to_owned()));
    let listed = lines().filter(|line| !line.starts_with('-'));
    (required.collect(), listed.map(str::to_owned).collect())
}

/// A repository that has just what the bundle requires, and all that this reaches.
fn reader(repo: &GitRepo, required: &BTreeSet<String>, name: &str) -> std::path::PathBuf {
    let reader = repo.beside(name);
    git(&repo.beside(""), &["init", "-q", "--bare", path(&reader)]);
    let url = format!("file://{}", repo.path().display());
    for id in required {
        let spec = format!("{id}:refs/had/{id}");
        let config = ["-c", "uploadpack.allowAnySHA1InWant=true"];
        git(
            &repo.path(),
            &["config", "uploadpack.allowAnySHA1InWant", "true"],
        );
        git(
            &reader,
            &[
                config[0],
                config[1],
                "fetch",
                "-q",
                "--no-tags",
                &url,
                &spec,
            ],
        );
    }
    reader
}

/// Branches that fork and merge, old and new tags, deltas across all of it.
fn forked() -> GitRepo {
    let repo = GitRepo::history(5);
    repo.git(&["tag", "-a", "-m", "one", "v1"]);
    repo.git(&["checkout", "-q", "-b", "topic", "HEAD~2"]);
    repo.write("on-topic", "topic");
    repo.commit("on topic");
    repo.git(&["checkout", "-q", "main"]);
    repo.grow(7);
    repo.git(&["merge", "-q", "-m", "merge", "topic"]);
    repo.git(&["tag", "-a", "-m", "two", "v2"]);
    repo.grow(9);
    repo.git(&["checkout", "-q", "--orphan", "alone"]);
    repo.write("by-itself", "alone");
    repo.commit("alone");
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["repack", "-q", "-a", "-d", "-f"]);
    repo.write("later", "loose");
    repo.commit("later");
    repo
}

#[tokio::test(flavor = "multi_thread")]
async fn git_fetches_them_where_the_prerequisites_are_and_only_there() {
    let repo = forked();
    for (number, revisions) in [
        &["v1..main"][..],
        &["main", "^v2"],
        &["^v1", "main", "topic"],
        &["main", "^topic"],
        &["main~3..main"],
        &["^v?", "main", "v2"],
        &["^main~4"],
        &["^alone", "main"],
        &["topic..v2"],
    ]
    .into_iter()
    .enumerate()
    {
        let out = repo.beside(&format!("{number}.bundle"));
        let made = bundle(input(&repo, &out, revisions)).await.unwrap();
        let (required, listed) = header(&out);
        assert_eq!(made.prerequisites, required.len() as u64, "{revisions:?}");
        assert_eq!(made.refs, listed.len() as u64);
        repo.git(&["bundle", "verify", "-q", path(&out)]);
        let reader = reader(&repo, &required, &format!("{number}.git"));
        let had = objects(&reader);
        git(&reader, &["bundle", "verify", "-q", path(&out)]);
        git(&reader, &["fetch", "-q", path(&out), "refs/*:refs/*"]);
        git(&reader, &["fsck", "--full", "--strict", "--no-dangling"]);
        for line in &listed {
            let (id, name) = line.split_once(' ').unwrap();
            if name != "HEAD" {
                assert!(refs(&reader).contains(&format!("{id} {name}")), "{line}");
            }
        }
        // Nothing was sent that the reader had.
        let brought: usize = made.objects.try_into().unwrap();
        let fetched = objects(&reader).difference(&had).count();
        assert_eq!(brought, fetched, "{revisions:?}");
        if !required.is_empty() {
            let empty = repo.beside(&format!("{number}.empty"));
            git(&repo.beside(""), &["init", "-q", "--bare", path(&empty)]);
            let verified = crate::pack::testing::git_in(&empty, &["bundle", "verify", path(&out)]);
            assert!(!verified.status.success(), "{revisions:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prerequisites_are_those_of_git() {
    let repo = forked();
    for revisions in [
        &["v1..main"][..],
        &["main", "^topic"],
        &["main", "topic", "^v1"],
    ] {
        let (ours, theirs) = (repo.beside("ours"), repo.beside("theirs"));
        bundle(input(&repo, &ours, revisions)).await.unwrap();
        let args = [&["bundle", "create", "-q", path(&theirs)], revisions].concat();
        repo.git(&args);
        let ((required, mut listed), expected) = (header(&ours), header(&theirs));
        // HEAD comes with its branch.
        listed.retain(|line| !line.ends_with(" HEAD"));
        assert_eq!((required, listed), expected, "{revisions:?}");
        fs::remove_file(ours).unwrap();
        fs::remove_file(theirs).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deltas_against_what_the_reader_has_stay_deltas() {
    let repo = GitRepo::history(3);
    let big = super::noise(40_000);
    repo.write("big", &big);
    repo.commit("big");
    repo.write("big", [&big[..], b"and a little more"].concat());
    repo.commit("bigger");
    // Git likes the larger one as a base; the smaller one is a delta.
    repo.git(&["repack", "-q", "-a", "-d", "-f"]);
    repo.write("big", &big[..39_000]);
    repo.commit("smaller");
    repo.git(&["repack", "-q", "-a", "-d", "-f"]);
    let out = repo.beside("a.bundle");
    let made = bundle(input(&repo, &out, &["main", "^main~1"]))
        .await
        .unwrap();
    assert_eq!(made.objects, 3);
    assert!(made.bytes < 2000, "{} bytes for a small change", made.bytes);
    let reader = reader(&repo, &header(&out).0, "reader.git");
    git(&reader, &["fetch", "-q", path(&out), "main:main"]);
    git(&reader, &["fsck", "--full", "--strict"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_excluded_branch_guarantees_is_not_left_out() {
    // A branch of its own that has the same file: its history is no prerequisite.
    let repo = GitRepo::history(2);
    repo.git(&["checkout", "-q", "--orphan", "other"]);
    repo.git(&["rm", "-q", "-r", "-f", "."]);
    repo.write("shared", "the same in both");
    repo.commit("other");
    repo.git(&["tag", "-a", "-m", "of other", "of-other"]);
    repo.git(&["checkout", "-q", "main"]);
    repo.write("shared", "the same in both");
    repo.commit("shared");
    let out = repo.beside("a.bundle");
    let made = bundle(input(&repo, &out, &["main", "^other"]))
        .await
        .unwrap();
    assert_eq!(made.prerequisites, 0);
    let clone = super::cloned(&repo, &out, "clone.git");
    assert_eq!(objects(&clone), repo.reachable(&["main"]));
    fs::remove_file(&out).unwrap();
    // A new tag of something old: what it names is a prerequisite.
    let revisions = ["main", "of-other", "^other"];
    let made = bundle(input(&repo, &out, &revisions)).await.unwrap();
    let other = repo.git(&["rev-parse", "other"]);
    assert_eq!(header(&out).0, BTreeSet::from([other]));
    assert_eq!(made.refs_left_out, 0);
    let reader = reader(&repo, &header(&out).0, "reader.git");
    git(&reader, &["fetch", "-q", path(&out), "refs/*:refs/*"]);
    git(&reader, &["fsck", "--full", "--strict", "--no-dangling"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refs_to_what_is_excluded_are_left_out_and_told() {
    let repo = forked();
    let out = repo.beside("a.bundle");
    let made = bundle(input(&repo, &out, &["^main~1"])).await.unwrap();
    let (_, listed) = header(&out);
    let names: Vec<&str> = listed.iter().map(|line| &line[41..]).collect();
    assert_eq!(made.refs_left_out, 1, "topic");
    assert!(!names.contains(&"refs/heads/topic"), "{names:?}");
    for name in [
        "refs/heads/main",
        "refs/heads/alone",
        "refs/tags/v1",
        "HEAD",
    ] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
    // An older branch, excluded through its descendant, is only found out by the history.
    let error = bundle(input(&repo, &repo.beside("b"), &["topic", "^main"]))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("nothing new"), "{error}");
}
