//! Into repositories that exist.

use std::fs;
use std::path::{Path, PathBuf};

use resume_runtime::{ErrorClass, Scheduler, Start, Stopped};

use super::super::{Env, Input, Namespace, Output, Restore, RestoreError, prepare};
use super::fixture::{Order, add_layer, git, repository};
use crate::core::database::MugDb;
use crate::core::registry::Registry;

/// A repository with a commit of its own, some packed refs and some loose.
fn existing(dir: &Path, name: &str, bare: bool) -> PathBuf {
    let repo = dir.join(name);
    fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "-q", "-b", "mine"]);
    fs::write(repo.join("file"), "mine\n").unwrap();
    git(&repo, &["add", "-A"]);
    git(&repo, &["commit", "-qm", "mine"]);
    git(&repo, &["tag", "-a", "-m", "x", "v1"]);
    git(&repo, &["branch", "other"]);
    git(&repo, &["pack-refs", "--all"]);
    git(&repo, &["branch", "loose"]);
    if !bare {
        return repo;
    }
    let to = dir.join(format!("{name}.git"));
    git(
        dir,
        &[
            "clone",
            "-q",
            "--mirror",
            repo.to_str().unwrap(),
            to.to_str().unwrap(),
        ],
    );
    to
}

fn begin(input: &Input) -> Result<MugDb, RestoreError> {
    let state = tempfile::tempdir().unwrap();
    prepare::begin(input, &Registry::in_dir(state.path()))
}

async fn run(db: MugDb, input: &Input, id: Option<&str>) -> Result<Output, Stopped> {
    let scheduler = Scheduler::builder(db.into())
        .register::<Restore>(|_| Ok(Env::new(2)))
        .build();
    if let Some(id) = id {
        return scheduler.resume::<Restore>(id).unwrap().await;
    }
    let handle = scheduler.start::<Restore>(input.clone(), Start::new());
    handle.await.unwrap().await
}

fn input(pack: &Path, repo: &Path, namespace: &str) -> Input {
    let namespace = Namespace::parse(namespace).unwrap();
    prepare::into(pack.to_owned(), repo, namespace).unwrap()
}

fn show(repo: &Path) -> String {
    let format = "--format=%(objectname) %(objecttype) %(refname) %(symref) %(*objectname)";
    git(repo, &["for-each-ref", format])
}

/// The refs of `source` as they must be under the namespace, those of `before` with them.
fn expected(before: &str, source: &Path, namespace: &str) -> Vec<String> {
    let mut lines: Vec<String> = before.lines().map(str::to_owned).collect();
    for line in show(source).lines() {
        lines.push(line.replace("refs/", namespace));
    }
    let head = git(source, &["rev-parse", "HEAD"]);
    lines.push(format!(
        "{} commit {namespace}HEAD {namespace}heads/main ",
        head.trim()
    ));
    lines.sort_by_key(|line| line.split(' ').nth(2).unwrap().to_owned());
    lines
}

fn leftovers(common_dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in [common_dir.to_owned(), common_dir.join("objects/pack")] {
        found.extend(
            fs::read_dir(dir)
                .unwrap()
                .map(|entry| entry.unwrap().path()),
        );
    }
    found.retain(|path| {
        let extension = path.extension().unwrap_or_default();
        extension == "keep" || extension == "lock"
    });
    found.extend(
        fs::read_dir(common_dir.join("mug/ops"))
            .into_iter()
            .flatten()
            .map(|it| it.unwrap().path()),
    );
    found
}

