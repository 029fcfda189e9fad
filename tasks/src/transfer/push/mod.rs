//! What `mug push` is made of.
//!
//! ```text
//! prepare   which ref of the server's becomes what, as git would have it; the hook is asked
//! send      what the server lacks, in increments that it keeps; with the last one the refs move
//! clean     temporary refs that are left are let go
//! finish    remote-tracking refs, and the upstream of branches
//! ```
//!
//! A server throws away a pack that is cut, so what is long is sent in increments: packs of some
//! commits, parents first, or of a part of one that is large; the server keeps each of them under
//! temporary refs. With the last one
//! the real refs move and the temporary ones go, in one list of commands. What is short is one
//! push, as git's.
//!
//! Where a push is, the server knows: what it lists is what it has, temporary refs included. A
//! process that takes over asks it, and sends the rest.
//!
//! - `store`, `history`, `contents`, `elsewhere`: the objects here, and which of them the server
//!   lacks;
//! - `pack`, `increment`, `parts`: the pack of what is next: commits, or a part of one;
//! - [`temporary`]: the refs that hold it; [`started`]: whose they are;
//! - `target`: both sides, connected; `learned`: how much a server takes;
//! - `machine` with a file a step: the operation; `walked`, `alone`, `answer`: what sending needs.

mod alone;
mod answer;
mod clean;
pub(crate) mod contents;
mod elsewhere;
pub mod error;
mod finish;
pub(crate) mod here;
pub(crate) mod history;
mod increment;
mod input;
mod learned;
mod machine;
pub(crate) mod name;
pub(crate) mod pack;
mod parts;
mod prepare;
mod send;
pub mod started;
pub(crate) mod store;
mod target;
pub mod temporary;
mod walked;

pub use clean::{Clean, Cleaned, remove};
pub use error::PackError;
pub use finish::Finish;
pub use input::Input;
pub use machine::{Env, KIND, Output, Push, Upstream};
pub use prepare::Prepare;
pub use send::Send;
pub use target::{Opened, Plan, Target, TargetError};

#[cfg(test)]
mod tests;
