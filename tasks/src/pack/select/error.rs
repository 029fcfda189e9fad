//! Why a repository or its refs cannot be packed.

use std::path::PathBuf;

/// Why no refs could be chosen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// The repository cannot be opened.
    #[error("cannot open the repository {}: {why}", path.display())]
    Open {
        /// Its Git directory.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The repository names its objects by another hash than SHA-1.
    #[error(
        "the repository uses {0} for its objects; only sha1 repositories can be packed for now"
    )]
    ObjectFormat(String),
    /// The repository keeps its refs in a way that cannot be read.
    #[error(
        "the repository stores its refs as '{0}'; convert it with `git refs migrate --ref-format=files`, then try again"
    )]
    RefStorage(String),
    /// The repository lacks the history below some commits.
    #[error(
        "the repository is shallow, so its history is incomplete; run `git fetch --unshallow`, then try again"
    )]
    Shallow,
    /// A ref cannot be read.
    #[error("cannot read the repository's refs: {0}; `git fsck` says more")]
    Refs(String),
    /// A name chooses nothing.
    #[error("there is no ref '{0}'; `git for-each-ref` lists those there are")]
    NoSuchRef(String),
    /// Everything was excluded, or is too old.
    #[error("no ref is left: all that were chosen are excluded, or older than asked for")]
    NothingLeft,
    /// A ref's commit cannot be looked at.
    #[error("cannot tell the date of {id}: {why}; `git fsck` says more")]
    Date {
        /// The object that the ref points to.
        id: String,
        /// What was found.
        why: String,
    },
    /// A symbolic ref that was asked for points nowhere.
    #[error(
        "the ref '{0}' points to a ref that does not exist; make a first commit, or name another ref"
    )]
    Dangling(String),
    /// A revision names no commit.
    #[error("'{name}' names no commit: {why}")]
    Revision {
        /// The revision, as it was given.
        name: String,
        /// What was found.
        why: String,
    },
}
