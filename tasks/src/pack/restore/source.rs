//! All layers of a pack as one sequence of entries and units.

use std::path::Path;

use gix_hash::ObjectId;

use super::super::format::{BaseRef, FormatError, Group, Kind, Layer, PackDir, RefTarget};
use super::RestoreError;

/// The layers of a pack, oldest first, with ranks and units numbered through all of them.
///
/// Memory: about 10 bytes per object.
#[derive(Debug)]
pub struct Source {
    layers: Vec<Numbered>,
    objects: u32,
    units: usize,
    /// One bit per rank: whether a delta has it as base.
    is_base: Vec<u64>,
}

#[derive(Debug)]
struct Numbered {
    layer: Layer,
    first_rank: u32,
    first_unit: usize,
    /// The rank, through all layers, of each external base.
    externals: Vec<u32>,
    /// From ranks of the layer to positions among its oids.
    positions: Vec<u32>,
}

/// An entry, numbered through all layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceEntry {
    /// The place in the order, through all layers.
    pub rank: u32,
    /// The object's kind.
    pub kind: Kind,
    /// The payload's length in bytes.
    pub size: u64,
    /// The base's rank if the payload is a delta; lower than the entry's.
    pub base: Option<u32>,
}

impl Source {
    /// Opens the `count` oldest layers of `pack`, and checks what concerns them together: that no
    /// object is there twice, and that every base and every ref's object is there.
    pub fn open(pack: &PackDir, count: usize) -> Result<Self, RestoreError> {
        let mut layers = Vec::new();
        let (mut objects, mut units) = (0u32, 0);
        for manifest in pack.manifest().layers.iter().take(count) {
            let layer = pack.layer(manifest)?;
            let (first_rank, first_unit) = (objects, units);
            objects = objects
                .checked_add(layer.index().objects())
                .ok_or(RestoreError::TooManyObjects)?;
            units += layer.index().groups().len();
            let positions = layer.index().positions_by_rank()?;
            layers.push(Numbered {
                layer,
                first_rank,
                first_unit,
                externals: Vec::new(),
                positions,
            });
        }
        if layers.is_empty() {
            return Err(RestoreError::NoLayers {
                path: pack.path().to_owned(),
            });
        }
        let is_base = vec![0; (objects as usize).div_ceil(64)];
        let mut source = Self {
            layers,
            objects,
            units,
            is_base,
        };
        source.check_tips()?;
        source.resolve_externals()?;
        source.mark_bases();
        Ok(source)
    }

    /// The number of objects in all layers.
    pub fn objects(&self) -> u32 {
        self.objects
    }

    /// The number of units in all layers.
    pub fn units(&self) -> usize {
        self.units
    }

    /// The length of all payloads in bytes.
    pub fn stream_bytes(&self) -> u64 {
        self.layers
            .iter()
            .map(|numbered| numbered.layer.index().stream_bytes())
            .sum()
    }

    /// The length of the payloads of the units before `unit` in bytes.
    pub fn bytes_before(&self, unit: usize) -> u64 {
        (0..unit.min(self.units))
            .map(|unit| self.unit(unit).1.bytes)
            .sum()
    }

    /// The newest layer, whose refs are the repository's.
    pub fn newest(&self) -> &Layer {
        &self.layers[self.layers.len() - 1].layer
    }

    /// Whether a delta has the entry `rank` as its base.
    pub fn is_base(&self, rank: u32) -> bool {
        self.is_base[rank as usize / 64] & (1 << (rank % 64)) != 0
    }

    /// The layer and group of `unit`.
    pub fn unit(&self, unit: usize) -> (&Layer, &Group) {
        let numbered = self.layer_of_unit(unit);
        (
            &numbered.layer,
            &numbered.layer.index().groups()[unit - numbered.first_unit],
        )
    }

    /// The rank of the first entry of `unit`; behind the last unit, the number of objects.
    pub fn first_rank(&self, unit: usize) -> u32 {
        if unit >= self.units {
            return self.objects;
        }
        let numbered = self.layer_of_unit(unit);
        numbered.first_rank
            + numbered.layer.index().groups()[unit - numbered.first_unit].first_rank()
    }

