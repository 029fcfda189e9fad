//! Why a repository or its store can't be used.

use std::path::{Path, PathBuf};

use resume_runtime::ManagerError;
use resume_runtime::store::StoreError;

/// Why a repository or its store can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// There is no repository.
    #[error("no Git repository at '{}' or above it; run this inside a repository", path.display())]
    NoRepository {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The repository is there but can't be opened.
    #[error("could not open the repository at '{}': {reason}", path.display())]
    Repository {
        /// Where it was looked for.
        path: PathBuf,
        /// What Git's files say.
        reason: String,
    },
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record of an operation can't be used.
    #[error(transparent)]
    Manager(#[from] ManagerError),
    /// Nothing says where the user's state belongs.
    #[error(
        "there is no place for state: set HOME, XDG_STATE_HOME or MUG_STATE_DIR to an absolute path"
    )]
    NoUserDir,
    /// The file system said no.
    #[error("could not read or write '{}'", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl CoreError {
    /// For `map_err`: an I/O error of the file at `path`.
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            path: path.as_ref().to_owned(),
            source,
        }
    }
}
