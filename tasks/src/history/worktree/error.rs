//! Why a working tree is not moved.

use std::path::PathBuf;

use gix::bstr::BString;
use resume_runtime::StepError;

use crate::checkout::{CheckoutError, Refusal};

/// So many paths are named.
const LISTED: usize = 10;

/// Why a working tree is not moved to another tree.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorktreeError {
    /// The user has something there that would be lost. Nothing was written.
    #[error("{}", overwritten(local, untracked, directories))]
    Overwrites {
        /// Files with changes of the user's, in the index or in the working tree.
        local: Vec<BString>,
        /// Files that Git does not know.
        untracked: Vec<BString>,
        /// Directories with such files, where a file is to come.
        directories: Vec<BString>,
    },
    /// The index has conflicts that are not resolved. Nothing was written.
    #[error("the index has conflicts that are not resolved: {}", listed(paths))]
    Unmerged {
        /// The paths.
        paths: Vec<BString>,
    },
    /// The user changed something while the operation went on. It is as the user left it.
    #[error("changed by somebody while files were written: {}", listed(paths))]
    Edited {
        /// The paths.
        paths: Vec<BString>,
    },
    /// A file of the user's was moved away by a process that died, and its name is taken by now.
    #[error("a changed file was moved away, and another one has its name by now: it is '{}'", kept.display())]
    Kept {
        /// Where it is.
        kept: PathBuf,
    },
    /// Files that can't be written.
    #[error("some files could not be written: {}", reasons.join("; "))]
    Unwritten {
        /// The paths, with reasons.
        reasons: Vec<String>,
    },
    /// Somebody else holds the lock on the index.
    #[error("another process has locked the index ('{}')", lock.display())]
    Locked {
        /// The lock.
        lock: PathBuf,
    },
    /// The index has directories instead of files.
    #[error("the index is sparse (index.sparse), which is not known here")]
    SparseIndex,
    /// The tree is not checked out at all. Nothing was written.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something of the repository can't be read.
    #[error("{what} can't be read: {reason}")]
    Unreadable {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// Something stood in the way this time.
    #[error(transparent)]
    Step(#[from] StepError),
}

impl WorktreeError {
    pub(super) fn unreadable(what: &'static str) -> impl FnOnce(gix::Error) -> Self {
        move |error| Self::Unreadable {
            what,
            reason: error.to_string(),
        }
    }
}

impl From<CheckoutError> for WorktreeError {
    fn from(error: CheckoutError) -> Self {
        match error {
            CheckoutError::Refused(refusal) => refusal.into(),
            CheckoutError::Step(error) => error.into(),
        }
    }
}

impl From<WorktreeError> for StepError {
    fn from(error: WorktreeError) -> Self {
        use WorktreeError as E;
        match error {
            E::Step(error) => error,
            error @ E::Overwrites { .. } => {
                Self::needs_user(error, "commit, stash or move them, then continue")
            }
            error @ E::Unmerged { .. } => {
                Self::needs_user(error, "resolve them and `git add` the files, then continue")
            }
            error @ E::Edited { .. } => Self::needs_user(
                error,
                "keep a copy elsewhere, undo the change (`git restore`), then continue",
            ),
            error @ E::Kept { .. } => {
                Self::needs_user(error, "move that file to where you want it, then continue")
            }
            error @ E::Unwritten { .. } => {
                Self::needs_user(error, "see to what stands in the way, then continue")
            }
            error @ E::Locked { .. } => Self::needs_user(
                error,
                "wait for that process; if there is none any more, remove the file, then continue",
            ),
            error => Self::fatal(error),
        }
    }
}

fn overwritten(local: &[BString], untracked: &[BString], directories: &[BString]) -> String {
    let mut said = Vec::new();
    for (what, paths) in [
        ("changes to these files", local),
        ("untracked files", untracked),
        ("untracked files in these directories", directories),
    ] {
        if !paths.is_empty() {
            said.push(format!("{what} would be lost: {}", listed(paths)));
        }
    }
    said.join("; ")
}

/// The first of some paths, quoted and escaped.
pub(in crate::history) fn listed(paths: &[BString]) -> String {
    let mut text: Vec<String> = paths
        .iter()
        .take(LISTED)
        .map(|path| format!("{path:?}"))
        .collect();
    if paths.len() > LISTED {
        text.push(format!("and {} more", paths.len() - LISTED));
    }
    text.join(", ")
}
