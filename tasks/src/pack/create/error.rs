//! Why a pack could not be made, and what can be done about it.

use std::{io, path::PathBuf};

use resume_runtime::StepError;

use crate::pack::{
    encode::EncodeError, format::FormatError, plan::PlanError, scan::ScanError,
    select::SelectError, source::SourceError,
};

/// Why a pack could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The repository or the choice of refs is refused.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// Objects could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The objects could not be scanned.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// Objects are missing in a partial clone.
    #[error(
        "{0}; this is a partial clone: unset remote.<name>.partialclonefilter and run `git fetch --refetch` to get what its remote has promised"
    )]
    Partial(ScanError),
    /// The plan could not be made or read.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A frame could not be made.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A file of the pack could not be written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The output directory cannot be used.
    #[error("cannot write to {}: {why}", path.display())]
    Output {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// A path of the input depends on the directory that the process runs in.
    #[error(
        "{} is a relative path; an operation may be continued from anywhere, so it needs the whole path", .0.display()
    )]
    Relative(PathBuf),
    /// The output is a pack already.
    #[error("{} is a pack already; choose another directory (adding to a pack is not possible yet)", .0.display())]
    Exists(PathBuf),
    /// The output holds something else.
    #[error("{} is not empty; choose a new or empty directory", .0.display())]
    NotEmpty(PathBuf),
    /// Another operation works in the output.
    #[error("{} holds the unfinished work of {id}; continue that operation, or delete it and the directory", path.display())]
    Unfinished {
        /// The directory.
        path: PathBuf,
        /// The operation.
        id: String,
    },
    /// The system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl CreateError {
    /// Whether the sources were replaced underneath, so that planning anew can help.
    pub(super) const fn is_gone(&self) -> bool {
        match self {
            Self::Source(error)
            | Self::Scan(ScanError::Source(error))
            | Self::Plan(PlanError::Source(error))
            | Self::Encode(
                EncodeError::Source(error) | EncodeError::Plan(PlanError::Source(error)),
            ) => error.is_gone(),
            _ => false,
        }
    }

    /// The system's error at the bottom, if that is what it is.
    fn into_io(self) -> Result<io::Error, Self> {
        let described = self.to_string();
        let with = |source: io::Error| io::Error::new(source.kind(), described);
        match self {
            Self::Source(SourceError::Io { source, .. })
            | Self::Scan(ScanError::Source(SourceError::Io { source, .. }))
            | Self::Plan(
                PlanError::Source(SourceError::Io { source, .. }) | PlanError::Io(source),
            )
            | Self::Encode(EncodeError::Source(SourceError::Io { source, .. }))
            | Self::Format(FormatError::Io { source, .. })
            | Self::Io(source) => Ok(with(source)),
            other => Err(other),
        }
    }
}

impl From<CreateError> for StepError {
    fn from(error: CreateError) -> Self {
        match error {
            // A pause follows; the runtime rolls back to the last commit.
            CreateError::Scan(ScanError::Stopped) | CreateError::Plan(PlanError::Stopped) => {
                Self::transient(error)
            }
            CreateError::Exists(_) | CreateError::NotEmpty(_) | CreateError::Unfinished { .. } => {
                Self::fatal(error)
            }
            error => match error.into_io() {
                Ok(io) => Self::from(io),
                Err(error) => Self::fatal(error),
            },
        }
    }
}
