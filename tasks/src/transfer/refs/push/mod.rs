//! From refspecs and configuration to the list of what becomes of the server's refs.
//!
//! - [`spec`]: a refspec of a push, as it is written;
//! - [`defaults`]: which remote and which refspecs are meant where none are given;
//! - [`mod@pairs`]: which local ref goes to which of the server's, with the objects as they are now;
//! - [`lease`]: what the user expects the server to have;
//! - [`mod@decide`]: what is sent and what is rejected, when the server has this or that;
//! - [`told`]: what is said of it;
//! - [`track`]: what a push leaves behind here: remote-tracking refs and the upstream of branches.
//!
//! The rules are git's. Pairs are made once, and name objects; they are decided on each time the
//! server is asked what it has.

pub mod decide;
pub mod defaults;
pub mod error;
pub mod lease;
pub mod pairs;
pub mod spec;
pub mod told;
pub mod track;

#[cfg(test)]
mod tests;

pub use decide::{Ancestry, Status, Update, decide};
pub use defaults::{Asked, Remote};
pub use error::PushError;
pub use lease::{Expected, Lease};
pub use pairs::{Local, Pair, follow_tags, pairs};
pub use spec::Spec;
pub use told::Told;
