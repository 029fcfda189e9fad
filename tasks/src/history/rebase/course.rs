//! How far a rebase is: part of every state.

use gix::bstr::BString;
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::chain::Chain;
use super::input::End;
use crate::transfer::text;

/// How far a rebase is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Course {
    /// The branch that is rebased, in full; none where a commit is.
    #[serde(with = "text::maybe_name")]
    pub(super) branch: Option<BString>,
    /// Its commit at the beginning.
    #[serde(with = "text::oid")]
    pub(super) orig: ObjectId,
    /// What `HEAD` named at the beginning, if it named a branch.
    #[serde(with = "text::maybe_name")]
    pub(super) from_branch: Option<BString>,
    /// The commit of `HEAD` at the beginning.
    #[serde(with = "text::oid")]
    pub(super) from: ObjectId,
    /// The new base.
    #[serde(with = "text::oid")]
    pub(super) onto: ObjectId,
    /// What the user calls it.
    #[serde(with = "text::name")]
    pub(super) onto_name: BString,
    /// Whether what is picked onto it has no parent.
    #[serde(default)]
    pub(super) to_root: bool,
    /// Where picking began: the new base, or the last of the commits that lie on it already.
    #[serde(with = "text::oid")]
    pub(super) start: ObjectId,
    /// The commit whose tree is checked out.
    #[serde(with = "text::oid")]
    pub(super) base: ObjectId,
    /// The commit that `HEAD` names, or leads to.
    #[serde(with = "text::oid")]
    pub(super) at: ObjectId,
    /// The last commit that was made.
    #[serde(with = "text::oid")]
    pub(super) head: ObjectId,
    /// The next item of the list.
    pub(super) next: u64,
    /// The length of the list.
    pub(super) total: u64,
    /// Whether `HEAD` was moved, and Git's folder was written.
    pub(super) begun: bool,
    /// The lines of the record that are in the log of `HEAD`.
    pub(super) logged: u64,
    /// What was not committed, kept aside.
    #[serde(with = "text::maybe_oid", default)]
    pub(super) stash: Option<ObjectId>,
    /// Whether it stays in the stash.
    #[serde(default)]
    pub(super) kept: bool,
    pub(super) picked: u64,
    pub(super) dropped: u64,
    #[serde(default)]
    pub(super) melded: u64,
    /// What is melded into the last commit.
    #[serde(default)]
    pub(super) chain: Chain,
}

impl Course {
    /// The parent of a commit that is made now.
    pub(super) fn parent(&self) -> Option<ObjectId> {
        (!self.to_root || self.head != self.onto).then_some(self.head)
    }

    /// The commit that is checked out at the end.
    pub(super) fn tip(&self, end: End) -> ObjectId {
        match end {
            End::Rebased => self.head,
            _ if self.begun => self.orig,
            _ => self.from,
        }
    }
}

/// A commit that conflicts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stopped {
    #[serde(with = "text::oid")]
    pub(super) commit: ObjectId,
    /// The tree with the conflicts' files.
    #[serde(with = "text::oid")]
    pub(super) tree: ObjectId,
}

/// What the working tree is moved for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Goal {
    /// All is picked.
    Finish,
    /// A commit conflicts.
    Stop(Stopped),
    /// A commit that conflicted is left out.
    Skip,
    /// A command is to be run.
    Exec(#[serde(with = "text::name")] BString),
    /// What a command left in the working tree is taken back.
    Reset,
    /// Everything is put back.
    Abort,
    /// What is not committed was kept aside.
    Clean,
    /// It is put back.
    Restore {
        /// The commit's tree with it.
        #[serde(with = "text::oid")]
        tree: ObjectId,
        /// How the rebase ended.
        end: End,
    },
}
