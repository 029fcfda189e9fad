//! Why a pack can't be restored.

use std::path::{Path, PathBuf};

use crate::core::error::CoreError;
use gix::bstr::BString;
use gix_hash::ObjectId;

use super::super::format::{FormatError, Kind};

/// Why a pack was not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The pack directory is not as its format says.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The store of the new repository can't be used.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The file system said no.
    #[error("could not read or write '{}'", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The pack's bytes are what was written, but an object is not what its name says.
    #[error(
        "the pack holds an object that hashes to {found} where its index says {expected}; create the pack anew"
    )]
    WrongObject {
        /// What the index says.
        expected: ObjectId,
        /// What the bytes say.
        found: ObjectId,
    },
    /// An object was made to collide with another one.
    #[error("object {oid} is part of a SHA-1 collision attack and is refused")]
    Collision {
        /// The object.
        oid: ObjectId,
    },
    /// A delta can't be applied.
    #[error("object {oid} can't be rebuilt: {reason}; create the pack anew")]
    Delta {
        /// The object.
        oid: ObjectId,
        /// Why.
        reason: &'static str,
    },
    /// A delta and its base are of different kinds.
    #[error(
        "object {oid} is not of the kind of the object that it is a delta of; create the pack anew"
    )]
    WrongKind {
        /// The object.
        oid: ObjectId,
    },
    /// A layer's delta has its base nowhere.
    #[error(
        "a delta needs object {base}, which no older layer of the pack holds; create the pack anew"
    )]
    MissingBase {
        /// The base.
        base: ObjectId,
    },
    /// An object stands on a delta whose base is nowhere.
    #[error("an object stands on one that no layer of the pack holds; create the pack anew")]
    NoBase,
    /// The same object is in two layers.
    #[error("object {oid} is in two layers of the pack; create the pack anew")]
    Duplicate {
        /// The object.
        oid: ObjectId,
    },
    /// A ref names an object that is not there.
    #[error(
        "the ref {name:?} names object {oid}, which the pack does not hold; create the pack anew"
    )]
    MissingTip {
        /// The ref.
        name: BString,
        /// The object.
        oid: ObjectId,
    },
    /// A branch or `HEAD` names an object that is no commit.
    #[error(
        "the ref {name:?} names object {oid}, which is a {} and no commit; create the pack anew",
        kind.name()
    )]
    WrongTip {
        /// The ref.
        name: BString,
        /// The object.
        oid: ObjectId,
        /// What it is.
        kind: Kind,
    },
    /// There is nothing to restore from.
    #[error("the pack '{}' has no layers; create it anew", path.display())]
    NoLayers {
        /// The pack.
        path: PathBuf,
    },
    /// More objects than a Git pack can number.
    #[error("the pack has more objects than a Git pack can hold")]
    TooManyObjects,
    /// The pack is another one than when the operation began.
    #[error("the pack '{}' was replaced since this restore began", path.display())]
    Replaced {
        /// The pack.
        path: PathBuf,
    },
    /// The pack is not where it was when the operation began.
    #[error("the pack '{}' is gone since this restore began", path.display())]
    Gone {
        /// Where it was.
        path: PathBuf,
    },
    /// The directory to restore to is taken by an operation.
    #[error("operation {id} restores to '{}' already; continue it with --resume {id}, or remove that directory", path.display())]
    TargetBusy {
        /// The target.
        path: PathBuf,
        /// The operation.
        id: String,
    },
    /// There is no directory that a restore could have begun in.
    #[error("no restore to '{}' was begun; leave --resume out to begin one", path.display())]
    NotBegun {
        /// The target.
        path: PathBuf,
    },
    /// The directory to restore to is taken.
    #[error("the target '{}' exists and is not empty; name a new directory", path.display())]
    TargetTaken {
        /// The target.
        path: PathBuf,
    },
    /// Somebody made a repository where one is being restored.
    #[error("'{}' appeared while this restore was going on", path.display())]
    Appeared {
        /// What appeared.
        path: PathBuf,
    },
    /// The operation's own files do not fit its checkpoint.
    #[error(
        "the unfinished pack does not match its table of offsets: {reason}; delete the operation and restore again"
    )]
    Unfinished {
        /// What does not hold.
        reason: &'static str,
    },
    /// A namespace that refs can't be restored to.
    #[error("{name:?} is no namespace for refs: {reason}")]
    Namespace {
        /// What was given.
        name: String,
        /// Why not.
        reason: String,
    },
    /// A repository that can't be restored into.
    #[error("can't restore into '{}': {reason}", path.display())]
    Repository {
        /// Its Git directory.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Refs that are in the way.
    #[error("the repository has refs that differ from those to be restored: {listed}")]
    RefsTaken {
        /// Their names, escaped.
        listed: String,
    },
    /// The refs of the repository can't be read.
    #[error("the repository's refs can't be read: {reason}")]
    ExistingRefs {
        /// Why.
        reason: String,
    },
    /// The shallow history of both can't be joined.
    #[error("the repository can't be told where history is cut off: {reason}")]
    Shallow {
        /// Why.
        reason: String,
    },
    /// The pack leaves objects out that the repository does not have.
    #[error("the pack leaves out objects that '{}' does not have, and that nobody promised it; restore to a new repository, or into a partial clone", path.display())]
    Lacks {
        /// The Git directory.
        path: PathBuf,
    },
    /// What was restored is gone before refs led to it.
    #[error("the restored pack '{}' is gone; delete the operation and restore again", path.display())]
    PackGone {
        /// The pack.
        path: PathBuf,
    },
    /// The work was told to stop.
    #[error("interrupted")]
    Interrupted,
}

impl RestoreError {
    /// For `map_err`: an I/O error of the file at `path`.
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            path: path.as_ref().to_owned(),
            source,
        }
    }
}
