//! Why a merge has no result.

use std::io;
use std::path::PathBuf;

use resume_runtime::StepError;

/// Why a merge has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Only Git can decide this merge, and there is no Git.
    #[error("this merge needs git, and `git` is not there: {reason}")]
    NoGit {
        /// What was tried.
        reason: String,
    },
    /// Git is too old.
    #[error("this merge needs `git merge-tree --write-tree`, and git {found} is too old for it")]
    OldGit {
        /// Its version.
        found: String,
    },
    /// Git failed.
    #[error("git merge-tree failed: {reason}")]
    Git {
        /// What it said.
        reason: String,
    },
    /// An object cannot be read or written.
    #[error("{reason}")]
    Object {
        /// Which one, and why.
        reason: String,
    },
    /// The histories have nothing in common.
    #[error("refusing to merge unrelated histories")]
    Unrelated,
    /// A file of the engine's own cannot be read or written.
    #[error("'{}'", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

impl EngineError {
    pub(super) fn object(error: impl std::fmt::Display) -> Self {
        Self::Object {
            reason: error.to_string(),
        }
    }

    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

impl From<EngineError> for StepError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Io { path, source } => {
                Self::from(source).context(format!("'{}'", path.display()))
            }
            error @ (EngineError::NoGit { .. } | EngineError::OldGit { .. }) => {
                Self::needs_user(error, "install git 2.38 or newer, then continue")
            }
            error @ EngineError::Unrelated => {
                Self::fatal(error).with_hint("give `--allow-unrelated-histories` if that is meant")
            }
            error => Self::fatal(error),
        }
    }
}
