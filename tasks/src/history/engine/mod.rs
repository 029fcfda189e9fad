//! Merges of three trees, with the result that Git has, or none.
//!
//! Git's way of merging (`ort`) is a three-way comparison of paths, after it has looked for renames.
//! `trees` compares the paths itself, as long as no rename can matter and nothing but the content of
//! regular files has to be merged (`content`); then what it finds is what Git would have found. In
//! every other case, conflicts included, it gives up, and `git merge-tree` decides (`git`), in a
//! directory of its own (`quarantine`). Without Git that is an error.
//!
//! When no rename can matter:
//! - a path that one side deleted (it may have been renamed there) is as it was on the other side;
//! - no path was deleted by both sides, and none was added by both;
//! - nothing was added where the other side deleted in the same directory, or has no such directory
//!   any more (files follow a directory that was renamed).
//!
//! Attributes that choose another way to merge (`attributes`), renormalisation, submodules, symbolic
//! links and binary files that both sides changed are left to Git as well.

mod attributes;
mod content;
mod decide;
mod error;
mod git;
mod outcome;
mod quarantine;
mod relabel;
mod trees;

#[cfg(test)]
mod tests;

pub use decide::{Engine, Trees};
pub use error::EngineError;
pub use outcome::{By, Favor, Labels, Message, Outcome, Stage};
