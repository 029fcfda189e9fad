//! The journal: what happened to an operation, with time and progress.
//!
//! An event is written in the transaction that it reports. The newest thousand
//! of an operation are kept, and its first; see `journal` for how.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub(crate) use crate::journal::{append, list};
use crate::operation::{Operation, OperationProgress};

/// Something that happened to an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// When.
    pub time: DateTime<Utc>,
    /// What.
    pub kind: EventKind,
    /// The step it happened in, or the step entered.
    pub step: String,
    /// The operation's commits by then.
    pub commit: u64,
    /// The error, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How far the operation was.
    pub progress: OperationProgress,
}

/// What can happen to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EventKind {
    /// Its record was made.
    Created,
    /// It was driven for the first time.
    Started,
    /// It entered a step.
    Step,
    /// A commit was made.
    Commit,
    /// An error that may pass; it will be tried again.
    Retry,
    /// It was paused.
    Paused,
    /// It was taken up again.
    Resumed,
    /// It failed.
    Failed,
    /// It is done.
    Completed,
    /// A remark of the operation's own.
    Note,
}

impl EventKind {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Started => "started",
            Self::Step => "step",
            Self::Commit => "commit",
            Self::Retry => "retry",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Failed => "failed",
            Self::Completed => "completed",
            Self::Note => "note",
        }
    }
}

impl Event {
    /// An event of `op` as it stands now.
    pub(crate) fn of(kind: EventKind, op: &Operation) -> Self {
        Self {
            time: op.last_updated,
            kind,
            step: op.state.current_step.clone(),
            commit: op.commits,
            message: op.state.error_message.clone(),
            progress: op.progress.clone(),
        }
    }

    /// `op` entered `step`.
    pub(crate) fn step(step: &str, op: &Operation) -> Self {
        Self {
            step: step.to_owned(),
            ..Self::of(EventKind::Step, op)
        }
    }

    /// A remark of the operation's own.
    pub(crate) fn note(message: &str, op: &Operation) -> Self {
        Self {
            message: Some(message.to_owned()),
            ..Self::of(EventKind::Note, op)
        }
    }
}
