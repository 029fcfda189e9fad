//! A repository's objects where they lie: in packs and loose files, of its own and of its alternates.
//!
//! Creating a pack reads Git's storage below the level of objects: what it wants is the *entry* of
//! a Git pack, a whole object or the delta that Git chose, inflated and otherwise untouched.
//!
//! - [`SourceList`] says which files an operation reads. It is found once, made durable, and fixes
//!   everything that follows; [`SourceList::hold`] links the packs out of `git gc`'s reach.
//! - [`Sources`] are these files, opened.
//! - [`Catalog`] numbers the objects in the order of their ids and says where each one lies.
//! - [`Shape`] knows each object's kind, the size of its entry and its delta base.
//! - [`Reader`] inflates entries and resolves delta chains.
//!
//! # An object in several places
//! It is taken once: from the first pack, in the order of the packs' trailer hashes, that has it,
//! and from a loose file only where no pack has it. This choice depends on nothing but the files,
//! and it cannot close a delta chain into a ring although one chain may run through several packs.
//! A delta's base lies in the delta's own pack P, as Git demands of a pack on disk; the base
//! *object* is then taken from P or from a pack before P. So along a chain the pack's position
//! never grows. A ring would have to stay within one pack, and a ring of deltas inside one pack has
//! no object that could ever have been resolved: such a pack is damaged, and [`Shape`] says so.

mod alternates;
mod catalog;
mod children;
mod error;
mod kind;
mod list;
mod loose;
mod packs;
mod read;
mod shape;
#[cfg(test)]
mod tests;

pub use alternates::Directories;
pub use catalog::{Catalog, Location};
pub use children::Children;
pub use error::SourceError;
pub use list::{LooseSource, PackSource, SourceList};
pub use packs::{Pack, Sources};
pub use read::{Delivery, Reader};
pub use shape::Shape;

pub use super::format::Kind;

/// The id of an object, SHA-1.
pub type Oid = [u8; 20];

/// No object: a missing base, a missing number.
pub const NONE: u32 = u32::MAX;

/// An object id as the 40 hex digits that users know.
pub(crate) fn hex(oid: &Oid) -> String {
    gix_hash::ObjectId::Sha1(*oid).to_string()
}
