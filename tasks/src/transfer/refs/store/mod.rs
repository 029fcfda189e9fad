//! The files in which Git keeps refs, and how they are replaced: one by one where a repository is made,
//! in a [`Transaction`] where one exists.

pub mod committer;
pub(super) mod file;
mod later;
pub mod local;
pub(super) mod packed;
pub(crate) mod reflog;
pub mod transaction;

pub use committer::Committer;
pub use local::Local;
pub use transaction::{Move, NotMoved, Transaction};
