//! The index of a layer: which object is where in the stream, and what it is made of.
//!
//! Binary, little endian:
//! ```text
//! header      b"MUGINDEX", u32 version, u8 hash (1: sha1), 3 x 0, u64 objects, u32 frames,
//!             u32 frame files, u32 external bases, u32 frame size
//! frames      each: u32 file, u64 offset in it, u32 stored length, u32 raw length,
//!             blake3 of the stored bytes
//! fanout      256 x u32: objects whose first byte is at most the position
//! oids        20 bytes each, ascending
//! ranks       u32 each: the rank of the oid at the same position
//! 3 columns   in rank order, each: u64 raw length, u64 stored length, one zstd frame
//!   kinds     u8: 1 commit, 2 tree, 3 blob, 4 tag; a delta has the kind of its object
//!   sizes     LEB128: the payload's length
//!   bases     LEB128: 0 whole, 1 external, d + 1: the base is d ranks before
//! externals   20 bytes each, in rank order: the bases that lie in older layers
//! trailer     blake3 of everything before it
//! ```

mod columns;
mod group;
mod open;
mod read;
mod write;

use gix_hash::ObjectId;

pub use group::Group;
pub use read::{EntryRef, Index};
pub use write::{IndexSource, write_index};

use super::Digest;

pub(super) const MAGIC: &[u8; 8] = b"MUGINDEX";
pub(super) const HASH_SHA1: u8 = 1;
pub(super) const HEADER_LEN: u64 = 40;
pub(super) const FRAME_ROW_LEN: u64 = 52;
pub(super) const FANOUT_LEN: u64 = 1024;
pub(super) const OID_LEN: u64 = 20;
pub(super) const TRAILER_LEN: u64 = 32;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A commit.
    Commit = 1,
    /// A tree.
    Tree = 2,
    /// A blob.
    Blob = 3,
    /// An annotated tag.
    Tag = 4,
}

impl Kind {
    /// The kind with this number, in the index as in a Git pack.
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Commit,
            2 => Self::Tree,
            3 => Self::Blob,
            4 => Self::Tag,
            _ => return None,
        })
    }

    /// Its number, in the index as in a Git pack.
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl From<gix_object::Kind> for Kind {
    fn from(kind: gix_object::Kind) -> Self {
        match kind {
            gix_object::Kind::Commit => Self::Commit,
            gix_object::Kind::Tree => Self::Tree,
            gix_object::Kind::Blob => Self::Blob,
            gix_object::Kind::Tag => Self::Tag,
        }
    }
}

impl From<Kind> for gix_object::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Commit => Self::Commit,
            Kind::Tree => Self::Tree,
            Kind::Blob => Self::Blob,
            Kind::Tag => Self::Tag,
        }
    }
}

/// Where a frame is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRow {
    /// The number of the frame file.
    pub file: u32,
    /// The offset in it; frames follow each other without gaps.
    pub offset: u64,
    /// The length in the file.
    pub stored: u32,
    /// The length in the stream, never 0.
    pub raw: u32,
    /// The digest of the stored bytes.
    pub blake3: Digest,
}

/// What an entry's payload is, as the writer takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The object itself.
    Whole,
    /// Instructions against an object of an older layer.
    External(ObjectId),
    /// Instructions against the entry so many ranks before, at least 1.
    Distance(u32),
}

/// An entry of the stream, as the writer takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The object's kind, for a delta too.
    pub kind: Kind,
    /// The payload's length in bytes.
    pub size: u64,
    /// What the payload is.
    pub base: Base,
}

/// What an entry's payload is, as the reader gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseRef {
    /// The object itself.
    Whole,
    /// Instructions against the object that [`Index::external`] names at this position.
    External(u32),
    /// Instructions against the entry of this rank.
    Rank(u32),
}

#[cfg(test)]
mod tests;