#[tokio::test]
async fn refs_come_beside_those_that_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let source = repository(dir.path(), 12);
    let out = dir.path().join("out");
    add_layer(&source, &out, 800, Order::DepthFirst);
    let plain = existing(dir.path(), "plain", false);
    let linked = dir.path().join("linked");
    git(
        &plain,
        &["worktree", "add", "-q", linked.to_str().unwrap(), "other"],
    );
    let bare = existing(dir.path(), "bare", true);
    fs::create_dir(plain.join("sub")).unwrap();
    let cases = [
        (plain.clone(), plain.join(".git"), "refs/restored/a/"),
        (plain.join("sub"), plain.join(".git"), "refs/tags/b/"),
        (linked, plain.join(".git"), "refs/restored/c/"),
        (bare.clone(), bare.clone(), "refs/restored/a/"),
    ];
    for (repo, common_dir, namespace) in cases {
        let before = show(&repo);
        let head = fs::read(common_dir.join("HEAD")).unwrap();
        let input = input(&out, &repo, namespace);
        assert_eq!(input.target, common_dir.canonicalize().unwrap());
        let output = run(begin(&input).unwrap(), &input, None).await.unwrap();
        let lines: Vec<String> = show(&repo).lines().map(str::to_owned).collect();
        assert_eq!(lines, expected(&before, &source, namespace));
        let restored = output.into.unwrap();
        let added = lines.len() - before.lines().count();
        assert_eq!(restored.refs, added as u64);
        assert_eq!(restored.left_out, 0);
        assert_eq!(fs::read(common_dir.join("HEAD")).unwrap(), head);
        assert_eq!(git(&repo, &["fsck", "--full", "--strict"]), "");
        assert_eq!(leftovers(&common_dir), Vec::<PathBuf>::new());
        // Again: all is there.
        let again = run(begin(&input).unwrap(), &input, None).await.unwrap();
        assert_eq!(again.into.unwrap(), restored);
        // What the refs hold is safe, and git can change everything.
        git(&repo, &["gc", "-q", "--prune=now"]);
        git(&repo, &["fsck", "--full", "--strict"]);
        let lines: Vec<String> = show(&repo).lines().map(str::to_owned).collect();
        assert_eq!(lines, expected(&before, &source, namespace));
    }
    assert_eq!(git(&plain, &["status", "--porcelain"]), "");
}

#[tokio::test]
async fn refs_with_other_values_are_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let source = repository(dir.path(), 3);
    let out = dir.path().join("out");
    add_layer(&source, &out, 800, Order::DepthFirst);
    for (number, (name, named)) in [
        ("refs/r/heads/main", "refs/r/heads/main"),
        ("refs/r/heads", "refs/r/heads"),
        ("refs/r", "refs/r"),
        ("refs/r/heads/main/deeper", "refs/r/heads/main/deeper"),
        ("refs/r/HEAD", "refs/r/HEAD"),
    ]
    .into_iter()
    .enumerate()
    {
        for packed in [false, true] {
            let repo = existing(dir.path(), &format!("{number}-{packed}"), false);
            git(&repo, &["update-ref", name, "HEAD"]);
            if packed {
                git(&repo, &["pack-refs", "--all"]);
            }
            let before = show(&repo);
            let error = begin(&input(&out, &repo, "refs/r")).unwrap_err();
            assert!(matches!(error, RestoreError::RefsTaken { .. }), "{error}");
            assert!(error.to_string().contains(named), "{error}");
            assert_eq!(show(&repo), before);
            assert!(!repo.join(".git/mug").exists());
        }
    }
}

/// Whether a pack of the repository is held against `git gc`.
fn kept(repo: &Path) -> bool {
    let files = fs::read_dir(repo.join(".git/objects/pack")).unwrap();
    let mut names = files.map(|entry| entry.unwrap().file_name());
    names.any(|name| name.to_string_lossy().ends_with(".keep"))
}

/// A restore that waits for the user: the pack is there, and a ref came in between.
struct HeldUp {
    _dir: tempfile::TempDir,
    source: PathBuf,
    repo: PathBuf,
    input: Input,
    db: MugDb,
    id: String,
}

async fn held_up() -> HeldUp {
    let dir = tempfile::tempdir().unwrap();
    let source = repository(dir.path(), 5);
    let out = dir.path().join("out");
    add_layer(&source, &out, 800, Order::DepthFirst);
    let repo = existing(dir.path(), "target", false);
    let input = input(&out, &repo, "refs/r");
    let db = begin(&input).unwrap();
    // A lock of another process: the operation waits for its time.
    fs::write(repo.join(".git/packed-refs.lock"), "").unwrap();
    let scheduler = Scheduler::builder(db.clone().into())
        .register::<Restore>(|_| Ok(Env::new(2)))
        .build();
    let handle = scheduler
        .start::<Restore>(input.clone(), Start::new())
        .await
        .unwrap();
    let id = handle.id().to_owned();
    while !kept(&repo) {
        tokio::task::yield_now().await;
    }
    git(&repo, &["update-ref", "refs/r/heads/main", "HEAD"]);
    fs::remove_file(repo.join(".git/packed-refs.lock")).unwrap();
    let Err(Stopped::NeedsUser { error, .. }) = handle.await else {
        panic!("it must wait")
    };
    assert_eq!(error.class(), ErrorClass::NeedsUser);
    assert!(error.to_string().contains("refs/r/heads/main"), "{error}");
    HeldUp {
        _dir: dir,
        source,
        repo,
        input,
        db,
        id,
    }
}

