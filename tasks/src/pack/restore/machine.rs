//! The operation: check the pack, write the entries, write their index, publish.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use resume_runtime::{Blocking, Resumable, StepError, path_text};
use serde::{Deserialize, Serialize};

use super::super::format::{Digest, FormatError, PackDir};
use super::into::{Namespace, Place};
use super::publish::{self, Target};
use super::steps::{Check, Entries, Files, Index, Publish, PublishInto, Refs, RefsInto, TreeIndex};
use super::{RestoreError, Source};
use crate::checkout::Written;

/// The machine's name in the records of operations.
pub const KIND: &str = "pack-restore";

/// What to restore, and where to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Input {
    /// The pack directory, an absolute path.
    #[serde(with = "path_text")]
    pub pack: PathBuf,
    /// The new repository, an absolute path.
    #[serde(with = "path_text")]
    pub target: PathBuf,
    /// Whether it is to have no working tree.
    pub bare: bool,
    /// Where refs go if the target is the common Git directory of a repository that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<Place>,
}

impl Input {
    /// The Git directory that is restored to.
    pub fn git_dir(&self) -> PathBuf {
        if self.into.is_some() {
            self.target.clone()
        } else {
            self.target().git_dir()
        }
    }

    /// The new repository.
    pub fn target(&self) -> Target {
        Target {
            path: self.target.clone(),
            bare: self.bare,
        }
    }
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The number of objects.
    pub objects: u64,
    /// The length of the Git pack in bytes.
    pub pack_bytes: u64,
    /// What was written of a working tree; none in a bare repository, and where `HEAD` is unborn.
    #[serde(default)]
    pub written: Option<Written>,
    /// Why the working tree was not written at all, if it could not be: the tree has a path that is
    /// refused, for example. The repository is complete without it.
    pub no_tree: Option<String>,
    /// What became of the refs in a repository that existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<Restored>,
}

/// What was restored into a repository that existed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The namespace of the refs.
    pub namespace: Namespace,
    /// The refs of the pack that are there now.
    pub refs: u64,
    /// Symbolic refs that were left out, since they lead nowhere.
    pub left_out: u64,
}

/// What a process needs to restore.
#[derive(Debug)]
pub struct Env {
    threads: usize,
    source: Mutex<Option<Arc<Source>>>,
    /// Counts the units that are appended.
    #[cfg(test)]
    units: Arc<std::sync::atomic::AtomicU64>,
}

impl Env {
    /// Restores with so many threads.
    pub fn new(threads: usize) -> Self {
        Self {
            threads: threads.max(1),
            source: Mutex::new(None),
            #[cfg(test)]
            units: Arc::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn counting(threads: usize, units: Arc<std::sync::atomic::AtomicU64>) -> Self {
        Self {
            units,
            ..Self::new(threads)
        }
    }

    /// The number of threads.
    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    #[cfg(test)]
    pub(super) fn count_unit(&self) {
        self.units
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// Files are counted with the units.
    #[cfg(test)]
    pub(super) fn count_staged(&self, plan: &mut crate::checkout::Plan) {
        plan.staged = Arc::clone(&self.units);
    }

    /// The opened layers of the plan; opened once in a process.
    pub(super) fn source(&self, pack: &Path, plan: &Plan) -> Result<Arc<Source>, RestoreError> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = &*source {
            return Ok(Arc::clone(source));
        }
        let dir = open_again(pack)?;
        if Plan::of(&dir, plan.layers) != *plan {
            return Err(RestoreError::Replaced {
                path: pack.to_owned(),
            });
        }
        let opened = Arc::new(Source::open(&dir, plan.layers)?);
        *source = Some(Arc::clone(&opened));
        Ok(opened)
    }
}

/// Which layers are restored: what is added to the pack later is none of this operation's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    layers: usize,
    /// The digest of the layers' ids.
    ids: Digest,
}

impl Plan {
    pub(super) fn of(pack: &PackDir, layers: usize) -> Self {
        let mut hasher = blake3::Hasher::new();
        let listed = &pack.manifest().layers;
        let listed = &listed[..layers.min(listed.len())];
        for layer in listed {
            hasher.update(&layer.id.0);
        }
        Self {
            layers: listed.len(),
            ids: hasher.finalize().into(),
        }
    }
}

/// Restores a repository from a pack directory.
#[derive(Debug, Resumable)]
#[resumable(kind = "pack-restore", version = 1, input = Input, output = Output, env = Env)]
pub enum Restore {
    /// Looks at the target and the pack.
    #[step(start)]
    Check(Check),
    /// Writes the Git pack.
    #[step]
    Entries(Entries),
    /// Writes its index.
    #[step]
    Index(Index),
    /// Moves them into the new repository.
    #[step(effect)]
    Publish(Publish),
    /// Moves them into a repository that exists.
    #[step(effect)]
    PublishInto(PublishInto),
    /// Writes refs there.
    #[step(effect)]
    RefsInto(RefsInto),
    /// Writes the working tree.
    #[step(effect)]
    Files(Files),
    /// Writes its index.
    #[step]
    TreeIndex(TreeIndex),
    /// Writes the refs, and `HEAD` last.
    #[step(effect)]
    Refs(Refs),
}

/// Opens a pack that was there when the operation began.
pub(super) fn open_again(pack: &Path) -> Result<PackDir, RestoreError> {
    match PackDir::open(pack) {
        Err(FormatError::NoManifest { .. }) if is_gone(pack) => Err(RestoreError::Gone {
            path: pack.to_owned(),
        }),
        opened => Ok(opened?),
    }
}

/// Whether there is nothing at all where the pack was: of a disk that was unplugged an empty directory
/// may be left.
fn is_gone(pack: &Path) -> bool {
    std::fs::read_dir(pack).map_or(true, |mut entries| entries.next().is_none())
}

/// The operation's own directory on the target's file system.
pub(super) fn own_dir(b: &Blocking<Restore>) -> PathBuf {
    let store = b.input().git_dir().join(publish::STORE_NAME);
    store.join("ops").join(b.id())
}

impl From<RestoreError> for StepError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Interrupted => Self::transient(error),
            RestoreError::Io { path, source }
            | RestoreError::Format(FormatError::Io { path, source }) => {
                // What the operation's files reported is classed already.
                match source.downcast::<Self>() {
                    Ok(error) => error,
                    Err(error) => Self::from(error).context(format!("'{}'", path.display())),
                }
            }
            error @ (RestoreError::Gone { .. } | RestoreError::Replaced { .. }) => {
                let hint = "put the pack back as it was, then continue; or delete the operation and \
                            restore again";
                Self::needs_user(error, hint)
            }
            error @ RestoreError::RefsTaken { .. } => {
                Self::needs_user(error, "move or delete these refs, then continue")
            }
            error @ RestoreError::Appeared { .. } => {
                Self::needs_user(error, "move it away, then continue")
            }
            error => Self::fatal(error),
        }
    }
}
