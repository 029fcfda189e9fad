//! Long operations that can be paused, killed and resumed.

mod blocking;
mod context;
mod database;
mod error;
mod event;
mod faults;
mod files;
mod latch;
mod operation;
mod owner;
mod pace;
mod path;
mod pause;
mod progress;
mod records;
mod requests;
mod resumable;
mod retry;
mod rows;
mod runner;
mod scheduler;
mod signal;
mod state;
mod stopped;
pub mod store;
mod table;
mod wake;

pub use blocking::{Appender, Blocking};
pub use context::{AppendFile, Context};
pub use database::Database;
pub use error::{Classify, ErrorClass, RestoreError, StepError};
pub use event::{Event, EventKind};
pub use files::ReadFile;
pub use operation::{
    Operation, OperationProgress, OperationState, OperationStatus, OperationType, Owner, Timing,
    UnknownName, WaitingFor,
};
pub use owner::Instance;
pub use path::{NotRelative, RelPath, path_text};
pub use pause::PausedBy;
pub use progress::{Progress, ProgressSnapshot};
pub use resumable::{Checkpoint, Resumable, Step, StepInfo, StepResult, Transition};
pub use resume_macros::Resumable;
pub use retry::RetryPolicy;
pub use scheduler::{Builder, Handle, Scheduler, Start};
pub use signal::{PAUSED_BY_SIGNAL, Signals, pause_on_signals};
pub use state::State;
pub use stopped::Stopped;
pub use table::{Table, TableKey};
