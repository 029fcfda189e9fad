//! Why a pack could not be received.

use std::{
    io,
    path::{Path, PathBuf},
};

use gix_hash::ObjectId;
use resume_runtime::StepError;

/// What is wrong with the bytes that came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pack that came is damaged at byte {at}: {why}")]
pub struct Fault {
    /// The offset, in the pack, of the entry or part that makes no sense.
    pub at: u64,
    /// What was found.
    pub why: &'static str,
}

/// Why the bytes of a pack did not become one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// A file could not be read or written.
    #[error("cannot read or write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What came is no pack, or a damaged one.
    #[error("{0}; try again, and ask whoever runs the server if it stays so")]
    Fault(#[from] Fault),
    /// The pack ended early.
    #[error("the pack was cut off: {objects} of its {announced} objects came")]
    Cut {
        /// The objects that came whole.
        objects: u32,
        /// What the pack said of itself; 0 where not even that came.
        announced: u32,
    },
    /// Deltas whose base is nowhere.
    #[error(
        "{count} objects of the pack are deltas of objects that are nowhere, such as {base}; \
         the server sent an incomplete pack"
    )]
    NoBase {
        /// How many there are.
        count: u64,
        /// One of the bases.
        base: ObjectId,
    },
    /// A delta does not fit its base.
    #[error("the object at byte {at} of the pack cannot be made: {why}")]
    Delta {
        /// Where the entry begins.
        at: u64,
        /// What was found.
        why: &'static str,
    },
    /// A base of a thin pack could not be read.
    #[error(
        "cannot read {id}, which objects of the pack are deltas of: {why}; `git fsck` says more"
    )]
    Base {
        /// The base.
        id: ObjectId,
        /// What was found.
        why: String,
    },
    /// The file is not what was parsed.
    #[error("{} is not what was received; it was changed from outside", .0.display())]
    Changed(PathBuf),
    /// A pack that is to be joined with others makes no sense.
    #[error("cannot join {}: {why}; `git fsck` says more", path.display())]
    Join {
        /// The pack.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The thread that parses ended without saying why.
    #[error("the thread that reads the pack panicked; this is a defect")]
    Panicked,
    /// The work was asked to stop.
    #[error("the work was stopped")]
    Stopped,
}

impl ReceiveError {
    /// Names the file of an error of the system.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

impl From<ReceiveError> for StepError {
    fn from(error: ReceiveError) -> Self {
        match error {
            // A pause follows; the runtime rolls back to the last commit. Or the line was lost.
            ReceiveError::Stopped | ReceiveError::Cut { .. } => Self::transient(error),
            ReceiveError::Io { path, source } => {
                Self::from(source).context(format!("cannot read or write {}", path.display()))
            }
            error => Self::fatal(error),
        }
    }
}
