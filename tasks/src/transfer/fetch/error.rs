//! Why a fetch does not go on.

use std::io;
use std::path::{Path, PathBuf};

use resume_runtime::StepError;

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The repository can't be opened, or is of a kind that is not supported.
    #[error("the repository '{}' can't be fetched into: {reason}", path.display())]
    Repository {
        /// The repository.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file system said no.
    #[error("could not read or write '{}'", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The operation's own file does not fit.
    #[error(
        "the stored plan of the fetch can't be read: {reason}; delete the operation and fetch again"
    )]
    Plan {
        /// Why.
        reason: String,
    },
    /// The server does not give what its refs name.
    #[error("the server does not give what its refs name: {said}")]
    Unserved {
        /// What it said.
        said: String,
    },
    /// The server's own history is cut off, where none of this repository's is.
    #[error(
        "the remote's history is cut off (it is a shallow repository), and would be cut off here, \
         too; fetch from one that is complete, or with --depth"
    )]
    ShallowRemote,
}

impl FetchError {
    /// What turns an error of the file system at `path` into one of a fetch.
    pub(super) fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { path, source }
    }
}

impl From<FetchError> for StepError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Io { path, source } => match source.downcast::<Self>() {
                // What the operation's files reported is classed already.
                Ok(error) => error,
                Err(error) => Self::from(error).context(format!("'{}'", path.display())),
            },
            error => Self::fatal(error),
        }
    }
}
