//! What `mug merge` and `mug rebase` are made of: merges of trees, commits, and the move of working
//! tree and index from one tree to another.
//!
//! New objects are kept in memory ([`objects`]) and go to disk as one pack when the operation commits.
//! The working tree and the branch are touched once, at the end or at a conflict.

pub mod commit;
pub mod engine;
pub mod hooks;
pub mod merge;
pub mod objects;
pub mod rebase;
mod running;
pub mod worktree;

#[cfg(test)]
pub(crate) mod testing;
