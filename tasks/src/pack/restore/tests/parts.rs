//! Packs of shallow and of partial clones.

use std::fs;
use std::path::{Path, PathBuf};

use gix_hash::ObjectId;
use resume_runtime::{Scheduler, Start, Stopped};

use super::super::{Env, Input, Namespace, Output, Restore, RestoreError, prepare};
use super::fixture::{git, objects, refs, repository, write_layer};
use crate::core::registry::Registry;

/// A pack of a clone of `source` with these options, and the clone.
fn pack_of_clone(dir: &Path, source: &Path, name: &str, options: &[&str]) -> (PathBuf, PathBuf) {
    git(source, &["config", "uploadpack.allowFilter", "true"]);
    let (clone, out) = (dir.join(name), dir.join(format!("{name}.pack")));
    let url = format!("file://{}", source.display());
    let mut args = vec!["clone", "-q"];
    args.extend(options);
    args.extend([url.as_str(), clone.to_str().unwrap()]);
    git(dir, &args);
    // One pack, with deltas between what is there.
    git(&clone, &["repack", "-adfq"]);
    for pack in fs::read_dir(clone.join(".git/objects/pack")).unwrap() {
        let path = pack.unwrap().path();
        if path.extension().is_some_and(|it| it == "promisor") {
            fs::remove_file(path).unwrap();
        }
    }
    let mut refs = refs(&clone);
    let ids = |text: String| -> Vec<ObjectId> {
        let mut ids: Vec<_> = text
            .lines()
            .map(|line| ObjectId::from_hex(line.trim_start_matches('?').as_bytes()).unwrap())
            .collect();
        ids.sort();
        ids
    };
    refs.shallow = ids(fs::read_to_string(clone.join(".git/shallow")).unwrap_or_default());
    let missing = git(
        &clone,
        &["rev-list", "--objects", "--all", "--missing=print"],
    );
    let missing: Vec<&str> = missing
        .lines()
        .filter(|line| line.starts_with('?'))
        .collect();
    refs.missing = ids(missing.join("\n"));
    let all = objects(&clone);
    fs::create_dir_all(&out).unwrap();
    write_layer(&out, 1000, &refs, all);
    (clone, out)
}

async fn restore(input: Input) -> Result<Result<Output, Stopped>, RestoreError> {
    let state = tempfile::tempdir().unwrap();
    let db = prepare::begin(&input, &Registry::in_dir(state.path()))?;
    let scheduler = Scheduler::builder(db.into())
        .register::<Restore>(|_| Ok(Env::new(2)))
        .build();
    let handle = scheduler.start::<Restore>(input, Start::new()).await;
    Ok(handle.unwrap().await)
}

fn new(pack: &Path, target: PathBuf, bare: bool) -> Input {
    Input {
        pack: pack.to_owned(),
        target,
        bare,
        into: None,
    }
}

fn into(pack: &Path, repo: &Path) -> Input {
    prepare::into(pack.to_owned(), repo, Namespace::parse("refs/r").unwrap()).unwrap()
}

fn log(repo: &Path, tip: &str) -> String {
    git(repo, &["rev-list", "--objects", "--missing=print", tip])
}

#[tokio::test]
async fn a_shallow_clone_comes_back_shallow() {
    let dir = tempfile::tempdir().unwrap();
    let source = repository(dir.path(), 9);
    let options = ["--depth=3", "--no-single-branch"];
    let (clone, out) = pack_of_clone(dir.path(), &source, "shallow", &options);
    for bare in [true, false] {
        let target = dir.path().join(format!("new-{bare}"));
        let output = restore(new(&out, target.clone(), bare))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(git(&target, &["fsck", "--full", "--strict"]), "");
        let is = git(&target, &["rev-parse", "--is-shallow-repository"]);
        assert_eq!(is, "true\n");
        assert_eq!(log(&target, "HEAD"), log(&clone, "HEAD"));
        assert_eq!(git(&target, &["rev-list", "--count", "HEAD"]), "4\n");
        if !bare {
            assert_eq!(output.written.unwrap().left_out, 0);
            assert_eq!(git(&target, &["status", "--porcelain"]), "");
        }
        // It can be made whole from where it came from.
        git(
            &target,
            &[
                "fetch",
                "-q",
                "--unshallow",
                source.to_str().unwrap(),
                "main",
            ],
        );
        assert_eq!(log(&target, "HEAD"), log(&source, "main"));
    }
}

