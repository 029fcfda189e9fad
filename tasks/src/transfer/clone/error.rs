//! Why a repository can't be cloned.

use std::io;
use std::path::{Path, PathBuf};

use resume_runtime::StepError;

use crate::core::error::CoreError;
use crate::pack::restore::RestoreError;

/// Why a repository was not cloned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloneError {
    /// The store of the new repository can't be used.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The file system said no.
    #[error("could not read or write '{}'", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory to clone into is taken.
    #[error("destination path '{}' already exists and is not an empty directory; name another one", path.display())]
    Taken {
        /// The directory.
        path: PathBuf,
    },
    /// The directory to clone into is taken by an operation.
    #[error("'{}' holds the unfinished work of {id}; continue it with --resume {id}, or remove it with `mug resume delete --purge {id}`", path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
        /// The operation.
        id: String,
    },
    /// There is no directory that a clone could have begun in.
    #[error("no clone into '{}' was begun; leave --resume out to begin one", path.display())]
    NotBegun {
        /// The directory.
        path: PathBuf,
    },
    /// Somebody made a repository where one is being cloned.
    #[error("'{}' appeared while this clone was going on", path.display())]
    Appeared {
        /// What appeared.
        path: PathBuf,
    },
    /// The operation's own files do not fit.
    #[error(
        "the stored plan of the clone can't be read: {reason}; delete the operation and clone again"
    )]
    Plan {
        /// Why.
        reason: String,
    },
    /// The server does not have what its refs name.
    #[error("the server does not give what its refs name: {said}")]
    Unserved {
        /// What it said.
        said: String,
    },
    /// Making the new repository failed otherwise.
    #[error(transparent)]
    Other(RestoreError),
}

impl CloneError {
    /// For `map_err`: an I/O error of the file at `path`.
    pub(super) fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.as_ref().to_owned(),
            source,
        }
    }
}

impl From<RestoreError> for CloneError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Core(error) => Self::Core(error),
            RestoreError::Io { path, source } => Self::Io { path, source },
            RestoreError::TargetTaken { path } => Self::Taken { path },
            RestoreError::TargetBusy { path, id } => Self::Busy { path, id },
            RestoreError::NotBegun { path } => Self::NotBegun { path },
            RestoreError::Appeared { path } => Self::Appeared { path },
            error => Self::Other(error),
        }
    }
}

impl From<CloneError> for StepError {
    fn from(error: CloneError) -> Self {
        match error {
            CloneError::Io { path, source } => match source.downcast::<Self>() {
                Ok(error) => error,
                Err(error) => Self::from(error).context(format!("'{}'", path.display())),
            },
            error @ CloneError::Appeared { .. } => {
                Self::needs_user(error, "move it away, then continue")
            }
            CloneError::Other(error) => error.into(),
            error => Self::fatal(error),
        }
    }
}
