//! Why something can't be pushed.

use std::{io, path::PathBuf};

use gix_hash::{ObjectId, oid};

use super::contents::Large;

/// Why a pack can't be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The objects can't be opened.
    #[error("can't open the objects in '{}'", path.display())]
    Objects {
        /// Their directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An object is not there.
    #[error(
        "object {id} is to be sent and is missing here; fetch it, or see `git fsck` what else is missing"
    )]
    Missing {
        /// The object.
        id: ObjectId,
    },
    /// An object can't be read.
    #[error("object {id} can't be read: {reason}")]
    Unreadable {
        /// The object.
        id: ObjectId,
        /// Why.
        reason: String,
    },
    /// A blob alone is above the limit.
    #[error("blob {blob} ('{path}' in commit {commit}) takes {size} bytes, more than {limit}")]
    TooLarge {
        /// The blob.
        blob: ObjectId,
        /// Where it is in the commit.
        path: String,
        /// The commit that brings it.
        commit: ObjectId,
        /// Its compressed size.
        size: u64,
        /// The limit.
        limit: String,
    },
    /// A pack that can't be made shorter is above what the server takes.
    #[error(
        "the server takes no pack of {bytes} bytes, and this one can't be made shorter; \
         ask the server's operator for more"
    )]
    NoShorter {
        /// Its length.
        bytes: u64,
    },
    /// The pack can't be written.
    #[error("can't write the pack that is to be sent")]
    Write(#[source] io::Error),
    /// An object can't be compressed.
    #[error(transparent)]
    Compress(#[from] crate::compress::CompressError),
    /// A pause was asked for.
    #[error("stopped")]
    Stopped,
}

/// Who says how long a pack may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Whoever pushes.
    Asked,
    /// The server.
    Server,
}

impl PackError {
    /// The error for a blob of which one increment can take only `most` bytes.
    pub(super) fn too_large(it: &Large, most: u64, limit: Limit) -> Self {
        let limit = match limit {
            Limit::Asked => format!(
                "the {most} that go into one increment; \
                 raise `--max-increment`, or take the file out of the history"
            ),
            Limit::Server => "the server takes at once; \
                 take the file out of the history, or ask the server's operator for more"
                .to_owned(),
        };
        Self::TooLarge {
            blob: it.blob,
            path: it.path.clone(),
            commit: it.commit,
            size: it.size,
            limit,
        }
    }

    /// The error for an object that can't be read.
    pub(super) fn unreadable(id: &oid, reason: &dyn std::fmt::Display) -> Self {
        Self::Unreadable {
            id: id.to_owned(),
            reason: reason.to_string(),
        }
    }
}