#[tokio::test]
async fn a_ref_that_comes_in_between_is_told_and_the_pack_is_kept() {
    let HeldUp {
        _dir,
        source,
        repo,
        input,
        db,
        id,
    } = held_up().await;
    assert!(!show(&repo).contains("refs/r/tags"), "all or nothing");
    // Nothing leads to the pack yet, and it stays all the same.
    git(&repo, &["gc", "-q", "--prune=now"]);
    assert!(kept(&repo));
    git(&repo, &["update-ref", "-d", "refs/r/heads/main"]);
    let before = show(&repo);
    run(db, &input, Some(&id)).await.unwrap();
    let lines: Vec<String> = show(&repo).lines().map(str::to_owned).collect();
    assert_eq!(lines, expected(&before, &source, "refs/r/"));
    assert!(!kept(&repo));
    git(&repo, &["fsck", "--full", "--strict"]);
}

/// As after a death between the last ref and the last commit.
#[tokio::test]
async fn refs_that_are_written_need_no_pack_of_that_name() {
    let HeldUp {
        _dir,
        source,
        repo,
        input,
        db,
        id,
    } = held_up().await;
    let pack_gone = |repo: &Path| {
        let packs = fs::read_dir(repo.join(".git/objects/pack")).unwrap();
        for path in packs.map(|entry| entry.unwrap().path()) {
            if path.extension().is_some_and(|kind| kind == "keep") {
                fs::remove_file(path).unwrap();
            }
        }
        git(repo, &["gc", "-q", "--prune=now"]);
    };
    git(&repo, &["update-ref", "-d", "refs/r/heads/main"]);
    let before = show(&repo);
    let lines = expected(&before, &source, "refs/r/");
    for line in &lines {
        let [oid, _, name, symref] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        match symref.split(' ').next() {
            Some("") | None => git(&repo, &["update-ref", name, oid]),
            Some(to) => git(&repo, &["symbolic-ref", name, to]),
        };
    }
    pack_gone(&repo);
    run(db, &input, Some(&id)).await.unwrap();
    let found: Vec<String> = show(&repo).lines().map(str::to_owned).collect();
    assert_eq!(found, lines);
    git(&repo, &["fsck", "--full", "--strict"]);

    // Where they are not, it is missed.
    let HeldUp {
        _dir,
        repo,
        input,
        db,
        id,
        ..
    } = held_up().await;
    git(&repo, &["update-ref", "-d", "refs/r/heads/main"]);
    pack_gone(&repo);
    let Err(stopped) = run(db, &input, Some(&id)).await else {
        panic!("there is no pack")
    };
    assert!(stopped.to_string().contains("is gone"), "{stopped}");
}

#[test]
fn other_kinds_of_repositories_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let source = repository(dir.path(), 2);
    let out = dir.path().join("out");
    add_layer(&source, &out, 800, Order::DepthFirst);
    let namespace = Namespace::for_pack(&out);
    let nowhere = prepare::into(out.clone(), &out, namespace).unwrap_err();
    assert!(
        nowhere.to_string().contains("no Git repository"),
        "{nowhere}"
    );
    for option in ["--object-format=sha256", "--ref-format=reftable"] {
        let name = option.rsplit('=').next().unwrap();
        git(dir.path(), &["init", "-q", option, name]);
        let repo = dir.path().join(name);
        let refused = prepare::into(out.clone(), &repo, Namespace::for_pack(&out))
            .and_then(|input| begin(&input));
        let error = refused.unwrap_err().to_string();
        assert!(!repo.join(".git/mug").exists(), "{error}");
    }
}
