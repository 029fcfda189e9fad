//! What is missing below some tips, and in which order to ask a server for it.
//!
//! A transfer that was cut off has received an arbitrary part of what it asked for. [`missing`]
//! walks from the tips through whatever is there and lists what is not; the lists are in the order
//! in which a server's packs cost the fewest bytes. Finding nothing is the connectivity check:
//! every object that the tips reach is there, and is of the kind that it is taken for.
//!
//! # Two ways to look
//! - The *scan* makes every commit, tag and tree that is there once, along its delta chains, on all
//!   threads, and looks up what it refers to ([`crate::pack::scan`]). If nothing is missing
//!   anywhere and the tips are there, nothing is missing below them: this is how a transfer that
//!   was not cut off ends. The scan stops at the first gap.
//! - The *walk* goes from the tips through the history, newest first, and then through the trees.
//!   It tells what exactly is missing, and in which order the history has it. It turns back at
//!   whatever is known to be whole, and so costs what is new.

mod batches;
mod error;
mod find;
mod history;
pub mod list;
mod near;
mod objects;
mod paths;
pub mod plan;
mod trees;
mod whole;

pub use batches::{Batch, Batches};
pub use error::{MissingError, Referrer};
pub use find::{Missing, Near, Start, missing};
pub use list::List;

#[cfg(test)]
mod tests;
