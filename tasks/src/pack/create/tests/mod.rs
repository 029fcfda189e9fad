//! The operation as a whole: to the end, paused anywhere, with the repository repacked meanwhile.
#![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]

mod crashes;
mod layers;
mod results;
mod resumed;
mod sources;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZero,
    path::{Path, PathBuf},
    sync::Arc,
};

use resume_runtime::{Database, Scheduler, Start, Stopped};

use super::{Create, Env, Input, Summary};
use crate::pack::{
    format::{PackDir, RefTarget, Refs},
    restore::{encode::Encoder, source::Source},
    testing::GitRepo,
};

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

    fn scheduler(&self, threads: usize) -> Scheduler {
        self.scheduler_with(Env::with_threads(NonZero::new(threads)))
    }

    fn scheduler_with(&self, env: Env) -> Scheduler {
        Scheduler::builder(self.db.clone())
            .register::<Create>(move |_| Ok(env.clone()))
            .folder(self.folder.path())
            .build()
    }
}

fn input(repo: &GitRepo, output: &Path, refs: &[&str]) -> Input {
    Input {
        repository: repo.git_dir().to_owned(),
        output: output.to_owned(),
        refs: refs.iter().map(|name| (*name).into()).collect(),
        ..Input::default()
    }
}

async fn create(input: Input, threads: usize) -> Result<Summary, Stopped> {
    create_with(Env::with_threads(NonZero::new(threads)), input).await
}

async fn create_with(env: Env, input: Input) -> Result<Summary, Stopped> {
    let machine = Machine::new();
    let scheduler = machine.scheduler_with(env);
    let done = scheduler
        .start::<Create>(input, Start::new())
        .await
        .unwrap()
        .await;
    let left = std::fs::read_dir(machine.folder.path()).unwrap().count();
    assert!(done.is_err() || left == 0, "the operation's folder is gone");
    done
}

/// All files below `dir`: their lengths and contents, the latter as a hash to keep failures legible.
fn files(dir: &Path) -> BTreeMap<PathBuf, (u64, String)> {
    let mut all = BTreeMap::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let content = std::fs::read(&path).unwrap();
                let seen = (content.len() as u64, blake3::hash(&content).to_string());
                all.insert(path.strip_prefix(dir).unwrap().to_owned(), seen);
            }
        }
    }
    all
}

/// Copies a directory with all that is below it.
fn copy_dir(from: &Path, to: &Path) {
    for path in files(from).keys() {
        let target = to.join(path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(from.join(path), target).unwrap();
    }
}

/// The objects of all layers.
fn packed(output: &Path) -> BTreeSet<String> {
    let layers = PackDir::open(output).unwrap().layers().unwrap();
    let objects = layers
        .iter()
        .flat_map(|layer| layer.index().objects_by_oid())
        .map(|object| object.unwrap().0.to_string());
    let objects: Vec<String> = objects.collect();
    let count = objects.len();
    let set: BTreeSet<String> = objects.into_iter().collect();
    assert_eq!(set.len(), count, "an object is there twice");
    set
}

/// Reads the pack back: every object is rebuilt, hashed and held against the index.
fn verified(output: &Path) {
    let pack = PackDir::open(output).unwrap();
    let source = Arc::new(Source::open(&pack, usize::MAX).unwrap());
    let mut encoder = Encoder::new(source.clone());
    for unit in 0..source.units() {
        encoder.encode(unit).unwrap();
    }
}

/// Holds the pack against what git says that `revisions` reach; gives the refs of the newest layer.
fn check(output: &Path, repo: &GitRepo, revisions: &[&str]) -> Refs {
    let expected = if revisions.is_empty() {
        BTreeSet::new()
    } else {
        repo.reachable(revisions)
    };
    assert_eq!(packed(output), expected);
    verified(output);
    let layers = PackDir::open(output).unwrap().layers().unwrap();
    layers[layers.len() - 1].refs().clone()
}

fn ref_lines(refs: &Refs) -> Vec<String> {
    let line = |(name, target): &(gix::bstr::BString, RefTarget)| match target {
        RefTarget::Object(id) => format!("{id} {name}"),
        RefTarget::Symbolic(to) => format!("ref: {to} {name}"),
    };
    refs.refs.iter().map(line).collect()
}
