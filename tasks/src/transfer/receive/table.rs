//! The entries of a pack, in columns.

use crate::pack::source::{Kind, Oid};

/// What an entry is, and which one it is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// A whole object.
    Whole(Kind),
    /// A delta against the entry of this number.
    Entry(u32),
    /// A delta against the object of this number in [`Table::bases`].
    Object(u32),
}

/// No object has this id: a delta that is not resolved yet.
pub(super) const UNKNOWN: Oid = [0; 20];

const ENTRY: u8 = 6;
const OBJECT: u8 = 7;

/// The entries of a pack in its order: 37 bytes for each.
#[derive(Debug, Default)]
pub(super) struct Table {
    offsets: Vec<u64>,
    crcs: Vec<u32>,
    kinds: Vec<u8>,
    links: Vec<u32>,
    /// The ids; [`UNKNOWN`] for deltas.
    pub(super) oids: Vec<Oid>,
    /// The ids that deltas name as their bases; one for each such delta.
    pub(super) bases: Vec<(Oid, u32)>,
    /// Behind the last entry.
    pub(super) end: u64,
}

impl Table {
    /// The number of entries.
    pub(super) fn len(&self) -> u32 {
        // A pack cannot announce more.
        u32::try_from(self.offsets.len()).unwrap_or(u32::MAX)
    }

    /// Adds an entry behind the last; `end` is where it ends.
    pub(super) fn push(&mut self, offset: u64, end: u64, crc: u32, link: Link, oid: Oid) {
        let (kind, link) = match link {
            Link::Whole(kind) => (kind.number(), 0),
            Link::Entry(base) => (ENTRY, base),
            Link::Object(base) => (OBJECT, base),
        };
        self.offsets.push(offset);
        self.crcs.push(crc);
        self.kinds.push(kind);
        self.links.push(link);
        self.oids.push(oid);
        self.end = end;
    }

    /// Makes room for what was announced, as far as what came bears it out.
    pub(super) fn grow(&mut self, announced: u32) {
        let len = self.offsets.len();
        if len < self.offsets.capacity() {
            return;
        }
        let more = (len / 2)
            .max(4096)
            .min((announced as usize).saturating_sub(len));
        self.offsets.reserve_exact(more);
        self.crcs.reserve_exact(more);
        self.kinds.reserve_exact(more);
        self.links.reserve_exact(more);
        self.oids.reserve_exact(more);
    }

    /// Where the entry begins.
    pub(super) fn offset(&self, entry: u32) -> u64 {
        self.offsets[entry as usize]
    }

    /// Behind its last byte.
    pub(super) fn end_of(&self, entry: u32) -> u64 {
        let next = self.offsets.get(entry as usize + 1);
        next.copied().unwrap_or(self.end)
    }

    /// The checksum of its bytes.
    pub(super) fn crc(&self, entry: u32) -> u32 {
        self.crcs[entry as usize]
    }

    /// What the entry is made of.
    pub(super) fn link(&self, entry: u32) -> Link {
        let (kind, link) = (self.kinds[entry as usize], self.links[entry as usize]);
        match kind {
            ENTRY => Link::Entry(link),
            OBJECT => Link::Object(link),
            // What was pushed was a kind.
            kind => Link::Whole(Kind::from_number(kind).unwrap_or(Kind::Blob)),
        }
    }

    /// The entry that begins just there.
    pub(super) fn at(&self, offset: u64) -> Option<u32> {
        let at = self.offsets.binary_search(&offset).ok()?;
        u32::try_from(at).ok()
    }
}
