//! Gets objects from a server until all that was promised is there, whatever the line does.
//!
//! It is the part of a step's state that `mug clone` and `mug fetch` share: [`Obtain`] is what is
//! committed, [`Goal`] what a process is to reach, and [`Obtain::advance`] a slice on the way.
//!
//! ```text
//! look      what is missing below the tips? nothing: join the packs to one, done
//!   |       otherwise choose what to ask for, and write it down
//!   v
//! ask       a request, on a thread of its own
//!   |
//!   v
//! receive   the bytes of a pack into the raw file; each commit keeps what came
//!   |    \
//!   |     \  the line is lost, or the process died
//!   v      v
//! index   salvage    whole: its index; cut: a pack of what is whole of it
//!    \     /
//!     look            (or the next batch of blobs)
//! ```
//!
//! It begins with `ask` for everything, or with `look` where it is to be staged from the start, or
//! with the `bundles` that the server offers.
//!
//! # What is where
//! All of it lies in the operation's own directory (`Goal::own`): the raw file, lists of what to ask
//! for, and `objects`, where packs gather until nothing is missing. What a repository has already is
//! found through `objects/info/alternates`. Whoever uses this moves the packs from there.
//!
//! # When a line is lost
//! What came is salvaged, and what is missing is asked for. If there was nothing to salvage, that is a
//! *setback*: the next try waits longer, and after so many of them in a row the run ends, to be
//! continued when the line is better. What a server refuses (a filter, an object by its id) is
//! remembered and not asked for again; each choice is written into the journal.

mod advance;
mod ask;
mod bundles;
mod goal;
mod line;
mod look;
mod packs;
mod receive;
mod setback;
mod settle;
mod source;
mod state;
mod work;

pub use advance::Advance;
pub use goal::{Goal, Said, Server};
pub use line::{ListError, Listed, list};
pub use packs::stems;
pub use setback::{Loss, weigh};
pub use source::{Answer, Coming, Dial, MakeHaves, OpenFile, Part, Source, Wanted};
pub use state::{Obtain, Obtained, Phase};
pub use work::hand_over;

#[cfg(test)]
pub(crate) mod script;
