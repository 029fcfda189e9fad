//! What is asked for, and what comes of it.

use std::path::PathBuf;

use gix::bstr::BString;
use gix_hash::ObjectId;
use resume_runtime::path_text;
use serde::{Deserialize, Serialize};

use crate::transfer::text;

/// What to rebase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The Git directory, an absolute path; of a linked worktree its own.
    #[serde(with = "path_text")]
    pub git_dir: PathBuf,
    /// Whose commits are left out; the branch's upstream if none is given.
    #[serde(default)]
    pub upstream: Option<String>,
    /// What is rebased instead of `HEAD`.
    #[serde(default)]
    pub branch: Option<String>,
    /// What it is rebased onto; the upstream if nothing is given.
    #[serde(default)]
    pub onto: Option<String>,
    /// Whether all commits are rebased, down to the first.
    #[serde(default)]
    pub root: bool,
    /// Whether what is not committed is kept aside meanwhile; as configured, if not given.
    #[serde(default)]
    pub autostash: Option<bool>,
    /// Whether commits that are made to be melded into others (`fixup! ..`) are.
    #[serde(default)]
    pub autosquash: bool,
    /// Commands that are run after each commit, by a shell.
    #[serde(default)]
    pub exec: Vec<String>,
}

impl Input {
    /// Whether commits stay of which nothing is left: with commands they do, as with Git.
    pub(super) fn keeps_empty(&self) -> bool {
        !self.exec.is_empty()
    }

    /// Whether it is begun even if all commits lie on their new base already.
    pub(super) fn always_begins(&self) -> bool {
        self.autosquash || !self.exec.is_empty()
    }
}

/// What to do with an operation that waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// Go on with what the user made of the conflict.
    #[default]
    Continue,
    /// Leave the commit out.
    Skip,
    /// Put everything back as it was.
    Abort,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The branch has its new commits.
    Rebased,
    /// There was nothing to do.
    UpToDate,
    /// The user gave it up.
    Aborted,
    /// The user finished it with Git.
    FinishedWithGit,
    /// The user gave it up with Git.
    AbortedWithGit,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// How it ended.
    pub end: End,
    /// The branch, in full; none where `HEAD` named a commit.
    #[serde(with = "text::maybe_name")]
    pub branch: Option<BString>,
    /// Its commit now.
    #[serde(with = "text::oid")]
    pub head: ObjectId,
    /// Commits that were made.
    pub picked: u64,
    /// Commits that were left out, since their changes are there already.
    pub dropped: u64,
    /// Commits that were melded into others.
    #[serde(default)]
    pub melded: u64,
    /// Whether what was kept aside could not be put back, and is in the stash.
    #[serde(default)]
    pub stashed: bool,
}
