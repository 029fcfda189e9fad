//! Why refs can't be planned or written.

use std::io;
use std::path::{Path, PathBuf};

use gix::bstr::BString;
use gix_hash::ObjectId;
use resume_runtime::StepError;

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
    /// A refspec is none.
    #[error(
        "'{}' is no refspec; one looks like +refs/heads/*:refs/remotes/origin/*",
        shown(refspec)
    )]
    Refspec {
        /// What was given.
        refspec: BString,
    },
    /// `tag` stands at the end.
    #[error("`tag` needs the name of a tag after it")]
    NoTagName,
    /// The remote needs a program that speaks for it (`remote.<name>.vcs`).
    #[error(
        "the remote '{}' is no Git repository (remote.<name>.vcs), which is not supported",
        shown(name)
    )]
    Helper {
        /// The remote.
        name: BString,
    },
    /// Nothing says where to fetch from.
    #[error("no remote is configured and none was named; name one, or a URL")]
    NoRemote,
    /// The server has no such ref.
    #[error("the remote has no ref '{}'; name one that it has", shown(name))]
    NotListed {
        /// What was asked for.
        name: BString,
    },
    /// Two refs would go to the same place.
    #[error(
        "'{}' and '{}' can't both go to '{}'; change the refspecs",
        shown(first),
        shown(second),
        shown(place)
    )]
    Twice {
        /// One ref of the remote.
        first: BString,
        /// The other one.
        second: BString,
        /// The ref here.
        place: BString,
    },
    /// A branch would move under a working tree.
    #[error(
        "the branch '{}' is checked out in {} and can't be fetched into; name another one, or \
         --update-head-ok",
        shown(branch), path.display()
    )]
    CheckedOut {
        /// The branch.
        branch: BString,
        /// The working tree.
        path: PathBuf,
    },
    /// The refs of the repository can't be read.
    #[error("the refs of this repository can't be read: {reason}")]
    Existing {
        /// Why.
        reason: String,
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

impl From<RefsError> for StepError {
    fn from(error: RefsError) -> Self {
        match error {
            RefsError::Io { path, source } => match source.downcast::<Self>() {
                Ok(error) => error,
                Err(error) => Self::from(error).context(format!("'{}'", path.display())),
            },
            error => Self::fatal(error),
        }
    }
}
