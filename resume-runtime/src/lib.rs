//! Long operations that can be paused, killed and resumed.

mod context;
mod error;
mod operation;
mod records;
mod resumable;
pub mod store;

pub use context::Context;
pub use error::{Classify, ErrorClass, RestoreError, StepError};
pub use operation::{
    Operation, OperationProgress, OperationState, OperationStatus, OperationType, Owner,
    UnknownName, WaitingFor,
};
pub use resumable::{Checkpoint, Resumable, Step, StepInfo, StepResult, Transition};
pub use resume_macros::Resumable;
