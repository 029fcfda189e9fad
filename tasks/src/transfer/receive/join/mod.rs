//! Many packs become one, with their deltas and their compressed bytes as they are.
//!
//! The packs are written one behind the other, each in its own order; an object that several hold is
//! taken from the first of them. A delta whose base is taken from an earlier pack refers to it there.
//! No ring can come of that: along a chain of deltas the packs' order never grows, and within one
//! pack there is none.
//!
//! What comes where follows from the packs alone. So the work can stop behind any entry: a process
//! that takes over counts along the entries that are written, and reads what is there once, to have
//! the hash for the end.

mod source;
mod write;

pub use write::{Joining, discard};
