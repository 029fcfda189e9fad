//! The stored record of an operation.
//!
//! It is JSON in the named database `operations`. The fields of the first group
//! are fixed; others may stand beside them, and fields that this build does not
//! know are kept when it rewrites a record.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One run of something resumable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Operation {
    /// `op-<uuid>`.
    pub id: String,
    /// One of the well-known types, or `custom`.
    pub op_type: OperationType,
    /// As stored. A running operation whose owner died is shown as paused by
    /// the look-ups of [`OperationManager`](crate::OperationManager).
    pub status: OperationStatus,
    /// When the record was made.
    pub created_at: DateTime<Utc>,
    /// When it was first driven; its creation until then.
    pub started_at: DateTime<Utc>,
    /// When the record was last written.
    pub last_updated: DateTime<Utc>,
    /// Where it stands.
    pub state: OperationState,
    /// How far it is.
    pub progress: OperationProgress,

    /// The machine's name, when a machine drives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The process that drives it, or drove it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// What a paused operation waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// The command line that continues it, word by word, without `--resume`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The directory that `command` is run in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// The machine's input, stored once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// The machine's output, once it is completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Commits made so far; each has its number.
    #[serde(default)]
    pub commits: u64,
    /// Where its time went.
    #[serde(default)]
    pub timing: Timing,
    /// Names of what it must have for itself; operations that share one exclude
    /// each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusive: Vec<String>,
    /// Operations that must be completed before this one starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Fields that this build does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Operation {
    /// A new record under a new id, created now, with the status `running`.
    pub fn new(
        op_type: OperationType,
        checkpoint: String,
        metadata: HashMap<String, String>,
    ) -> Self {
        let now = now();
        Self {
            id: format!("op-{}", uuid::Uuid::new_v4()),
            op_type,
            status: OperationStatus::Running,
            created_at: now,
            started_at: now,
            last_updated: now,
            state: OperationState {
                checkpoint,
                current_step: "initialized".to_owned(),
                metadata,
                ..OperationState::default()
            },
            progress: OperationProgress::default(),
            kind: None,
            owner: None,
            waiting_for: None,
            command: Vec::new(),
            directory: None,
            input: None,
            output: None,
            commits: 0,
            timing: Timing::default(),
            exclusive: Vec::new(),
            after: Vec::new(),
            extra: Map::new(),
        }
    }

    /// The machine's name, or the type's where no machine drives it.
    pub fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or(self.op_type.as_str())
    }

    /// Whether `name` is its type or its machine's name.
    pub fn is_of(&self, name: &str) -> bool {
        self.op_type.as_str() == name || self.kind() == name
    }
}

/// The time now, in the precision that the record keeps.
pub(crate) fn now() -> DateTime<Utc> {
    use chrono::SubsecRound as _;
    Utc::now().trunc_subsecs(6)
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationType {
    /// Writing a pack.
    Pack,
    /// Cloning a repository.
    Clone,
    /// Fetching into one.
    Fetch,
    /// Pushing from one.
    Push,
    /// Rebasing a branch.
    Rebase,
    /// Merging into one.
    Merge,
    /// Anything else; the record's `kind` names it.
    Custom,
}

impl OperationType {
    /// Every type.
    pub const ALL: [Self; 7] = [
        Self::Pack,
        Self::Clone,
        Self::Fetch,
        Self::Push,
        Self::Rebase,
        Self::Merge,
        Self::Custom,
    ];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pack => "pack",
            Self::Clone => "clone",
            Self::Fetch => "fetch",
            Self::Push => "push",
            Self::Rebase => "rebase",
            Self::Merge => "merge",
            Self::Custom => "custom",
        }
    }

    /// The type under which a machine of this name is stored: a machine `pack-…` is a variety of
    /// `pack`.
    pub fn of_kind(kind: &str) -> Self {
        let family = kind.split_once('-').map_or(kind, |(family, _)| family);
        family.parse().unwrap_or(Self::Custom)
    }
}

/// What an operation is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationStatus {
    /// A process drives it.
    Running,
    /// It can be resumed.
    Paused,
    /// It is done.
    Completed,
    /// It met an error that no repetition clears; it can be resumed from its
    /// last commit all the same.
    Failed,
}

impl OperationStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Running, Self::Paused, Self::Completed, Self::Failed];

    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more happens unless somebody asks for it.
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// A name that stands for no type or status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is none of {known}")]
pub struct UnknownName {
    name: String,
    known: String,
}

macro_rules! names {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(name: &str) -> Result<Self, UnknownName> {
                Self::ALL
                    .into_iter()
                    .find(|it| it.as_str() == name)
                    .ok_or_else(|| UnknownName {
                        name: name.to_owned(),
                        known: Self::ALL.map(Self::as_str).join(", "),
                    })
            }
        }
    };
}
names!(OperationType);
names!(OperationStatus);

/// Where an operation stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OperationState {
    /// The state of the current step: any JSON, as a string.
    pub checkpoint: String,
    /// The current step's name.
    pub current_step: String,
    /// How many steps there are, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_steps: Option<usize>,
    /// Why it failed, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// What its author wants to be seen: source, target, and the like.
    #[serde(default)]
    pub metadata: HashMap<String, String>,
    /// Fields that this build does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How far an operation is. Totals may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OperationProgress {
    /// Items done.
    pub processed: u64,
    /// Items in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Bytes done.
    pub bytes_processed: u64,
    /// Bytes in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
    /// Fields that this build does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl OperationProgress {
    /// How much is done, between 0 and 100: by items where their total is
    /// known, else by bytes, else `None`. Nothing to do counts as done.
    pub fn percentage(&self) -> Option<f64> {
        let of = |done: u64, total: u64| match total {
            0 => 100.0,
            _ => (done as f64 / total as f64 * 100.0).min(100.0),
        };
        match (self.total, self.total_bytes) {
            (Some(total), _) => Some(of(self.processed, total)),
            (None, Some(total)) => Some(of(self.bytes_processed, total)),
            (None, None) => None,
        }
    }
}

/// Where the time of an operation went, over all processes that drove it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Driven in all, in milliseconds.
    pub driven_ms: u64,
    /// Of these, waiting for commits.
    pub waited_ms: u64,
}

/// The process that drives an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The instance, whose lock file says whether it lives.
    pub instance: String,
    /// Its process id, for people; liveness does not rest on it.
    pub pid: u32,
}

/// What a paused operation waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitingFor {
    /// The user; the text says what to do.
    User(String),
    /// A time: the next try after a transient error.
    Until(DateTime<Utc>),
    /// Another operation, by id.
    Operation(String),
    /// A place among those that run at once.
    Slot,
}
