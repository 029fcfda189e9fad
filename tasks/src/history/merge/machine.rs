//! The operation.

use std::path::PathBuf;

use gix::bstr::BString;
use gix_hash::ObjectId;
use resume_runtime::{Blocking, Resumable, StepError};
use serde::{Deserialize, Serialize};

use super::back::{UndoEnd, UndoLook, UndoMove};
use super::input::{Ended, Input, Output};
use super::look::Look;
use super::steps::{Ask, Move, Post, Publish, Record, Resolve};
use crate::core::database::STORE_NAME;
use crate::history::commit::Head;
use crate::history::engine::Stage;
use crate::history::worktree::{Plan, WorktreeError};
use crate::transfer::text;

/// The machine's name in the records of operations.
pub const KIND: &str = "merge";

/// The operation's file with the stages of conflicting paths.
pub(super) const STAGES: &str = "merge.stages";
/// The operation's file with what the commit is to say.
pub(super) const MESSAGE: &str = "merge.message";

/// What a process is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Env {
    /// Whether the merge is to be given up.
    pub abort: bool,
}

/// Merges a commit.
#[derive(Debug, Resumable)]
#[resumable(kind = "merge", version = 1, input = Input, output = Output, env = Env)]
pub enum Merge {
    /// Makes the merge in memory, and looks whether it can be put in place.
    #[step(start)]
    Look(Look),
    /// Moves working tree and index.
    #[step(effect)]
    Move(Move),
    /// Writes the files by which Git knows of it.
    #[step(effect)]
    Record(Record),
    /// Waits for conflicts to be resolved.
    #[step]
    Resolve(Resolve),
    /// Asks the hooks and makes the commit.
    #[step(effect)]
    Ask(Ask),
    /// Moves the branch.
    #[step(effect)]
    Publish(Publish),
    /// Tells the hooks.
    #[step(effect)]
    Post(Post),
    /// Looks whether there is a way back.
    #[step]
    UndoLook(UndoLook),
    /// Moves working tree and index back.
    #[step(effect)]
    UndoMove(UndoMove),
    /// Removes the files.
    #[step(effect)]
    UndoEnd(UndoEnd),
}

/// How the merge ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Way {
    /// The branch is moved.
    FastForward,
    /// There is a commit.
    Commit,
    /// There is none, but somebody may make it.
    Stop,
    /// There is none, and Git knows of no merge.
    Squash,
}

/// What was found at the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// Where `HEAD` was.
    pub(super) head: Head,
    /// Its tree.
    #[serde(with = "text::oid")]
    pub(super) from: ObjectId,
    /// What logs and conflict markers call what is merged.
    #[serde(with = "text::name")]
    pub(super) name: BString,
    /// The commit that is merged.
    #[serde(with = "text::oid")]
    pub(super) theirs: ObjectId,
    /// What `MERGE_HEAD` gets: the commit, or the tag of it.
    #[serde(with = "text::oid")]
    pub(super) merge_head: ObjectId,
    /// The merged tree.
    #[serde(with = "text::oid")]
    pub(super) tree: ObjectId,
    /// Whether there is no conflict.
    pub(super) clean: bool,
    pub(super) way: Way,
    /// Whether there is to be a commit in any case.
    pub(super) no_ff: bool,
    /// Whether both sides had something of their own to merge.
    pub(super) both: bool,
}

impl Facts {
    /// The move of the working tree to the merged tree.
    pub(super) fn plan(&self, b: &mut Blocking<Merge>) -> Result<Plan, WorktreeError> {
        let mut plan = Plan::new(shared(b)?, self.from, self.tree);
        plan.branch.clone_from(&self.head.branch);
        if self.way == Way::FastForward {
            plan.treeish = self.theirs;
        }
        if !self.clean {
            plan.unmerged = stages(b)?;
        }
        Ok(plan)
    }

    /// What came of it, as far as this operation did it.
    pub(super) fn output(&self, ended: Ended, after: Option<ObjectId>, changes: u64) -> Output {
        Output {
            ended,
            before: self.head.commit,
            after,
            changes,
            said: Vec::new(),
        }
    }
}

/// The repository, opened anew.
pub(super) fn shared(b: &Blocking<Merge>) -> Result<gix::ThreadSafeRepository, StepError> {
    let path = &b.input().repository;
    gix::ThreadSafeRepository::open(path)
        .map_err(|error| StepError::fatal(error).context(format!("'{}'", path.display())))
}

/// A directory of the operation beside the index and `HEAD`.
pub(super) fn own_dir(b: &Blocking<Merge>) -> PathBuf {
    let store = b.input().repository.join(STORE_NAME);
    store.join("ops").join(b.id()).join("merge")
}

/// Keeps something in a file of the operation, in the place of what was in it.
pub(super) fn keep(b: &mut Blocking<Merge>, name: &str, bytes: &[u8]) -> Result<(), StepError> {
    let mut file = b.append_file(name)?;
    if file.len() > 0 {
        file.restart()?;
    }
    file.append(bytes)
}

/// What was kept.
pub(super) fn kept(b: &mut Blocking<Merge>, name: &str) -> Result<Vec<u8>, StepError> {
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut b.read_file(name)?, &mut bytes)?;
    Ok(bytes)
}

/// The stages that were kept.
pub(super) fn stages(b: &mut Blocking<Merge>) -> Result<Vec<Stage>, StepError> {
    let bytes = kept(b, STAGES)?;
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_slice(&bytes).map_err(StepError::fatal)
}

/// The paths of these, each once.
pub(super) fn paths(stages: &[Stage]) -> Vec<BString> {
    let mut paths: Vec<_> = stages.iter().map(|stage| stage.path.clone()).collect();
    paths.dedup();
    paths
}

/// Git's index.
pub(super) fn index(repository: &gix::Repository) -> Result<gix::index::File, StepError> {
    repository.open_index().map_err(|error| {
        let hint = "make a new one: remove it, `git read-tree AUTO_MERGE`, `git add` what is resolved, \
                    then continue";
        StepError::needs_user(error, hint).context("the index can't be read")
    })
}

/// The paths that have conflicts, each once.
pub(super) fn unmerged(index: &gix::index::State) -> Vec<BString> {
    let entries = index.entries().iter();
    let mut paths: Vec<BString> = entries
        .filter(|entry| entry.stage_raw() != 0)
        .map(|entry| entry.path(index).to_owned())
        .collect();
    paths.dedup();
    paths
}