#[tokio::test]
async fn history_that_is_there_is_not_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let source = repository(dir.path(), 9);
    let options = ["--depth=3", "--no-single-branch"];
    let (clone, out) = pack_of_clone(dir.path(), &source, "shallow", &options);
    let before = log(&source, "main");
    restore(into(&out, &source)).await.unwrap().unwrap();
    assert!(!source.join(".git/shallow").exists());
    assert_eq!(log(&source, "main"), before);
    assert_eq!(
        git(&source, &["rev-parse", "refs/r/heads/main"]),
        git(&source, &["rev-parse", "main"])
    );

    let other = dir.path().join("other");
    git(dir.path(), &["init", "-q", other.to_str().unwrap()]);
    git(&other, &["commit", "-q", "--allow-empty", "-m", "mine"]);
    restore(into(&out, &other)).await.unwrap().unwrap();
    assert_eq!(git(&other, &["fsck", "--full", "--strict"]), "");
    let shallow = |repo: &Path| fs::read_to_string(repo.join(".git/shallow")).unwrap();
    assert_eq!(shallow(&other), shallow(&clone));
    assert_eq!(log(&other, "refs/r/heads/main"), log(&clone, "HEAD"));
    assert!(!other.join(".git/shallow.lock").exists());
    git(&other, &["gc", "-q", "--prune=now"]);
    assert_eq!(git(&other, &["fsck", "--full", "--strict"]), "");
    // Deeper there already, with a boundary of its own.
    let deeper = dir.path().join("deeper");
    let url = format!("file://{}", source.display());
    git(
        dir.path(),
        &["clone", "-q", "--depth=6", &url, deeper.to_str().unwrap()],
    );
    let before = shallow(&deeper);
    restore(into(&out, &deeper)).await.unwrap().unwrap();
    assert!(shallow(&deeper).contains(before.trim()));
    assert_eq!(log(&deeper, "main"), log(&deeper, "refs/r/heads/main"));
    assert_eq!(git(&deeper, &["rev-list", "--count", "HEAD"]), "6\n");
    assert_eq!(git(&deeper, &["fsck", "--full", "--strict"]), "");
}

#[tokio::test]
async fn a_partial_clone_comes_back_partial() {
    let dir = tempfile::tempdir().unwrap();
    let source = repository(dir.path(), 6);
    let (clone, out) = pack_of_clone(dir.path(), &source, "partial", &["--filter=blob:none"]);
    for bare in [true, false] {
        let target = dir.path().join(format!("new-{bare}"));
        let output = restore(new(&out, target.clone(), bare))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(git(&target, &["fsck", "--full", "--strict"]), "");
        assert_eq!(log(&target, "HEAD"), log(&clone, "HEAD"));
        assert!(log(&target, "HEAD").contains("\n?"));
        if !bare {
            assert_eq!(output.written.unwrap().left_out, 0);
            assert_eq!(git(&target, &["status", "--porcelain"]), "");
        }
        // Git keeps what it has, and asks for the rest where it is told to.
        git(&target, &["gc", "-q", "--prune=now"]);
        assert_eq!(git(&target, &["fsck", "--full", "--strict"]), "");
        let url = format!("file://{}", source.display());
        git(&target, &["remote", "set-url", "--add", "origin", &url]);
        git(&target, &["cat-file", "-p", "HEAD~3:file-1"]);
    }
    // Git knows the empty file by itself. Without a file of HEAD the others are written, and it is told.
    let (_, none) = pack_of_clone(
        dir.path(),
        &source,
        "nothing",
        &["--filter=blob:none", "--no-checkout"],
    );
    let target = dir.path().join("no-files");
    let output = restore(new(&none, target, false)).await.unwrap().unwrap();
    let written = output.written.unwrap();
    assert_eq!((written.files, written.left_out), (1, 4), "{written:?}");
    assert!(
        written.remarks[0].contains("could not be found"),
        "{written:?}"
    );
}

#[tokio::test]
async fn what_a_pack_leaves_out_must_be_there_or_promised() {
    let dir = tempfile::tempdir().unwrap();
    let source = repository(dir.path(), 6);
    let (clone, out) = pack_of_clone(dir.path(), &source, "partial", &["--filter=blob:none"]);
    let other = dir.path().join("other");
    git(dir.path(), &["init", "-q", other.to_str().unwrap()]);
    let refused = restore(into(&out, &other)).await.unwrap_err();
    assert!(matches!(refused, RestoreError::Lacks { .. }), "{refused}");
    assert!(!other.join(".git/mug").exists());
    for repo in [&source, &clone] {
        restore(into(&out, repo)).await.unwrap().unwrap();
        assert_eq!(git(repo, &["fsck", "--full", "--strict"]), "");
        git(repo, &["gc", "-q", "--prune=now"]);
        assert_eq!(git(repo, &["fsck", "--full", "--strict"]), "");
        assert_eq!(log(repo, "refs/r/heads/main"), log(repo, "main"));
    }
}