    /// The entries of `unit`, in order.
    pub fn entries(&self, unit: usize) -> impl Iterator<Item = SourceEntry> + '_ {
        let numbered = self.layer_of_unit(unit);
        let index = numbered.layer.index();
        let group = &index.groups()[unit - numbered.first_unit];
        index.entries(group).map(|entry| SourceEntry {
            rank: numbered.first_rank + entry.rank,
            kind: entry.kind,
            size: entry.size,
            base: match entry.base {
                BaseRef::Whole => None,
                BaseRef::Rank(rank) => Some(numbered.first_rank + rank),
                BaseRef::External(position) => Some(numbered.externals[position as usize]),
            },
        })
    }

    /// The unit that holds `rank`.
    pub fn unit_of(&self, rank: u32) -> usize {
        let numbered = self.layer_of_rank(rank);
        let group = numbered.layer.index().group_of(rank - numbered.first_rank);
        numbered.first_unit + group.unwrap_or_default()
    }

    /// The name of the object `rank`.
    pub fn oid(&self, rank: u32) -> Result<ObjectId, FormatError> {
        let numbered = self.layer_of_rank(rank);
        let position = numbered.positions[(rank - numbered.first_rank) as usize];
        numbered.layer.index().oid_at(position)
    }

    /// All oids in ascending order, with their ranks; an object that is there twice is an error.
    pub fn objects_by_oid(
        &self,
    ) -> impl Iterator<Item = Result<(ObjectId, u32), RestoreError>> + '_ {
        let mut layers: Vec<_> = self
            .layers
            .iter()
            .map(|numbered| {
                let first = numbered.first_rank;
                let objects = numbered.layer.index().objects_by_oid();
                objects
                    .map(move |object| object.map(|(oid, rank)| (oid, first + rank)))
                    .peekable()
            })
            .collect();
        let mut before = None;
        std::iter::from_fn(move || {
            let mut lowest: Option<(usize, ObjectId)> = None;
            for (at, layer) in layers.iter_mut().enumerate() {
                match layer.peek() {
                    Some(Err(_)) => return layer.next().map(|error| error.map_err(Into::into)),
                    Some(Ok((oid, _))) if lowest.is_none_or(|(_, lowest)| *oid < lowest) => {
                        lowest = Some((at, *oid));
                    }
                    _ => {}
                }
            }
            let (at, oid) = lowest?;
            if before.replace(oid) == Some(oid) {
                return Some(Err(RestoreError::Duplicate { oid }));
            }
            layers[at].next().map(|object| object.map_err(Into::into))
        })
    }

    fn layer_of_unit(&self, unit: usize) -> &Numbered {
        let after = self
            .layers
            .partition_point(|numbered| numbered.first_unit <= unit);
        &self.layers[after - 1]
    }

    fn layer_of_rank(&self, rank: u32) -> &Numbered {
        let after = self
            .layers
            .partition_point(|numbered| numbered.first_rank <= rank);
        &self.layers[after - 1]
    }

    fn check_tips(&self) -> Result<(), RestoreError> {
        let refs = self.newest().refs();
        let head = refs
            .head
            .iter()
            .map(|target| ("HEAD".into(), target.clone()));
        for (name, target) in head.chain(refs.refs.iter().cloned()) {
            if let RefTarget::Object(oid) = target {
                let mut found = false;
                for numbered in self.layers.iter().rev() {
                    found = found || numbered.layer.index().rank_of(&oid)?.is_some();
                }
                if !found {
                    return Err(RestoreError::MissingTip { name, oid });
                }
            }
        }
        Ok(())
    }

    /// One walk over all objects finds duplicates and the ranks of all external bases.
    fn resolve_externals(&mut self) -> Result<(), RestoreError> {
        let mut wanted: Vec<(ObjectId, usize, u32)> = Vec::new();
        for (at, numbered) in self.layers.iter().enumerate() {
            let index = numbered.layer.index();
            wanted.extend(
                (0..index.external_count())
                    .map(|position| (index.external(position), at, position)),
            );
        }
        wanted.sort_unstable();
        let mut found: Vec<Vec<u32>> = self
            .layers
            .iter()
            .map(|numbered| vec![0; numbered.layer.index().external_count() as usize])
            .collect();
        let mut wanted = wanted.into_iter().peekable();
        for object in self.objects_by_oid() {
            let (oid, rank) = object?;
            while let Some((base, layer, position)) = wanted.next_if(|(base, ..)| *base <= oid) {
                if base != oid || rank >= self.layers[layer].first_rank {
                    return Err(RestoreError::MissingBase { base });
                }
                found[layer][position as usize] = rank;
            }
        }
        if let Some((base, ..)) = wanted.next() {
            return Err(RestoreError::MissingBase { base });
        }
        for (numbered, found) in self.layers.iter_mut().zip(found) {
            numbered.externals = found;
        }
        Ok(())
    }

    fn mark_bases(&mut self) {
        let mut is_base = std::mem::take(&mut self.is_base);
        for unit in 0..self.units {
            for base in self.entries(unit).filter_map(|entry| entry.base) {
                is_base[base as usize / 64] |= 1 << (base % 64);
            }
        }
        self.is_base = is_base;
    }
}

/// Opens the pack directory `path`, with all of its layers, for restoring.
pub fn open(path: &Path) -> Result<Source, RestoreError> {
    Source::open(&PackDir::open(path)?, usize::MAX)
}
