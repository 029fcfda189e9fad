//! Long operations that can be paused, killed and resumed.

mod context;
mod error;
mod resumable;

pub use context::Context;
pub use error::{Classify, ErrorClass, RestoreError, StepError};
pub use resumable::{Checkpoint, Resumable, Step, StepInfo, StepResult, Transition};
pub use resume_macros::Resumable;
