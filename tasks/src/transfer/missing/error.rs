//! Why it cannot be told what is missing.

use std::{fmt, io, path::PathBuf};

use gix_hash::ObjectId;
use resume_runtime::StepError;

use crate::pack::source::Kind;

/// Why it could not be found out what is missing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MissingError {
    /// The object directory cannot be opened.
    #[error("cannot open the objects in {}: {source}", path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An object is there, but cannot be read.
    #[error("object {id}, which {by} refers to, cannot be read: {why}; `git fsck` says more")]
    Unreadable {
        /// The object.
        id: ObjectId,
        /// What refers to it.
        by: Referrer,
        /// What was found.
        why: String,
    },
    /// An object is there, but its content makes no sense.
    #[error("{kind} {id}, which {by} refers to, is malformed: {why}; `git fsck` says more")]
    Malformed {
        /// The object.
        id: ObjectId,
        /// Its kind.
        kind: &'static str,
        /// What refers to it.
        by: Referrer,
        /// What was found.
        why: &'static str,
    },
    /// An object is referred to as a kind that it is not.
    #[error("{by} refers to {id} as a {expected}, but it is a {found}; `git fsck` says more")]
    WrongKind {
        /// The object referred to.
        id: ObjectId,
        /// What it is.
        found: &'static str,
        /// What it is taken for.
        expected: &'static str,
        /// What refers to it.
        by: Referrer,
    },
    /// The search was asked to stop.
    #[error("the search for missing objects was stopped")]
    Stopped,
}

/// What needs an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Referrer {
    /// The transfer itself: it is a tip.
    Tip,
    /// An object of this kind.
    Object(Kind, ObjectId),
}

impl fmt::Display for Referrer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tip => f.write_str("a wanted ref"),
            Self::Object(kind, id) => write!(f, "{} {id}", kind.name()),
        }
    }
}

impl From<MissingError> for StepError {
    fn from(error: MissingError) -> Self {
        match error {
            // A pause follows; the runtime rolls back to the last commit.
            MissingError::Stopped => Self::transient(error),
            MissingError::Open { path, source } => {
                Self::from(source).context(format!("cannot open the objects in {}", path.display()))
            }
            error => Self::fatal(error),
        }
    }
}
