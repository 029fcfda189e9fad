//! The pack of what is to be sent.
//!
//! [`plan`] says of each object how it goes into the pack: as its own pack has it, where that is
//! whole or a delta whose base goes along or is known to the other side; as a new delta, for which
//! [`search`] looks among the objects of like paths; or whole. [`write`] then writes them, each
//! behind its base.

pub(crate) mod delta;
mod plan;
mod search;
mod write;

pub(crate) use plan::Options;
pub(crate) use write::{Made, write};
