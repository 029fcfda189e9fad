//! A new repository from a server, received in as many attempts as it takes.
//!
//! ```text
//! connect     list the refs, and plan the new repository from them: this is what was promised
//! receive  \
//! resolve  |  get all objects, by [`obtain`](super::obtain)
//! check    |
//! join     /
//! relist      the server lacks something: list the refs again, and go on with what they are now
//! publish     packs into the new repository, and all files of it but the refs
//! files       the working tree
//! tree-index  its index
//! refs        configuration, refs, and `HEAD` last
//! ```
//!
//! The operation's store lies in the new repository, and the packs gather in the operation's own
//! directory there. Without `HEAD` Git does not take the directory for a repository: an unfinished
//! clone never looks finished, and nothing that Git does on its own touches it.
//!
//! What the server's refs named at first is what the clone ends with, whatever becomes of the refs
//! meanwhile. Only if the server does not have these objects any more are its refs listed again, and
//! what has changed is said.

pub mod error;
pub mod machine;
pub mod prepare;

mod listing;
mod rounds;
mod steps;
#[cfg(test)]
mod tests;

pub use error::CloneError;
pub use machine::{Cloning, Env, Input, KIND, Output};
