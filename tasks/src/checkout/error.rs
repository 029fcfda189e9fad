//! Why a tree is not checked out.

use std::path::Path;

use gix::bstr::BString;
use gix_hash::ObjectId;
use resume_runtime::StepError;

/// Why a slice of a checkout ended without a state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckoutError {
    /// This tree is not checked out at all. Nothing of it was written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something stood in the way this time.
    #[error(transparent)]
    Step(#[from] StepError),
}

/// Why a tree is not checked out at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A path that a working tree must not have.
    #[error("the tree has a path that is refused: {path:?} {reason}")]
    Path {
        /// The path.
        path: BString,
        /// What it does.
        reason: &'static str,
    },
    /// Two entries of one name.
    #[error("the tree has {path:?} twice")]
    Twice {
        /// The path.
        path: BString,
    },
    /// An entry that is neither file, link, directory nor submodule.
    #[error("the tree has {path:?} with the unknown mode {mode:o}")]
    Mode {
        /// The path.
        path: BString,
        /// The mode.
        mode: u16,
    },
    /// Directories within directories without end.
    #[error("the tree has directories nested deeper than {most}")]
    TooDeep {
        /// The limit.
        most: u32,
    },
    /// More than any working tree has: a few trees can name each other that often.
    #[error("the tree has more than {most} paths, or longer ones than an index can hold")]
    TooLarge {
        /// The limit.
        most: u32,
    },
    /// A tree object that can't be read.
    #[error("the tree {oid} can't be read: {reason}")]
    Tree {
        /// The object.
        oid: ObjectId,
        /// Why.
        reason: String,
    },
    /// There is nothing to read it from.
    #[error("{reason}")]
    Repository {
        /// Why.
        reason: String,
    },
    /// The configuration of checkouts can't be read.
    #[error("the configuration can't be used: {reason}")]
    Configuration {
        /// Why.
        reason: String,
    },
}

impl Refusal {
    pub(super) fn configuration(error: impl std::fmt::Display) -> Self {
        Self::Configuration {
            reason: error.to_string(),
        }
    }
}

/// For `map_err`: an error of the file system at `path`, classed by its kind.
pub(super) fn io<E: Into<std::io::Error>>(path: &Path) -> impl FnOnce(E) -> StepError {
    move |error| StepError::from(error.into()).context(format!("'{}'", path.display()))
}
