//! Why a rebase does not begin, or stops.

use std::io;
use std::path::{Path, PathBuf};

use gix::bstr::BString;
use gix_hash::ObjectId;
use resume_runtime::StepError;

use crate::history::engine::EngineError;
use crate::history::worktree::WorktreeError;

/// Why a rebase does not begin, or stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RebaseError {
    /// The repository can't be used.
    #[error("the repository can't be used: {reason}")]
    Repository {
        /// Why.
        reason: String,
    },
    /// A name that leads to no commit.
    #[error("'{}' is no commit: {reason}", name.escape_debug())]
    NoCommit {
        /// What was given.
        name: String,
        /// Why not.
        reason: String,
    },
    /// There is no commit to rebase.
    #[error("HEAD has no commit yet: there is nothing to rebase")]
    Unborn,
    /// Nothing says what to rebase onto.
    #[error("there is no tracking information for the current branch; name an upstream")]
    NoUpstream,
    /// More or less than one merge base.
    #[error("'{}' has no single merge base", name.escape_debug())]
    NoMergeBase {
        /// What was given.
        name: String,
    },
    /// Another operation of Git's is going on.
    #[error("there is a '{}' already: another {what} is going on here", path.display())]
    Busy {
        /// What says so.
        path: PathBuf,
        /// What.
        what: &'static str,
    },
    /// The user has changes.
    #[error("cannot rebase: {what}")]
    Dirty {
        /// Which.
        what: String,
    },
    /// The branch is checked out elsewhere.
    #[error("the branch {branch:?} is used by the worktree at '{}'", worktree.display())]
    Elsewhere {
        /// The branch.
        branch: BString,
        /// Where.
        worktree: PathBuf,
    },
    /// A hook refused.
    #[error("the hook {hook} refused{}{said}", if said.is_empty() { "" } else { ": " })]
    Refused {
        /// Which.
        hook: &'static str,
        /// What it said.
        said: String,
    },
    /// Something is configured that is not known here.
    #[error("{what} is not known here; use git for this one")]
    Unknown {
        /// What.
        what: String,
    },
    /// Somebody else moved the branch or `HEAD` meanwhile.
    #[error("{name:?} was moved by somebody else: it is at {found}, not at {expected}")]
    Moved {
        /// The ref.
        name: BString,
        /// Where it is.
        found: String,
        /// Where it was.
        expected: ObjectId,
    },
    /// A commit conflicts, and there is no working tree to resolve it in.
    #[error("could not apply {commit}: conflicts, and no working tree to resolve them in")]
    Bare {
        /// The commit.
        commit: String,
    },
    /// Commands run in a working tree.
    #[error("there is no working tree to run commands in (--exec)")]
    NoPlace,
    /// A command that is none.
    #[error("'{}' is no command: it is empty, or has several lines", command.escape_debug())]
    NoCommand {
        /// What was given.
        command: String,
    },
    /// The file system said no.
    #[error("'{}'", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Trees can't be merged.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The working tree can't be moved.
    #[error(transparent)]
    Worktree(#[from] WorktreeError),
    /// Something stood in the way this time.
    #[error(transparent)]
    Step(#[from] StepError),
}

impl RebaseError {
    pub(super) fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { path, source }
    }

    pub(super) fn repository(error: impl std::fmt::Display) -> Self {
        Self::Repository {
            reason: error.to_string(),
        }
    }
}

impl From<RebaseError> for StepError {
    fn from(error: RebaseError) -> Self {
        use RebaseError as E;
        match error {
            E::Step(error) => error,
            E::Engine(error) => error.into(),
            E::Worktree(error) => error.into(),
            E::Io { path, source } => Self::from(source).context(format!("'{}'", path.display())),
            error @ E::Moved { .. } => Self::needs_user(
                error,
                "put it back to continue; or give this up with `mug rebase --abort` and begin anew",
            ),
            error @ E::Dirty { .. } => {
                Self::fatal(error).with_hint("commit or stash them, then rebase again")
            }
            error => Self::fatal(error),
        }
    }
}
