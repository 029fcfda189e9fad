//! `mug merge`: merges a commit into the branch that is checked out.
//!
//! ```text
//! look      the merge is made in memory and written as one pack; nothing of the user's is touched, and
//!           what would lose something of the user's is refused here
//! move      working tree and index get the merged tree
//! record    MERGE_HEAD, MERGE_MSG and the rest, so that Git's tools know what is going on
//! resolve   where there are conflicts: the operation waits here until there are none in the index
//! hooks     pre-merge-commit (or pre-commit) and commit-msg are asked; the commit is made
//! publish   the branch moves, if it is where it was; the files of the merge go
//! post      post-merge (or post-commit) is told
//!
//! undo-look, undo-move, undo-end   the way back, for `--abort`
//! ```
//!
//! A fast-forward goes from `move` to `publish`. Everything up to `look` can be thrown away; from there
//! on the record of the operation says how to go on or back. Who goes on with Git itself may: the files
//! are Git's own, and the operation looks whether the merge was ended by somebody else (`outside`).

mod back;
mod error;
mod files;
mod input;
mod look;
mod machine;
mod message;
mod named;
mod outside;
mod settings;
mod squash;
mod steps;

#[cfg(test)]
mod tests;

pub use error::MergeError;
pub use input::{Ended, FastForward, Input, Output};
pub use machine::{Env, KIND, Merge};
