//! The order of the pack's entries, and how each one is made; durable before the first of them.
//!
//! # Order
//! Pack after pack, in the order of the sources, each in its own order: what lay together stays
//! together, is read from front to back, and has its base before it as it had there. Then what lies
//! in loose files, by kind and id.
//!
//! # The file
//! Little endian, eighteen bytes for each entry: object number, base, length, form and kind. Then
//! sixteen for each chunk: first entry, number of entries, and their length. A chunk is what a
//! thread takes at a time; an entry that is large is a chunk of its own. The number of entries and
//! chunks is in the operation's state.

use std::{
    io::{self, Seek as _, SeekFrom, Write},
    ops::Range,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::{BundleError, contents::Contents};
use crate::pack::{
    plan::ReadAt,
    scan::Universe,
    source::{Kind, Location, NONE, Reader},
};

/// How the work is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// A chunk ends where it is this long, or has this many entries.
    pub(super) chunk: u64,
    pub(super) entries: u32,
    /// An entry this long is made piece by piece.
    pub(super) large: u64,
    /// The length of a piece.
    pub(super) piece: usize,
}

impl Sizes {
    pub(super) const USUAL: Self = Self {
        chunk: 1 << 20,
        entries: 4096,
        large: 8 << 20,
        piece: 1 << 20,
    };
    #[cfg(test)]
    pub(super) const SMALL: Self = Self {
        chunk: 1024,
        entries: 5,
        large: 3000,
        piece: 700,
    };
}

/// How an entry is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A copy of a whole object's entry.
    Whole,
    /// A copy of a delta whose base comes so many entries before.
    Before(u32),
    /// A copy of a delta whose base, the object of this number, comes later, or is with the reader.
    Elsewhere(u32),
    /// A whole object, deflated anew.
    Deflated,
}

/// An entry of the pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// The object's number.
    pub(super) id: u32,
    pub(super) kind: Kind,
    pub(super) form: Form,
    /// Of a copy, the length of the entry in its pack; otherwise the object's size.
    pub(super) length: u64,
}

impl Entry {
    const LEN: usize = 18;

    fn encode(self) -> [u8; Self::LEN] {
        let (form, base) = match self.form {
            Form::Whole => (0, 0),
            Form::Before(distance) => (1, distance),
            Form::Elsewhere(base) => (2, base),
            Form::Deflated => (3, 0),
        };
        let mut out = [0; Self::LEN];
        out[..4].copy_from_slice(&self.id.to_le_bytes());
        out[4..8].copy_from_slice(&base.to_le_bytes());
        out[8..16].copy_from_slice(&self.length.to_le_bytes());
        out[16] = form;
        out[17] = self.kind.number();
        out
    }

    fn decode(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let base = u32_at(bytes, 4);
        Some(Self {
            id: u32_at(bytes, 0),
            kind: Kind::from_number(bytes[17])?,
            form: match bytes[16] {
                0 => Form::Whole,
                1 => Form::Before(base),
                2 => Form::Elsewhere(base),
                3 => Form::Deflated,
                _ => return None,
            },
            length: u64_at(bytes, 8),
        })
    }
}

/// What a thread takes at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) first: u32,
    pub(super) entries: u32,
    /// The lengths of its entries.
    pub(super) bytes: u64,
}

impl Chunk {
    const LEN: usize = 16;

    fn encode(self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..4].copy_from_slice(&self.first.to_le_bytes());
        out[4..8].copy_from_slice(&self.entries.to_le_bytes());
        out[8..].copy_from_slice(&self.bytes.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8; Self::LEN]) -> Self {
        Self {
            first: u32_at(bytes, 0),
            entries: u32_at(bytes, 4),
            bytes: u64_at(bytes, 8),
        }
    }
}

/// What a layout amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) entries: u32,
    pub(super) chunks: u32,
    /// The lengths of all entries.
    pub(super) bytes: u64,
}

