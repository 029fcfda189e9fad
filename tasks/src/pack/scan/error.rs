//! Why a scan cannot end well.

use crate::pack::source::SourceError;

/// Why the objects could not be scanned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The objects could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A ref names an object that is not there.
    #[error(
        "{name} points to {id}, which the repository does not have; delete the ref, or fetch the object"
    )]
    MissingTip {
        /// The ref.
        name: String,
        /// The object.
        id: String,
    },
    /// An object that is needed is not there.
    #[error(
        "object {id} is missing, and {kind} {needed_by} needs it{within}; fetch it, or leave out the refs that reach it"
    )]
    Missing {
        /// The missing object.
        id: String,
        /// The kind of the object that needs it.
        kind: &'static str,
        /// The object that needs it.
        needed_by: String,
        /// In which commit, and at what path, as words to add; empty where that is not known.
        within: String,
    },
    /// An object is referred to as a kind that it is not.
    #[error(
        "{kind} {by} refers to {id} as a {expected}, but it is a {found}; `git fsck` says more"
    )]
    WrongKind {
        /// The object referred to.
        id: String,
        /// What it is.
        found: &'static str,
        /// What it is taken for.
        expected: &'static str,
        /// The kind of the referring object.
        kind: &'static str,
        /// The referring object.
        by: String,
    },
    /// An object is referred to more often than can be counted.
    #[error(
        "an object is referred to more than four billion times; this is more than can be counted"
    )]
    Overflow,
    /// An exported slice cannot be understood.
    #[error("a stored slice of the scan is damaged")]
    Slice,
    /// The scan was asked to stop.
    #[error("the scan was stopped")]
    Stopped,
}

impl ScanError {
    /// Whether the sources were replaced underneath, so that scanning anew can help.
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::Source(error) if error.is_gone())
    }
}
