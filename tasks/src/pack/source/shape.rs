//! Kinds, sizes and delta bases of all objects, read from the entries' headers.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use gix_pack::data::entry::Header;

use super::{Catalog, Kind, Location, NONE, Pack, SourceError, Sources, hex};

/// What the entries' headers say, by object number: nine bytes an object.
///
/// An entry whose header makes no sense, and whatever is a delta against it, has no kind; what is
/// wrong with it is told to whoever needs the object ([`Self::damage`]).
pub struct Shape {
    kind: Vec<u8>,
    size: Vec<u32>,
    base: Vec<u32>,
    /// The sizes that 32 bits do not hold.
    large: HashMap<u32, u64>,
    damaged: HashMap<u32, Damage>,
}

/// Which entry is the reason why an object cannot be read, and what is wrong with it.
#[derive(Clone)]
struct Damage {
    at: u32,
    why: Arc<str>,
}

/// What an entry's header says.
struct Entry {
    /// Its kind; none for a delta.
    kind: u8,
    size: u64,
    /// The position in the pack's index of the base.
    base: Option<u32>,
}

impl Shape {
    /// Reads the header of every object's entry.
    ///
    /// Entries are visited in the order in which they lie in their pack, so that the pack is read
    /// once from front to back.
    pub fn read(sources: &Sources, catalog: &Catalog) -> Self {
        let mut shape = Self::nothing(catalog);
        for number in 0..sources.packs.len() {
            shape.read_pack(sources, catalog, number);
        }
        for id in 0..catalog.len() {
            shape.read_unpacked(sources, id, catalog.location(id));
        }
        shape.resolve_kinds(0..catalog.len());
        shape
    }

    /// Reads the headers of these objects only, and of the bases below them.
    pub fn of(sources: &Sources, catalog: &Catalog, ids: impl IntoIterator<Item = u32>) -> Self {
        let mut shape = Self::nothing(catalog);
        let mut pending: Vec<u32> = ids.into_iter().collect();
        let mut read = HashSet::new();
        let mut layouts: HashMap<u16, PackLayout> = HashMap::new();
        while let Some(id) = pending.pop() {
            if !read.insert(id) {
                continue;
            }
            let location = catalog.location(id);
            shape.read_unpacked(sources, id, location);
            let Location::Pack { pack, position } = location else {
                continue;
            };
            let file = &sources.packs[usize::from(pack)];
            let layout = layouts.entry(pack).or_insert_with(|| PackLayout::of(file));
            let offset = file.index.pack_offset_at_index(position);
            let entry = entry_at(file, offset, layout);
            shape.set(id, entry, |base| catalog.find(sources, &file.oid_at(base)));
            pending.extend(shape.base(id));
        }
        shape.resolve_kinds(read);
        shape
    }

    fn nothing(catalog: &Catalog) -> Self {
        let n = catalog.len() as usize;
        Self {
            kind: vec![0; n],
            size: vec![0; n],
            base: vec![NONE; n],
            large: HashMap::new(),
            damaged: HashMap::new(),
        }
    }

    fn read_unpacked(&mut self, sources: &Sources, id: u32, location: Location) {
        match location {
            Location::Loose(number) => {
                let loose = &sources.list.loose[number as usize];
                self.kind[id as usize] = loose.kind.number();
                self.set_size(id, loose.size);
            }
            Location::EmptyTree => self.kind[id as usize] = Kind::Tree.number(),
            Location::Pack { .. } => {}
        }
    }