/// Lays out the entries of `contents`, and writes that to `out`.
pub(super) fn write(
    universe: &Universe,
    contents: &Contents<'_>,
    sizes: Sizes,
    out: &mut impl Write,
    stopped: &dyn Fn() -> bool,
) -> Result<Totals, BundleError> {
    let order = Order::of(universe, contents);
    let mut ranks = vec![NONE; universe.catalog.len() as usize];
    for (rank, id) in (0..).zip(order.ids()) {
        ranks[id as usize] = rank;
    }
    let mut reader = Reader::new(&universe.sources, &universe.catalog);
    let mut ends = Ends::new(universe);
    let mut cutter = Cutter::new(sizes);
    for (rank, (pack, offset, id)) in (0_u32..).zip(order.packed) {
        if rank.is_multiple_of(4096) && stopped() {
            return Err(BundleError::Stopped);
        }
        let copied = ends.of(pack, offset) - offset;
        let (form, length) = match universe.shape.base(id) {
            None => (Form::Whole, copied),
            Some(base) if contents.has(base) => match rank.checked_sub(ranks[base as usize]) {
                Some(distance) => (Form::Before(distance), copied),
                None => (Form::Elsewhere(base), copied),
            },
            Some(base) if contents.guarantees(base) => (Form::Elsewhere(base), copied),
            Some(_) => (Form::Deflated, reader.size_after_delta(id)?),
        };
        cutter.entry(universe, id, form, length, out)?;
    }
    for id in order.loose {
        cutter.entry(universe, id, Form::Deflated, universe.shape.size(id), out)?;
    }
    cutter.finish(out)
}

/// The objects in the order of the bundle's pack.
struct Order {
    /// Pack, offset in it, object.
    packed: Vec<(u16, u64, u32)>,
    loose: Vec<u32>,
}

impl Order {
    fn of(universe: &Universe, contents: &Contents<'_>) -> Self {
        let (mut packed, mut loose) = (Vec::new(), Vec::new());
        for id in 0..universe.catalog.len() {
            if !contents.has(id) {
                continue;
            }
            match universe.catalog.location(id) {
                Location::Pack { pack, position } => {
                    let index = &universe.sources.packs[usize::from(pack)].index;
                    packed.push((pack, index.pack_offset_at_index(position), id));
                }
                Location::Loose(_) | Location::EmptyTree => loose.push(id),
            }
        }
        packed.sort_unstable();
        loose.sort_by_key(|id| (universe.shape.kind(*id).place(), *id));
        Self { packed, loose }
    }

    fn ids(&self) -> impl Iterator<Item = u32> {
        let packed = self.packed.iter().map(|(_, _, id)| *id);
        packed.chain(self.loose.iter().copied())
    }
}

/// Where entries end: where the next one of the pack begins, whether it is in the bundle or not.
struct Ends<'a> {
    universe: &'a Universe,
    pack: Option<u16>,
    offsets: Vec<u64>,
    at: usize,
}

impl<'a> Ends<'a> {
    const fn new(universe: &'a Universe) -> Self {
        Self {
            universe,
            pack: None,
            offsets: Vec::new(),
            at: 0,
        }
    }

    /// The end of the entry at `offset`; asked in the order of packs and offsets.
    fn of(&mut self, pack: u16, offset: u64) -> u64 {
        let files = &self.universe.sources.packs[usize::from(pack)];
        if self.pack != Some(pack) {
            self.pack = Some(pack);
            self.offsets = files.index.sorted_offsets();
            self.at = 0;
        }
        while self.offsets.get(self.at).is_some_and(|at| *at <= offset) {
            self.at += 1;
        }
        let end = files.data.pack_end() as u64;
        self.offsets
            .get(self.at)
            .copied()
            .unwrap_or(end)
            .max(offset)
    }
}

/// Cuts the entries into chunks.
struct Cutter {
    sizes: Sizes,
    chunks: Vec<Chunk>,
    open: Chunk,
    totals: Totals,
}

