//! Laying out the entries.
//!
//! Pack after pack, in the order of the sources, each in its own order: what lay together stays
//! together, is read from front to back, and has its base before it as it had there. Then what lies
//! in loose files, by kind and id.

use std::io::{self, Write};

use super::{
    BundleError,
    contents::Contents,
    layout::{Chunk, Entry, Form, Sizes, Totals},
};
use crate::pack::{
    scan::Universe,
    source::{Location, NONE, Reader},
};

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
