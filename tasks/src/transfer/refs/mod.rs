//! From the refs that a server lists to what Git would have made of them in a repository.
//!
//! A clone is planned from the list ([`for_clone`]) and written ([`apply_clone`]) once all objects
//! are there. What a server says is never trusted: names are checked before anything is made of
//! them, tags are peeled from the objects themselves, and what can't be used is left out and told.

pub mod ancestry;
pub mod clone;
pub mod error;
pub mod fetch;
pub mod name;
pub mod objects;
pub mod push;
pub mod store;
pub mod url;

#[cfg(test)]
pub(super) mod tests;

pub use clone::{
    CloneDefaults, CloneOptions, ClonePlan, Cloned, NewHead, apply_clone, for_clone,
    prefixes_for_clone,
};
pub use error::RefsError;
pub use objects::Objects;
pub use store::{Committer, Local, Move, NotMoved, Transaction};