impl Cutter {
    fn new(sizes: Sizes) -> Self {
        Self {
            sizes,
            chunks: Vec::new(),
            open: Chunk::default(),
            totals: Totals {
                entries: 0,
                chunks: 0,
                bytes: 0,
            },
        }
    }

    fn entry(
        &mut self,
        universe: &Universe,
        id: u32,
        form: Form,
        length: u64,
        out: &mut impl Write,
    ) -> Result<(), BundleError> {
        let kind = universe.shape.kind(id);
        let entry = Entry {
            id,
            kind,
            form,
            length,
        };
        out.write_all(&entry.encode())?;
        if length >= self.sizes.large {
            self.close();
        }
        self.totals.entries += 1;
        self.totals.bytes = self.totals.bytes.saturating_add(length);
        self.open.entries += 1;
        self.open.bytes = self.open.bytes.saturating_add(length);
        if self.open.bytes >= self.sizes.chunk || self.open.entries == self.sizes.entries {
            self.close();
        }
        Ok(())
    }

    fn close(&mut self) {
        if self.open.entries > 0 {
            self.chunks.push(self.open);
        }
        self.open = Chunk {
            first: self.totals.entries,
            ..Chunk::default()
        };
    }

    fn finish(mut self, out: &mut impl Write) -> Result<Totals, BundleError> {
        self.close();
        for chunk in &self.chunks {
            out.write_all(&chunk.encode())?;
        }
        self.totals.chunks = u32::try_from(self.chunks.len()).map_err(io::Error::other)?;
        Ok(self.totals)
    }
}

/// A layout, opened for reading; only the chunks are held in memory.
pub(super) struct Layout {
    file: Mutex<Box<dyn ReadAt>>,
    pub(super) chunks: Vec<Chunk>,
}

const MISFIT: BundleError = BundleError::Damaged("the stored plan does not fit the state");

impl Layout {
    /// Opens the layout in `file`, which amounts to `totals`.
    pub(super) fn open(file: impl ReadAt + 'static, totals: &Totals) -> Result<Self, BundleError> {
        let mut file: Box<dyn ReadAt> = Box::new(file);
        let entries = u64::from(totals.entries) * Entry::LEN as u64;
        let length = entries + u64::from(totals.chunks) * Chunk::LEN as u64;
        if file.seek(SeekFrom::End(0))? != length {
            return Err(MISFIT);
        }
        let mut bytes = vec![0; totals.chunks as usize * Chunk::LEN];
        read_at(&mut *file, &mut bytes, entries)?;
        let (rows, _) = bytes.as_chunks::<{ Chunk::LEN }>();
        let chunks: Vec<_> = rows.iter().map(Chunk::decode).collect();
        let mut next = 0;
        for chunk in &chunks {
            if chunk.first != next || chunk.entries == 0 {
                return Err(MISFIT);
            }
            next = chunk.first.checked_add(chunk.entries).ok_or(MISFIT)?;
        }
        if next != totals.entries {
            return Err(MISFIT);
        }
        Ok(Self {
            file: Mutex::new(file),
            chunks,
        })
    }

    /// The entries of a chunk.
    pub(super) fn entries(&self, chunk: usize) -> Result<Vec<Entry>, BundleError> {
        let chunk = self.chunks.get(chunk).ok_or(MISFIT)?;
        let mut bytes = vec![0; chunk.entries as usize * Entry::LEN];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let at = u64::from(chunk.first) * Entry::LEN as u64;
        read_at(&mut **file, &mut bytes, at)?;
        let (rows, _) = bytes.as_chunks::<{ Entry::LEN }>();
        let entries: Option<Vec<_>> = rows.iter().map(Entry::decode).collect();
        entries.ok_or(MISFIT)
    }

    /// The lengths of the entries of these chunks.
    pub(super) fn bytes(&self, chunks: Range<usize>) -> u64 {
        let chunks = self.chunks.get(chunks).unwrap_or_default();
        chunks.iter().map(|chunk| chunk.bytes).sum()
    }
}

fn read_at(file: &mut dyn ReadAt, out: &mut [u8], at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(out)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}
