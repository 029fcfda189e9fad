//! Why a bundle could not be made, and what can be done about it.

use std::{io, path::PathBuf};

use resume_runtime::{Blocking, StepError, StepResult, Transition};

use super::{BUNDLE, Bundle, OFFSETS, PLAN, Prepare};
use crate::{
    compress::CompressError,
    pack::{
        format::FormatError, gather, scan::ScanError, select::SelectError, source::SourceError,
    },
};

/// Why a bundle could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The repository or the choice of refs is refused.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// A way to name revisions that is not understood.
    #[error(
        "'{0}' is not understood: name refs, `^<revision>` for what is to be left out, or `<revision>..<ref>` for both"
    )]
    Range(String),
    /// The repository lacks the history below some commits.
    #[error(
        "the repository is shallow, and a bundle cannot say so; run `git fetch --unshallow`, or make a pack directory instead (without --format git)"
    )]
    Shallow,
    /// Nothing is left to bundle.
    #[error("a bundle without refs is refused: {0}")]
    Empty(&'static str),
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
    /// The operation's own list of refs cannot be written or read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// An object could not be deflated.
    #[error(transparent)]
    Compress(#[from] CompressError),
    /// The operation's own files do not fit together.
    #[error("{0}; delete the operation and start anew")]
    Damaged(&'static str),
    /// The output cannot be used.
    #[error("cannot write to {}: {why}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A path of the input depends on the directory that the process runs in.
    #[error(
        "{} is a relative path; an operation may be continued from anywhere, so it needs the whole path", .0.display()
    )]
    Relative(PathBuf),
    /// There is a file already.
    #[error("{} exists already; remove it, or choose another name", .0.display())]
    Exists(PathBuf),
    /// The work was asked to stop.
    #[error("the work was stopped")]
    Stopped,
    /// A thread ended without saying why.
    #[error("a thread that deflates panicked; this is a defect")]
    Panicked,
    /// The system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl BundleError {
    /// Whether the sources were replaced underneath, so that planning anew can help.
    const fn is_gone(&self) -> bool {
        match self {
            Self::Source(error) => error.is_gone(),
            Self::Scan(error) => error.is_gone(),
            _ => false,
        }
    }

    /// The system's error at the bottom, if that is what it is, and what was being done.
    fn into_io(self) -> Result<(io::Error, Option<String>), Self> {
        match self {
            Self::Source(SourceError::Io { path, source })
            | Self::Scan(ScanError::Source(SourceError::Io { path, source })) => {
                Ok((source, Some(format!("cannot read {}", path.display()))))
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

impl From<BundleError> for StepError {
    fn from(error: BundleError) -> Self {
        match error {
            // A pause follows; the runtime rolls back to the last commit.
            BundleError::Stopped | BundleError::Scan(ScanError::Stopped) => Self::transient(error),
            error => match error.into_io() {
                // Its class says what can be done: a full disk is no reason to give up.
                Ok((io, Some(what))) => Self::from(io).context(what),
                Ok((io, None)) => io.into(),
                Err(error) => Self::fatal(error),
            },
        }
    }
}

/// The most that is planned anew before the operation gives up.
const REPLANS: u32 = 8;

/// What comes after an error: the error, or everything anew, for the same refs, if the sources were
/// replaced.
pub(super) fn recover(
    b: &mut Blocking<Bundle>,
    error: BundleError,
    replans: u32,
) -> StepResult<Bundle> {
    if !error.is_gone() || b.pause_requested() {
        return Err(error.into());
    }
    if replans == REPLANS {
        return Err(StepError::needs_user(
            error,
            "let the repository rest (no `git gc` meanwhile), then resume",
        ));
    }
    b.note(format!("{error}: planning anew"));
    gather::forget(b)?;
    for name in [PLAN, OFFSETS] {
        b.append_file(name)?.restart()?;
    }
    let work = b.input().work(b.id());
    b.append_file_in(&work, BUNDLE)?.restart()?;
    Transition::to(Prepare {
        replans: replans + 1,
    })
}
