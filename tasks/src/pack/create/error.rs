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
    /// A partial clone lacks what its remote has promised.
    #[error(
        "{first}; its remote has promised this and what else is missing ({count} objects in all): unset remote.<name>.partialclonefilter and run `git fetch --refetch` to get them, or leave them out with --missing=allow-promisor"
    )]
    Promised {
        /// That the first of them is missing.
        first: ScanError,
        /// How many are.
        count: usize,
    },
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
    /// The pack in the output is not what it was when the operation began.
    #[error("the pack {} was changed by another process in the meantime", .0.display())]
    Changed(PathBuf),
    /// The output holds something else.
    #[error("{} is not empty, and no pack; choose a pack, or a new or empty directory", .0.display())]
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
    /// Whether the sources or the pack were replaced underneath, so that planning anew can help.
    pub(super) const fn is_gone(&self) -> bool {
        match self {
            Self::Changed(_) => true,
            Self::Source(error)
            | Self::Scan(ScanError::Source(error))
            | Self::Plan(PlanError::Source(error))
            | Self::Encode(
                EncodeError::Source(error) | EncodeError::Plan(PlanError::Source(error)),
            ) => error.is_gone(),
            _ => false,
        }
    }

    /// The system's error at the bottom, if that is what it is, and what was being done.
    fn into_io(self) -> Result<(io::Error, Option<String>), Self> {
        let reading = |path: PathBuf| Some(format!("cannot read {}", path.display()));
        match self {
            Self::Source(SourceError::Io { path, source })
            | Self::Scan(ScanError::Source(SourceError::Io { path, source }))
            | Self::Plan(PlanError::Source(SourceError::Io { path, source }))
            | Self::Encode(
                EncodeError::Source(SourceError::Io { path, source })
                | EncodeError::Plan(PlanError::Source(SourceError::Io { path, source })),
            ) => Ok((source, reading(path))),
            Self::Plan(PlanError::Io(source))
            | Self::Encode(EncodeError::Plan(PlanError::Io(source))) => {
                Ok((source, Some("cannot write or read the plan".into())))
            }
            Self::Format(FormatError::Io { path, source }) => {
                let what = format!("could not read or write {}", path.display());
                Ok((source, Some(what)))
            }
            Self::Io(source) => Ok((source, None)),
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
            CreateError::NotEmpty(_) | CreateError::Unfinished { .. } => Self::fatal(error),
            error => match error.into_io() {
                // Its class says what can be done: a full disk is no reason to give up.
                Ok((io, Some(what))) => Self::from(io).context(what),
                Ok((io, None)) => io.into(),
                Err(error) => Self::fatal(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use resume_runtime::ErrorClass;

    use super::*;

    fn full() -> io::Error {
        // As an appender hands it through a writer.
        io::Error::other(StepError::from(io::Error::from(io::ErrorKind::StorageFull)))
    }

    #[test]
    fn a_full_disk_is_for_the_user_to_clear_wherever_it_is_met() {
        let path = PathBuf::from("index");
        for error in [
            CreateError::Plan(PlanError::Io(full())),
            CreateError::Format(FormatError::Io {
                path,
                source: full(),
            }),
            CreateError::Io(full()),
        ] {
            let described = error.to_string();
            let step = StepError::from(error);
            assert_eq!(step.class(), ErrorClass::NeedsUser, "{described}");
            assert!(
                step.hint()
                    .is_some_and(|hint| hint.contains("free some space"))
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let source = io::Error::from(io::ErrorKind::PermissionDenied);
        let path = PathBuf::from("/objects/pack/x.pack");
        let step = StepError::from(CreateError::Source(SourceError::Io { path, source }));
        assert!(
            step.to_string()
                .starts_with("cannot read /objects/pack/x.pack: "),
            "{step}"
        );
    }
}
