//! What can go wrong with a store.

use std::path::{Path, PathBuf};

/// Why a store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refused a file operation.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The directory lies on a network file system, where a memory-mapped store
    /// loses data. Put the store elsewhere.
    #[error(
        "{} is on a network file system ({kind}), where the store would not be safe: \
         keep it on a local disk",
        path.display()
    )]
    Network {
        /// The store's directory.
        path: PathBuf,
        /// The file system's name.
        kind: String,
    },
    /// The directory cannot be written. It can still be inspected.
    #[error("{} cannot be written: make it writable or keep the store elsewhere", path.display())]
    ReadOnly {
        /// The store's directory.
        path: PathBuf,
    },
    /// A live process in another PID namespace (a container) has the store open.
    /// Its locks are not seen from here.
    #[error(
        "{} is in use by process {pid} of another PID namespace (a container?): \
         end that process first, or run this one beside it",
        path.display()
    )]
    Namespace {
        /// The store's directory.
        path: PathBuf,
        /// The other process, as its own namespace numbers it.
        pid: u32,
    },
    /// Another process keeps the store's lock. It is held for milliseconds unless
    /// its holder is stopped.
    #[error("{} is locked by {reason}: let it go on (fg, kill -CONT) or end it", path.display())]
    Busy {
        /// The store's directory.
        path: PathBuf,
        /// Who holds it, as far as is known.
        reason: String,
    },
    /// The file is no store that this build can read. Nothing was changed.
    #[error(
        "{}: {reason}; move {} away to start with an empty store",
        path.display(),
        path.parent().unwrap_or(path).display()
    )]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A page of the store is damaged. From now on nothing is written to it.
    #[error(
        "{} is damaged ({reason}): no more is written to it; save what can still be read, \
         then move {} away",
        path.display(),
        path.parent().unwrap_or(path).display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the backend found.
        reason: String,
    },
    /// The disk is full. Nothing of the write was kept; it may be repeated once
    /// there is room.
    #[error(
        "no space is left for {} ({available} bytes free): free some, then try again",
        path.display()
    )]
    Full {
        /// The file that could not grow.
        path: PathBuf,
        /// Bytes that are still free.
        available: u64,
    },
    /// The process may not make files of that size. Nothing of the write was kept;
    /// it may be repeated under a higher limit.
    #[error(
        "{} may not grow beyond {limit} bytes here: raise the file size limit (ulimit -f), \
         then try again",
        path.display()
    )]
    FileSize {
        /// The file that could not grow.
        path: PathBuf,
        /// The process's limit, in bytes.
        limit: u64,
    },
    /// The store has reached the greatest size that it may have.
    #[error(
        "{} has reached its limit of {limit} bytes: clean up operations that are not needed",
        path.display()
    )]
    Limit {
        /// The store's directory.
        path: PathBuf,
        /// The greatest size, in bytes.
        limit: u64,
    },
    /// A key is empty or longer than a backend can hold.
    #[error("a key of {length} bytes cannot be stored: 1 to {limit} bytes are possible")]
    Key {
        /// Its length.
        length: usize,
        /// The greatest length.
        limit: usize,
    },
    /// A record cannot be read as one.
    #[error("the record of {id} cannot be read: {reason}; remove it with a clean-up")]
    Record {
        /// The operation.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The code that was run in a transaction panicked. Nothing of it was kept.
    #[error("a write panicked: {0}")]
    Panicked(String),
    /// The backend failed in a way of its own.
    #[error("the store failed: {0}")]
    Backend(String),
    /// The writer has stopped.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether a store in another directory would do: this one's cannot be
    /// written or is not safe to write.
    pub const fn wants_another_place(&self) -> bool {
        matches!(self, Self::Network { .. } | Self::ReadOnly { .. })
    }

    /// Whether the same write can succeed later, without anything but time or
    /// room.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Full { .. } | Self::FileSize { .. } | Self::Busy { .. } => true,
            Self::Io { source, .. } => matches!(
                source.kind(),
                std::io::ErrorKind::Interrupted | std::io::ErrorKind::WouldBlock
            ),
            _ => false,
        }
    }

    pub(crate) fn io(path: &Path, source: impl Into<std::io::Error>) -> Self {
        Self::Io {
            path: path.to_owned(),
            source: source.into(),
        }
    }

    /// The same error for one more receiver: all jobs of a batch fail alike.
    pub(crate) fn duplicate(&self) -> Self {
        match self {
            Self::Io { path, source } => Self::Io {
                path: path.clone(),
                source: match source.raw_os_error() {
                    Some(code) => std::io::Error::from_raw_os_error(code),
                    None => std::io::Error::new(source.kind(), source.to_string()),
                },
            },
            Self::Network { path, kind } => Self::Network {
                path: path.clone(),
                kind: kind.clone(),
            },
            Self::ReadOnly { path } => Self::ReadOnly { path: path.clone() },
            Self::Namespace { path, pid } => Self::Namespace {
                path: path.clone(),
                pid: *pid,
            },
            Self::Busy { path, reason } => Self::Busy {
                path: path.clone(),
                reason: reason.clone(),
            },
            Self::Unusable { path, reason } => Self::Unusable {
                path: path.clone(),
                reason: reason.clone(),
            },
            Self::Damaged { path, reason } => Self::Damaged {
                path: path.clone(),
                reason: reason.clone(),
            },
            Self::Full { path, available } => Self::Full {
                path: path.clone(),
                available: *available,
            },
            Self::FileSize { path, limit } => Self::FileSize {
                path: path.clone(),
                limit: *limit,
            },
            Self::Limit { path, limit } => Self::Limit {
                path: path.clone(),
                limit: *limit,
            },
            Self::Key { length, limit } => Self::Key {
                length: *length,
                limit: *limit,
            },
            Self::Record { id, reason } => Self::Record {
                id: id.clone(),
                reason: reason.clone(),
            },
            Self::Panicked(message) => Self::Panicked(message.clone()),
            Self::Backend(message) => Self::Backend(message.clone()),
            Self::Closed => Self::Closed,
        }
    }
}
