//! What a merge is told, and what comes out of it.

use gix::bstr::BString;
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use crate::transfer::text;

/// What the sides are called in conflict markers, names of files and messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Our side: `HEAD`.
    pub ours: BString,
    /// Their side: the branch's name, or a commit with its subject.
    pub theirs: BString,
    /// What they have in common, shown with `merge.conflictStyle=diff3`; as Git calls it, if not
    /// given.
    pub base: Option<BString>,
}

/// Which side is taken where content conflicts (`-X`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Favor {
    /// None: it is a conflict.
    #[default]
    Neither,
    /// Ours.
    Ours,
    /// Theirs.
    Theirs,
}

/// Who decided a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// This engine.
    Mug,
    /// `git merge-tree`.
    Git,
}

/// What comes out of a merge. The objects are in the repository that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The merged tree; with conflict markers in it where there are conflicts.
    pub tree: ObjectId,
    /// Whether there is no conflict.
    pub clean: bool,
    /// The stages of conflicting paths, by path and stage. There are conflicts without any: a path
    /// that a renamed directory would take along, for example.
    pub stages: Vec<Stage>,
    /// What Git would have said of it, path by path.
    pub messages: Vec<Message>,
    /// Who decided.
    pub by: By,
}

/// A stage of a conflicting path, for the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// The path.
    #[serde(with = "text::name")]
    pub path: BString,
    /// Its mode in the index.
    pub mode: u32,
    /// The object.
    #[serde(with = "text::oid")]
    pub id: ObjectId,
    /// 1 for the base, 2 for ours, 3 for theirs.
    pub stage: u8,
}

/// What there is to say of a merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The kind, in Git's words for programs: `CONFLICT (contents)`, `Auto-merging`.
    pub kind: String,
    /// The sentence, with its line's end cut off.
    pub text: String,
}

impl Outcome {
    /// The conflicting paths, each once.
    pub fn conflicting_paths(&self) -> Vec<BString> {
        let mut paths: Vec<_> = self.stages.iter().map(|stage| stage.path.clone()).collect();
        paths.dedup();
        paths
    }
}
