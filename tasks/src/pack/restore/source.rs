//! All layers of a pack as one sequence of entries and units.

use std::path::Path;

use gix::bstr::ByteSlice as _;
use gix_hash::ObjectId;

use super::super::format::{BaseRef, FormatError, Group, Kind, Layer, PackDir, RefTarget};
use super::RestoreError;

/// The rank of a base that no layer holds.
pub(in crate::pack) const NOWHERE: u32 = u32::MAX;

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
        let listed = pack.manifest().layers.iter().take(count);
        let layers = listed
            .map(|manifest| pack.layer(manifest))
            .collect::<Result<Vec<_>, _>>()?;
        if layers.is_empty() {
            return Err(RestoreError::NoLayers {
                path: pack.path().to_owned(),
            });
        }
        let (source, faults) = Self::join(layers)?;
        faults.into_iter().next().map_or(Ok(source), Err)
    }

    /// Numbers the entries of `layers`, the oldest first, and tells what does not hold between them.
    ///
    /// A delta whose base is nowhere has [`NOWHERE`] as its base.
    pub(in crate::pack) fn join(
        layers: Vec<Layer>,
    ) -> Result<(Self, Vec<RestoreError>), RestoreError> {
        let mut numbered = Vec::with_capacity(layers.len());
        let (mut objects, mut units) = (0u32, 0);
        for layer in layers {
            let (first_rank, first_unit) = (objects, units);
            objects = objects
                .checked_add(layer.index().objects())
                .ok_or(RestoreError::TooManyObjects)?;
            units += layer.index().groups().len();
            let positions = layer.index().positions_by_rank()?;
            numbered.push(Numbered {
                layer,
                first_rank,
                first_unit,
                externals: Vec::new(),
                positions,
            });
        }
        let is_base = vec![0; (objects as usize).div_ceil(64)];
        let mut source = Self {
            layers: numbered,
            objects,
            units,
            is_base,
        };
        let mut faults = Vec::new();
        source.check_tips(&mut faults)?;
        source.resolve_externals(&mut faults)?;
        source.mark_bases();
        Ok((source, faults))
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

    /// The layers, oldest first.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().map(|numbered| &numbered.layer)
    }

    /// The newest layer, whose refs are the repository's.
    ///
    /// # Panics
    /// If there is no layer at all, which [`open`](Self::open) refuses.
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
        let mut before = None;
        self.merged().map(move |object| {
            let (oid, rank) = object?;
            if before.replace(oid) == Some(oid) {
                return Err(RestoreError::Duplicate { oid });
            }
            Ok((oid, rank))
        })
    }

    /// All oids in ascending order, with their ranks; those that are there twice, twice, the oldest
    /// layer's first.
    pub(in crate::pack) fn merged(
        &self,
    ) -> impl Iterator<Item = Result<(ObjectId, u32), FormatError>> + '_ {
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
        std::iter::from_fn(move || {
            if let [only] = layers.as_mut_slice() {
                return only.next();
            }
            let mut lowest: Option<(usize, ObjectId)> = None;
            for (at, layer) in layers.iter_mut().enumerate() {
                match layer.peek() {
                    Some(Err(_)) => return layer.next(),
                    Some(Ok((oid, _))) if lowest.is_none_or(|(_, lowest)| *oid < lowest) => {
                        lowest = Some((at, *oid));
                    }
                    _ => {}
                }
            }
            layers[lowest?.0].next()
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

    /// The rank of the object `oid`, in the newest layer that has it.
    pub(in crate::pack) fn rank_of(&self, oid: &ObjectId) -> Result<Option<u32>, FormatError> {
        for numbered in self.layers.iter().rev() {
            if let Some(rank) = numbered.layer.index().rank_of(oid)? {
                return Ok(Some(numbered.first_rank + rank));
            }
        }
        Ok(None)
    }

    /// The kind of the object `rank`.
    pub(in crate::pack) fn kind(&self, rank: u32) -> Option<Kind> {
        let numbered = self.layer_of_rank(rank);
        numbered.layer.index().kind(rank - numbered.first_rank)
    }

    fn check_tips(&self, faults: &mut Vec<RestoreError>) -> Result<(), RestoreError> {
        let Some(newest) = self.layers.last() else {
            return Ok(());
        };
        let refs = newest.layer.refs();
        let head = refs.head.iter().map(|target| (b"HEAD".as_bstr(), target));
        let refs = refs.refs.iter().map(|(name, to)| (name.as_bstr(), to));
        for (name, target) in head.chain(refs) {
            let RefTarget::Object(oid) = target else {
                continue;
            };
            let (name, oid) = (name.to_owned(), *oid);
            let found = self.rank_of(&oid)?.and_then(|rank| self.kind(rank));
            match found {
                None => faults.push(RestoreError::MissingTip { name, oid }),
                // As Git has it: a branch that is no commit can't be checked out.
                Some(kind)
                    if kind != Kind::Commit
                        && (name == "HEAD" || name.starts_with(b"refs/heads/")) =>
                {
                    faults.push(RestoreError::WrongTip { name, oid, kind });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// One walk over all objects finds duplicates and the ranks of all external bases.
    fn resolve_externals(&mut self, faults: &mut Vec<RestoreError>) -> Result<(), RestoreError> {
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
            .map(|numbered| vec![NOWHERE; numbered.layer.index().external_count() as usize])
            .collect();
        let (mut from, mut before) = (0, None);
        for object in self.merged() {
            let (oid, rank) = object?;
            if before.replace(oid) == Some(oid) {
                faults.push(RestoreError::Duplicate { oid });
            }
            from += wanted[from..].partition_point(|(base, ..)| *base < oid);
            // It stays in the list: the same object may be in another layer, too.
            for (base, layer, position) in &wanted[from..] {
                if *base != oid {
                    break;
                }
                if rank < self.layers[*layer].first_rank {
                    found[*layer][*position as usize] = rank;
                }
            }
        }
        let mut before = None;
        for (base, layer, position) in wanted {
            if found[layer][position as usize] == NOWHERE && before.replace(base) != Some(base) {
                faults.push(RestoreError::MissingBase { base });
            }
        }
        for (numbered, found) in self.layers.iter_mut().zip(found) {
            numbered.externals = found;
        }
        Ok(())
    }

    fn mark_bases(&mut self) {
        let mut is_base = std::mem::take(&mut self.is_base);
        for unit in 0..self.units {
            let bases = self.entries(unit).filter_map(|entry| entry.base);
            for base in bases.filter(|base| *base != NOWHERE) {
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
