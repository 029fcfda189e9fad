//! Why refs can't be planned or written.

use std::io;
use std::path::{Path, PathBuf};

use gix::bstr::BString;
use gix_hash::ObjectId;

use super::name::shown;

/// Why refs were not planned or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefsError {
    /// The file system said no.
    #[error("could not read or write '{}'", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The branch or tag to check out is not there.
    #[error(
        "the remote has no branch or tag '{}'; name one that it has",
        shown(branch)
    )]
    NoBranch {
        /// What the user named.
        branch: BString,
    },
    /// What would be checked out is no commit.
    #[error(
        "'{}' leads to {oid}, which is not a commit and can't be checked out",
        shown(name)
    )]
    NotCommit {
        /// The ref.
        name: BString,
        /// The object.
        oid: ObjectId,
    },
    /// An object that a ref is to name is not there.
    #[error("object {oid} is missing; run this again to receive it")]
    Missing {
        /// The object.
        oid: ObjectId,
    },
    /// An object can't be read.
    #[error("object {oid} can't be read: {reason}")]
    Object {
        /// The object.
        oid: ObjectId,
        /// Why.
        reason: String,
    },
}

impl RefsError {
    /// What turns an error of the file system at `path` into one of refs.
    pub(super) fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { path, source }
    }
}