    fn read_pack(&mut self, sources: &Sources, catalog: &Catalog, number: usize) {
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
            // The base object may be taken from an earlier pack: see the module's documentation.
            self.set(id, entry_at(pack, offset, &layout), |base| {
                match taken[base as usize] {
                    NONE => catalog.find(sources, &pack.oid_at(base)),
                    here => Some(here),
                }
            });
        }
    }

    fn set(
        &mut self,
        id: u32,
        entry: Result<Entry, String>,
        number: impl FnOnce(u32) -> Option<u32>,
    ) {
        let base = entry.and_then(|entry| {
            self.kind[id as usize] = entry.kind;
            self.set_size(id, entry.size);
            let among = |base| number(base).ok_or("its delta base is not among the objects");
            Ok(entry.base.map(among).transpose()?)
        });
        match base {
            Ok(base) => self.base[id as usize] = base.unwrap_or(NONE),
            Err(why) => {
                self.kind[id as usize] = 0;
                let why = why.into();
                self.damaged.insert(id, Damage { at: id, why });
            }
        }
    }

    /// A delta has the kind of its base; one whose chain ends nowhere is damaged.
    fn resolve_kinds(&mut self, ids: impl IntoIterator<Item = u32>) {
        let mut chain = Vec::new();
        for start in ids {
            let mut at = start;
            let mut damage = None;
            while self.kind[at as usize] == 0 {
                damage = self.damaged.get(&at).cloned();
                if damage.is_some() {
                    break;
                }
                if chain.len() > self.kind.len() {
                    let why = "its delta chain runs in a ring".into();
                    damage = Some(Damage { at: start, why });
                    chain.sort_unstable();
                    chain.dedup();
                    break;
                }
                chain.push(at);
                at = self.base[at as usize];
            }
            let kind = self.kind[at as usize];
            for link in chain.drain(..) {
                match &damage {
                    None => self.kind[link as usize] = kind,
                    Some(damage) => {
                        self.damaged.insert(link, damage.clone());
                    }
                }
            }
        }
    }

    fn set_size(&mut self, id: u32, size: u64) {
        self.size[id as usize] = u32::try_from(size).unwrap_or(u32::MAX);
        if size >= u64::from(u32::MAX) {
            self.large.insert(id, size);
        }
    }

    /// The kind of an object, for a delta that of the object it makes; none where it is damaged.
    pub fn known_kind(&self, id: u32) -> Option<Kind> {
        Kind::from_number(self.kind[id as usize])
    }

    /// The same, a blob where it is damaged: something that refers to nothing.
    pub fn kind(&self, id: u32) -> Kind {
        self.known_kind(id).unwrap_or(Kind::Blob)
    }

    /// The objects that cannot be read.
    pub fn damaged(&self) -> impl Iterator<Item = u32> + '_ {
        self.damaged.keys().copied()
    }

    /// What is wrong with the header of the object's entry, or of a base's below it.
    pub fn damage(&self, sources: &Sources, catalog: &Catalog, id: u32) -> Option<SourceError> {
        let Damage { at, why } = self.damaged.get(&id)?;
        Some(match catalog.location(*at) {
            Location::Pack { pack, position } => {
                damaged_entry(&sources.packs[usize::from(pack)], position, why.to_string())
            }
            _ => SourceError::Loose {
                id: hex(&catalog.oid(sources, *at)),
                why: why.to_string(),
            },
        })
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

/// The entry at `offset`, or what is wrong with it.
fn entry_at(pack: &Pack, offset: u64, layout: &PackLayout) -> Result<Entry, String> {
    let entry = pack.data.entry(offset).map_err(|error| error.to_string())?;
    pack.check_size(&entry)?;
    let base = match entry.header {
        Header::OfsDelta { base_distance } => Some(
            entry
                .checked_base_pack_offset(base_distance)
                .and_then(|offset| layout.position_of(offset))
                .ok_or("its delta base is not an entry")?,
        ),
        Header::RefDelta { base_id } => {
            let base = pack.index.lookup(base_id);
            Some(base.ok_or_else(|| format!("its delta base {base_id} is not in the pack"))?)
        }
        _ => None,
    };
    Ok(Entry {
        kind: match base {
            None => entry.header.as_type_id(),
            Some(_) => 0,
        },
        size: entry.decompressed_size,
        base,
    })
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
