//! Why an operation is not driven any further for now.

use crate::error::{RestoreError, StepError};
use crate::operation::{OperationStatus, Owner};
use crate::pause::PausedBy;
use crate::store::StoreError;

/// Why an operation ended without an output, or could not be taken up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Stopped {
    /// It is paused, and can be resumed at any time.
    #[error("{id} is paused")]
    Paused {
        /// The operation.
        id: String,
        /// Who asked.
        by: PausedBy,
    },
    /// It is paused until the user has acted; the hint says how.
    #[error("{id} waits for you: {error}")]
    NeedsUser {
        /// The operation.
        id: String,
        /// What stands in the way.
        error: StepError,
    },
    /// It tried as often as the policy allows. It is paused, and a later try may
    /// do better.
    #[error("{id} gave up for now after {attempts} tries without progress: {error}")]
    TryLater {
        /// The operation.
        id: String,
        /// How often it tried without committing anything.
        attempts: u32,
        /// The last error.
        error: StepError,
    },
    /// It failed. What was committed stays, and it can be resumed from there.
    #[error("{id} failed: {error}")]
    Failed {
        /// The operation.
        id: String,
        /// Why.
        error: StepError,
    },
    /// There is no such operation.
    #[error("there is no operation {id}")]
    Unknown {
        /// What was asked for.
        id: String,
    },
    /// It is done already.
    #[error("{id} is {status} already")]
    Finished {
        /// The operation.
        id: String,
        /// Its status.
        status: OperationStatus,
    },
    /// Another process drives it, or this one already.
    #[error("{id} is driven by process {}", owner.pid)]
    Busy {
        /// The operation.
        id: String,
        /// Who has it.
        owner: Owner,
    },
    /// It is of a kind that is not asked for, or that this build does not know.
    #[error("{id} is of the kind `{found}`, not `{wanted}`")]
    Kind {
        /// The operation.
        id: String,
        /// Its kind.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// Its stored state cannot be read by this build.
    #[error("{id} cannot be continued: {error}")]
    Restore {
        /// The operation.
        id: String,
        /// Why.
        error: RestoreError,
    },
    /// It was deleted, or taken over by another process, while this one drove it.
    #[error("{id} was deleted or taken over while it ran; nothing more was committed")]
    Lost {
        /// The operation.
        id: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process is going down.
    #[error("{id} was left because the process ends")]
    Shutdown {
        /// The operation.
        id: String,
    },
}
