//! The append-only files of an operation.
//!
//! Their committed length is part of each commit. What lies behind it on disk
//! was written by a slice that never committed, and is cut off when the file is
//! next opened; a file shorter than committed has lost data, which is fatal and
//! never filled up. Everything is lazy: a file that nobody asks for is not
//! touched.

mod disk;
mod install;
mod open;
mod read;
mod record;
mod set;
#[cfg(test)]
mod tests;

pub(crate) use disk::create_private;
pub use read::ReadFile;
pub(crate) use record::{FileRecord, discard, load, store};
pub(crate) use set::Files;
