//! Why the manager refuses.

use crate::operation::OperationStatus;
use crate::store::StoreError;

/// Why a record cannot be made, found, changed or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagerError {
    /// No operation has this id.
    #[error(
        "no operation {id}: it may have been deleted, or be in another repository; \
         the list of operations shows what there is"
    )]
    Unknown {
        /// The id or prefix that was asked for.
        id: String,
    },
    /// More than one operation has an id that begins so.
    #[error("{prefix} may be any of {}{}: give more of it", candidates.join(", "), more(*total, candidates.len()))]
    Ambiguous {
        /// The prefix that was asked for.
        prefix: String,
        /// The ids that it may mean, the first of them.
        candidates: Vec<String>,
        /// How many there are.
        total: usize,
    },
    /// A live process drives the operation.
    #[error("operation {id} is being run by process {pid}: pause it first")]
    Running {
        /// The operation.
        id: String,
        /// The process.
        pid: u32,
    },
    /// No process drives the operation.
    #[error("operation {id} is not running, but {status}")]
    NotRunning {
        /// The operation.
        id: String,
        /// What it is.
        status: OperationStatus,
    },
    /// The checkpoint is too large to be kept in the record.
    #[error(
        "the checkpoint has {size} bytes, and {limit} are possible: \
         keep bulk data in files and their names in the checkpoint"
    )]
    CheckpointSize {
        /// Its size, in bytes.
        size: usize,
        /// The greatest size, in bytes.
        limit: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ManagerError {
    pub(super) fn unknown(id: &str) -> Self {
        Self::Unknown { id: id.to_owned() }
    }
}

fn more(total: usize, shown: usize) -> String {
    match total.saturating_sub(shown) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}
