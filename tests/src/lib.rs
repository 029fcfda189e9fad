//! What the end-to-end tests share: scratch directories with an environment of
//! their own, the real binary, real git, and repositories made to order.
//!
//! - [`Scratch`]: a directory, and commands that know nothing of the machine's
//!   user;
//! - [`Output`] and [`Running`]: a command that has ended, and one that can be
//!   watched, signalled and killed;
//! - [`Shape`]: a repository with as much history as a test needs;
//! - [`binary`]: the `mug` that is under test.

mod binary;
mod output;
mod repository;
mod running;
mod scratch;

pub use binary::binary;
pub use output::Output;
pub use repository::Shape;
pub use running::{Running, wait_until};
pub use rustix::process::Signal;
pub use scratch::Scratch;
