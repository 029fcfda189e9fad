//! Long operations that can be paused, killed and resumed.

mod context;
mod database;
mod error;
mod operation;
mod owner;
mod records;
mod requests;
mod resumable;
mod state;
pub mod store;
mod wake;

pub use context::Context;
pub use database::Database;
pub use error::{Classify, ErrorClass, RestoreError, StepError};
pub use operation::{
    Operation, OperationProgress, OperationState, OperationStatus, OperationType, Owner,
    UnknownName, WaitingFor,
};
pub use owner::Instance;
pub use resumable::{Checkpoint, Resumable, Step, StepInfo, StepResult, Transition};
pub use resume_macros::Resumable;
pub use state::State;
