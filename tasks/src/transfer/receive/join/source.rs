//! The packs that are joined, and which of them each object is taken from.

use std::path::{Path, PathBuf};

use crate::{
    pack::source::{NONE, Oid},
    transfer::receive::ReceiveError,
};

/// A pack with its index.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) data: gix_pack::data::File,
    pub(super) index: gix_pack::index::File,
    /// For each object, in the order of ids, which number it has in the joined pack; [`NONE`] if it
    /// is taken from an earlier pack.
    pub(super) ranks: Vec<u32>,
}

/// An entry of a pack, by its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) offset: u64,
    /// The place of its object in the order of ids.
    pub(super) position: u32,
}

impl Source {
    pub(super) fn open(path: &Path) -> Result<Self, ReceiveError> {
        let wrong = |why: &str| ReceiveError::Join {
            path: path.to_owned(),
            why: why.to_owned(),
        };
        let kind = gix_hash::Kind::Sha1;
        let data = gix_pack::data::File::at(path, kind);
        let data = data.map_err(|error| wrong(&error.to_string()))?;
        let index = gix_pack::index::File::at(path.with_extension("idx"), kind);
        let index = index.map_err(|error| wrong(&error.to_string()))?;
        if index.num_objects() != data.num_objects() || index.pack_checksum() != data.checksum() {
            return Err(wrong("its index belongs to another pack"));
        }
        Ok(Self {
            path: path.to_owned(),
            data,
            index,
            ranks: Vec::new(),
        })
    }

    pub(super) fn oid(&self, position: u32) -> Oid {
        let mut oid = Oid::default();
        oid.copy_from_slice(self.index.oid_at_index(position).as_bytes());
        oid
    }

    /// The entries in the pack's order.
    pub(super) fn places(&self) -> Vec<Place> {
        let place = |position| Place {
            offset: self.index.pack_offset_at_index(position),
            position,
        };
        let mut places: Vec<_> = (0..self.index.num_objects()).map(place).collect();
        places.sort_unstable_by_key(|place| place.offset);
        places
    }

    pub(super) fn wrong(&self, why: impl Into<String>) -> ReceiveError {
        ReceiveError::Join {
            path: self.path.clone(),
            why: why.into(),
        }
    }
}

/// Numbers the objects in the order that they are written in; how many there are.
pub(super) fn number(sources: &mut [Source]) -> Result<u32, ReceiveError> {
    // Each object once, with the first pack that has it.
    let total = sources.iter().map(|s| s.index.num_objects() as usize).sum();
    let mut all: Vec<(Oid, u32, u32)> = Vec::with_capacity(total);
    for (number, source) in (0_u32..).zip(&*sources) {
        let count = source.index.num_objects();
        all.extend((0..count).map(|position| (source.oid(position), number, position)));
    }
    all.sort_unstable();
    all.dedup_by_key(|(oid, _, _)| *oid);
    for source in sources.iter_mut() {
        source.ranks = vec![NONE; source.index.num_objects() as usize];
    }
    for (_, number, position) in all {
        // Only marked; the pack's own order gives the number.
        sources[number as usize].ranks[position as usize] = 0;
    }
    let mut rank = 0_u32;
    for source in sources {
        for place in source.places() {
            let slot = &mut source.ranks[place.position as usize];
            if *slot != NONE {
                *slot = rank;
                rank = rank
                    .checked_add(1)
                    .filter(|rank| *rank < NONE)
                    .ok_or_else(|| ReceiveError::Join {
                        path: PathBuf::new(),
                        why: "there are more objects than one pack can hold".to_owned(),
                    })?;
            }
        }
    }
    Ok(rank)
}

/// The number of an object; none if no pack has it.
pub(super) fn rank(sources: &[Source], oid: &Oid) -> Option<u32> {
    let id = gix_hash::oid::from_bytes_unchecked(oid);
    let mut found = sources.iter().filter_map(|source| {
        let position = source.index.lookup(id)?;
        Some(source.ranks[position as usize])
    });
    found.find(|rank| *rank != NONE)
}
