//! What the end-to-end tests share: scratch directories with an environment of
//! their own, the real binary, real git, and repositories made to order.
//!
//! - [`Scratch`]: a directory, and commands that know nothing of the machine's
//!   user;
//! - [`Output`] and [`Running`]: a command that has ended, and one that can be
//!   watched, signalled and killed;
//! - [`Records`]: operations of any status, kept by the test itself;
//! - [`Shown`]: an operation as `mug resume` shows it;
//! - [`Shape`] and [`Large`]: repositories with as much history as a test needs;
//! - [`round_trip`]: into a pack, out of it, and equal;
//! - [`Cloning`]: a clone or fetch, by as many processes as it takes;
//!   [`assert_cloned`]: held against git's;
//! - [`Trial`]: a pack that is made by many processes, each stopped before it is
//!   done; [`Ledger`] and [`Bound`]: what they wrote, and what they may;
//! - [`mod@line`]: connections as the commands make them;
//! - [`pushing`]: what pushes are tested with;
//! - [`server`]: servers that count what they send, and break down as told;
//! - [`binary`]: the `mug` that is under test.

mod binary;
mod bound;
mod cloned;
mod cloning;
mod files;
mod frames;
mod large;
mod ledger;
pub mod line;
mod output;
pub mod pushing;
mod records;
mod repository;
mod round_trip;
mod running;
mod said;
mod scratch;
pub mod server;
mod shown;
mod step;
mod trial;
mod undisturbed;
mod watch;

pub use binary::binary;
pub use bound::Bound;
pub use cloned::{Told, assert_cloned, assert_sound, packs};
pub use cloning::Cloning;
pub use files::{assert_same, files, memory, same_device};
pub use frames::{FrameMap, frame_file};
pub use large::Large;
pub use ledger::{Ledger, Look};
pub use output::Output;
pub use records::Records;
pub use repository::Shape;
pub use round_trip::{head, restored, round_trip};
pub use running::{Running, wait_until};
pub use rustix::process::Signal;
pub use said::{id_told, printed};
pub use scratch::Scratch;
pub use shown::Shown;
pub use step::Step;
pub use trial::{Aim, Blow, Interval, Means, Trial};
pub use undisturbed::Undisturbed;
