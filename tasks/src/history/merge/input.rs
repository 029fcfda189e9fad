//! What is to be merged, and what came of it.

use std::path::PathBuf;

use gix::bstr::BString;
use gix_hash::ObjectId;
use resume_runtime::path_text;
use serde::{Deserialize, Serialize};

use super::error::MergeError;
use super::files;
use super::named::Theirs;
use crate::history::engine::Favor;
use crate::transfer::text;

/// Whether the branch may simply be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FastForward {
    /// Where that is possible (`--ff`).
    Allowed,
    /// Never: there is a commit in any case (`--no-ff`).
    Never,
    /// Nothing else (`--ff-only`).
    Only,
}

/// What is to be merged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Input {
    /// The Git directory, an absolute path; of a linked worktree its own.
    #[serde(with = "path_text")]
    pub repository: PathBuf,
    /// The commit, as it was named.
    #[serde(with = "text::name")]
    pub commit: BString,
    /// Whether the branch may simply be moved; as configured, if not said.
    pub fast_forward: Option<FastForward>,
    /// Whether the changes are only to be put into index and working tree.
    pub squash: bool,
    /// Whether to stop before the commit.
    pub no_commit: bool,
    /// The message of the commit.
    pub message: Option<String>,
    /// Which side is taken where content conflicts.
    pub favor: Favor,
    /// Whether histories with nothing in common may be merged.
    pub allow_unrelated: bool,
}

impl Input {
    /// Looks whether a merge can begin, before there is an operation.
    pub fn check(&self) -> Result<(), MergeError> {
        let repository = gix::open(&self.repository).map_err(|error| MergeError::NoRepository {
            path: self.repository.clone(),
            reason: error.to_string(),
        })?;
        if repository.workdir().is_none() {
            return Err(MergeError::Bare);
        }
        if let Some(error) = files::in_progress(repository.git_dir()) {
            return Err(error);
        }
        Theirs::find(&repository, self.commit.as_ref()).map(drop)
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// There was nothing to merge.
    UpToDate,
    /// The branch was moved.
    FastForward,
    /// There is a merge commit.
    Merged,
    /// The changes are in index and working tree; `HEAD` is where it was.
    Squashed,
    /// The same, and the merge is to be committed by somebody (`--no-commit`).
    Stopped,
    /// All is as it was before.
    Aborted,
    /// Somebody made the commit.
    FinishedOutside,
    /// Somebody gave the merge up.
    AbortedOutside,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// How it ended.
    pub ended: Ended,
    /// What `HEAD` was before.
    #[serde(with = "text::maybe_oid")]
    pub before: Option<ObjectId>,
    /// What `HEAD` is now.
    #[serde(with = "text::maybe_oid")]
    pub after: Option<ObjectId>,
    /// The number of paths that changed.
    pub changes: u64,
    /// What hooks printed.
    pub said: Vec<String>,
}
