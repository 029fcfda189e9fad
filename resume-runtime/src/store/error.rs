//! What can go wrong with a store.

use std::path::PathBuf;

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
    /// A record cannot be read as one.
    #[error("the record of {id} cannot be read: {reason}; remove it with a clean-up")]
    Record {
        /// The operation.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The backend failed in a way of its own.
    #[error("the store failed: {0}")]
    Backend(String),
    /// The writer has stopped.
    #[error("the store is closed")]
    Closed,
}
