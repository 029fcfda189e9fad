//! The files in which Git keeps refs, and how they are replaced.

pub mod committer;
pub(super) mod file;
pub(super) mod packed;
pub(super) mod reflog;

pub use committer::Committer;
