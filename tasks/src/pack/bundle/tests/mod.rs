//! The operation as a whole, with git as the judge of what it makes.
#![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]

mod crashes;
mod damage;
mod ranges;
mod results;
mod resumed;

use std::{
    collections::BTreeSet,
    num::NonZero,
    path::{Path, PathBuf},
};

use resume_runtime::{Database, Scheduler, Start, Stopped};

use super::{Bundle, Env, Input, Summary};
use crate::pack::testing::{GitRepo, git_in, lines};

/// A store in memory that outlives schedulers, as a directory outlives processes.
struct Machine {
    db: Database,
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        Self {
            db: Database::in_memory().unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn scheduler(&self, env: Env) -> Scheduler {
        Scheduler::builder(self.db.clone())
            .register::<Bundle>(move |_| Ok(env.clone()))
            .folder(self.folder.path())
            .build()
    }
}

fn input(repo: &GitRepo, output: &Path, revisions: &[&str]) -> Input {
    Input {
        repository: repo.git_dir().to_owned(),
        output: output.to_owned(),
        revisions: revisions.iter().map(|&text| text.into()).collect(),
        exclude: Vec::new(),
        threads: None,
    }
}

/// Small pieces on so many threads.
fn small(threads: usize) -> Env {
    Env {
        threads: NonZero::new(threads),
        small: true,
        hook: None,
    }
}

async fn bundle_with(input: Input, env: Env) -> Result<Summary, Stopped> {
    let machine = Machine::new();
    let scheduler = machine.scheduler(env);
    let done = scheduler
        .start::<Bundle>(input, Start::new())
        .await
        .unwrap()
        .await;
    let left = std::fs::read_dir(machine.folder.path()).unwrap().count();
    assert!(done.is_err() || left == 0, "the operation's folder is gone");
    done
}

async fn bundle(input: Input) -> Result<Summary, Stopped> {
    bundle_with(input, Env::with_threads(NonZero::new(2))).await
}

/// What git prints, run in `dir`; it must succeed.
fn git(dir: &Path, args: &[&str]) -> String {
    let output = git_in(dir, args);
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The refs of a repository, with their objects.
fn refs(dir: &Path) -> String {
    git(dir, &["for-each-ref", "--format=%(objectname) %(refname)"])
}

/// The objects of a repository, reachable or not.
fn objects(dir: &Path) -> BTreeSet<String> {
    let args = [
        "cat-file",
        "--batch-all-objects",
        "--batch-check=%(objectname)",
    ];
    git(dir, &args).lines().map(str::to_owned).collect()
}

/// Has git verify the bundle, clone it with every ref and check the clone; gives the clone.
fn cloned(repo: &GitRepo, bundle: &Path, name: &str) -> PathBuf {
    git(&repo.path(), &["bundle", "verify", "-q", path(bundle)]);
    let clone = repo.beside(name);
    git(
        &repo.beside(""),
        &["clone", "-q", "--mirror", path(bundle), path(&clone)],
    );
    git(&clone, &["fsck", "--full", "--strict", "--no-dangling"]);
    clone
}

/// A repository with two packs that share objects, loose objects, deltas in both packs, one object
/// in many pieces loose and one packed, and some that nothing refers to.
fn mixed(root: &Path) -> GitRepo {
    let repo = GitRepo::below(root);
    repo.grow(6);
    repo.git(&["checkout", "-q", "-b", "lost"]);
    repo.write("lost", "unreachable");
    repo.commit("lost");
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["repack", "-q", "-a", "-d", "-f"]);
    repo.write("packed", noise(9000));
    repo.write("readme", lines("readme", 11, 40));
    repo.commit("more");
    repo.git(&["tag", "-a", "-m", "one", "v1"]);
    // A second pack with everything, so that objects are in both.
    repo.git(&["repack", "-q", "-a", "-f", "--depth=3"]);
    repo.git(&["branch", "-q", "-D", "lost"]);
    repo.write("large", lines("large", 3, 900));
    repo.write("noise", noise(7000));
    repo.commit("loose");
    repo.git(&["prune-packed", "-q"]);
    repo
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}
