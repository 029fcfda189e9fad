//! What can go wrong with a repository's object files.

use std::{io, path::PathBuf};

/// Why a repository's objects could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file or directory could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// What was to be read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A pack or its index is not what it should be, as a whole.
    #[error("pack {} is damaged: {why}; `git fsck` says more", path.display())]
    Pack {
        /// The pack.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// One entry of a pack cannot be read.
    #[error("pack {} is damaged at offset {offset} (object {id}): {why}; `git fsck` says more", path.display())]
    Entry {
        /// The pack.
        path: PathBuf,
        /// Where the entry begins.
        offset: u64,
        /// The object that the entry holds.
        id: String,
        /// What was found.
        why: String,
    },
    /// A loose object cannot be read.
    #[error("loose object {id} is damaged: {why}; `git fsck` says more")]
    Loose {
        /// The object.
        id: String,
        /// What was found.
        why: String,
    },
    /// The alternates of the repository cannot be followed.
    #[error("cannot follow the alternates of {}: {why}", path.display())]
    Alternates {
        /// The object directory.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// A source that the operation began with is no longer there: the plan must be made anew.
    #[error("{what} is no longer there; the repository was repacked in between")]
    Gone {
        /// The pack or object.
        what: String,
    },
    /// The stored list of sources cannot be understood.
    #[error("the stored list of sources is damaged: {0}")]
    List(&'static str),
    /// More than the numbers of this format can hold.
    #[error("the repository has more {what} than can be handled at once ({max})")]
    TooMany {
        /// Of what there are too many.
        what: &'static str,
        /// The limit.
        max: u64,
    },
}

impl SourceError {
    /// Whether the sources were replaced underneath, so that planning anew can help.
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }

    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
