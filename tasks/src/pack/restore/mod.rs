//! Restores a repository from a pack directory: a Git pack with its index, then the refs.
//!
//! All layers are joined into one pack. Each entry keeps its payload (a whole object or a delta)
//! and is deflated anew; since bases come before their deltas, every delta names its base by offset.
//! On the way each object is rebuilt and hashed, and compared with the index: bytes that do not
//! match are never published.
//!
//! The units of work are the [groups](super::format::Group) of the layers, in order. Several threads
//! encode units ([`encode`]), one appends them to the pack ([`writer`]), which is where it can stop
//! and go on: behind the last unit whose bytes are on disk. [`machine`] is the operation around it.

pub mod encode;
pub mod error;
pub mod idx;
pub mod into;
pub mod machine;
pub mod prepare;
pub mod publish;
pub mod source;
pub mod writer;

pub(in crate::pack) mod objects;
mod steps;
#[cfg(test)]
pub(in crate::pack) mod tests;
mod worktree;

pub use error::RestoreError;
pub use into::{Namespace, Place};
pub use machine::{Env, Input, Output, Restore, Restored};
pub use source::Source;
