//! Kinds, sizes and delta bases of all objects, read from the entries' headers.

use std::collections::HashMap;

use gix_pack::data::entry::Header;

use super::{Catalog, Kind, Location, NONE, Pack, SourceError, Sources, hex};

/// What the entries' headers say, by object number: nine bytes an object.
pub struct Shape {
    kind: Vec<u8>,
    size: Vec<u32>,
    base: Vec<u32>,
    /// The sizes that 32 bits do not hold.
    large: HashMap<u32, u64>,
}

impl Shape {
    /// Reads the header of every object's entry.
    ///
    /// Entries are visited in the order in which they lie in their pack, so that the pack is read
    /// once from front to back.
    pub fn read(sources: &Sources, catalog: &Catalog) -> Result<Self, SourceError> {
        let n = catalog.len() as usize;
        let mut shape = Self {
            kind: vec![0; n],
            size: vec![0; n],
            base: vec![NONE; n],
            large: HashMap::new(),
        };
        for number in 0..sources.packs.len() {
            shape.read_pack(sources, catalog, number)?;
        }
        for id in 0..catalog.len() {
            match catalog.location(id) {
                Location::Loose(number) => {
                    let loose = &sources.list.loose[number as usize];
                    shape.kind[id as usize] = loose.kind.number();
                    shape.set_size(id, loose.size);
                }
                Location::EmptyTree => shape.kind[id as usize] = Kind::Tree.number(),
                Location::Pack { .. } => {}
            }
        }
        shape.resolve_kinds(sources, catalog)?;
        Ok(shape)
    }

    fn read_pack(
        &mut self,
        sources: &Sources,
        catalog: &Catalog,
        number: usize,
    ) -> Result<(), SourceError> {
        let pack = &sources.packs[number];
        let mut taken = vec![NONE; pack.index.num_objects() as usize];
        for id in 0..catalog.len() {
            match catalog.location(id) {
                Location::Pack { pack, position } if usize::from(pack) == number => {
                    taken[position as usize] = id;
                }
                _ => {}
            }
        }
        let layout = PackLayout::of(pack);
        for &(offset, position) in &layout.sorted {
            let id = taken[position as usize];
            if id == NONE {
                continue; // an earlier pack has it
            }
            let damaged = |why: String| damaged_entry(pack, position, why);
            let entry = pack
                .data
                .entry(offset)
                .map_err(|error| damaged(error.to_string()))?;
            pack.check_size(&entry).map_err(|why| damaged(why.into()))?;
            let base = match entry.header {
                Header::OfsDelta { base_distance } => Some(
                    entry
                        .checked_base_pack_offset(base_distance)
                        .and_then(|offset| layout.position_of(offset))
                        .ok_or_else(|| damaged("its delta base is not an entry".into()))?,
                ),
                Header::RefDelta { base_id } => {
                    Some(pack.index.lookup(base_id).ok_or_else(|| {
                        damaged(format!("its delta base {base_id} is not in the pack"))
                    })?)
                }
                _ => None,
            };
            if let Some(base) = base {
                // The base object may be taken from an earlier pack: see the module's documentation.
                self.base[id as usize] = match taken[base as usize] {
                    NONE => catalog
                        .find(sources, &pack.oid_at(base))
                        .ok_or_else(|| damaged("its delta base is not among the objects".into()))?,
                    here => here,
                };
            } else {
                self.kind[id as usize] = entry.header.as_type_id();
            }
            self.set_size(id, entry.decompressed_size);
        }
        Ok(())
    }

    /// A delta has the kind of its base; a chain that ends nowhere is damage.
    fn resolve_kinds(&mut self, sources: &Sources, catalog: &Catalog) -> Result<(), SourceError> {
        let mut chain = Vec::new();
        for start in 0..self.kind.len() {
            let mut at = start;
            while self.kind[at] == 0 {
                if self.base[at] == NONE || chain.len() > self.kind.len() {
                    return Err(broken_chain(sources, catalog, start));
                }
                chain.push(at);
                at = self.base[at] as usize;
            }
            let kind = self.kind[at];
            for link in chain.drain(..) {
                self.kind[link] = kind;
            }
        }
        Ok(())
    }

    fn set_size(&mut self, id: u32, size: u64) {
        self.size[id as usize] = u32::try_from(size).unwrap_or(u32::MAX);
        if size >= u64::from(u32::MAX) {
            self.large.insert(id, size);
        }
    }

    /// The kind of an object, for a delta that of the object it makes.
    pub fn kind(&self, id: u32) -> Kind {
        // All kinds are resolved and known: `read` fails otherwise.
        Kind::from_number(self.kind[id as usize]).unwrap_or(Kind::Blob)
    }

    /// The size of an object's entry when inflated: of the object, or of its delta.
    pub fn size(&self, id: u32) -> u64 {
        match self.size[id as usize] {
            u32::MAX => self.large[&id],
            size => u64::from(size),
        }
    }

    /// The object that this one is a delta against.
    pub fn base(&self, id: u32) -> Option<u32> {
        Some(self.base[id as usize]).filter(|base| *base != NONE)
    }
}

/// The error for the object at which a walk down its delta chain found no end.
fn broken_chain(sources: &Sources, catalog: &Catalog, at: usize) -> SourceError {
    let id = u32::try_from(at).expect("object numbers fit 32 bits");
    let why = "its delta chain runs in a ring";
    match catalog.location(id) {
        Location::Pack { pack, position } => {
            damaged_entry(&sources.packs[usize::from(pack)], position, why.into())
        }
        _ => SourceError::Loose {
            id: hex(&catalog.oid(sources, id)),
            why: why.into(),
        },
    }
}

pub(super) fn damaged_entry(pack: &Pack, position: u32, why: String) -> SourceError {
    SourceError::Entry {
        path: pack.data.path().to_owned(),
        offset: pack.index.pack_offset_at_index(position),
        id: hex(&pack.oid_at(position)),
        why,
    }
}

/// A pack's entries in the order of their offsets.
struct PackLayout {
    sorted: Vec<(u64, u32)>,
}

impl PackLayout {
    fn of(pack: &Pack) -> Self {
        let mut sorted: Vec<(u64, u32)> = (0..pack.index.num_objects())
            .map(|position| (pack.index.pack_offset_at_index(position), position))
            .collect();
        sorted.sort_unstable();
        Self { sorted }
    }

    fn position_of(&self, offset: u64) -> Option<u32> {
        let at = self
            .sorted
            .binary_search_by_key(&offset, |(offset, _)| *offset)
            .ok()?;
        Some(self.sorted[at].1)
    }
}
