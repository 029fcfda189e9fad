//! The move of working tree and index from one tree to another, which loses nothing of the user's.
//!
//! ```text
//! check    every path that differs: the index must have what the first tree has, the file must be
//!          as the index says, and where a file is to come there must be none that is not ignored.
//!          What is found is refused before anything is written; else the list of changes is kept
//! remove   files that the second tree does not have
//! place    each other file: staged under a number (through attributes and filters), the old one moved
//!          away, the new one put there by a rename that replaces nothing
//! index    the index with the new files' stat data, all other entries as they were; where there are
//!          conflicts, their stages
//! ```
//!
//! [`check`] is for the step before, [`Transition::advance`] for a step marked as an effect: between
//! them lies a commit, and from then on each part can be repeated.
//!
//! # What the user edits in between is kept
//! An old file is moved away before it is looked at for the last time, so that what is looked at is what
//! is dropped. One that is not as it was comes back under its name, and the operation stops. What a
//! process had moved away when it died is looked at by the next one. Git's lock on the index is held from
//! the first change to the last; it is known again when its process has died.

mod advance;
mod away;
mod changes;
mod check;
mod dirt;
mod error;
mod file;
mod index;
mod list;
mod plan;
mod snapshot;
mod sparse;

#[cfg(test)]
mod tests;

pub use advance::{Advance, Transition};
pub use check::check;
pub use dirt::{Dirt, dirt};
pub use error::WorktreeError;
pub use index::{conflicts, read_index, write_tree};
pub use plan::Plan;
pub use snapshot::snapshot;

pub(super) use changes::{Change, Side, changes};
pub(super) use error::listed;
