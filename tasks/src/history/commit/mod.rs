//! Commits: who made them and when, what they say, and the branch that gets them.

pub mod create;
pub mod error;
pub mod head;
pub mod identity;
pub mod message;
mod sign;

pub use create::{NewCommit, create};
pub use error::CommitError;
pub use head::Head;
pub use identity::{Identity, author, committer};
