//! `mug rebase`: commits picked one after the other onto another base.
//!
//! ```text
//! prepare   what is rebased, onto what, and which commits; refusals come here
//! pick      all commits, in memory; the new objects go to disk as one pack at each commit of the
//!           operation
//! look      at working tree and index, before anything is written
//! move      them to the new tree, or to a conflict
//! refs      HEAD and branch, with Git's words in their logs
//! folder    at a conflict: what Git's own tools need to know (`rebase-merge/`); then it waits
//! resolve   what became of the conflict: committed, skipped, given up, or finished with Git itself
//! exec      between picks: a command of the user's, with the last commit checked out
//! close     hooks, and what is left behind
//! ```
//!
//! Until the first conflict or command, or the end, nothing of the repository is changed but its objects.
//! The record of the operation is the authority; Git's folder is written at conflicts and commands, and
//! read when it is continued: who went on with `git rebase --continue` finds the operation going on from
//! there.

mod arrange;
mod chain;
mod choose;
mod commit;
mod course;
mod error;
mod folder;
mod input;
mod logs;
mod machine;
mod patch;
mod pick;
mod refs;
mod stash;
mod steps;
mod todo;

#[cfg(test)]
mod tests;

pub use choose::look;
pub use error::RebaseError;
pub use input::{End, Input, Output, Wish};
pub use machine::{Env, KIND, Rebase};
