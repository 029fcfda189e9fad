//! All objects of a pack in memory, by rank and by id.

use gix_hash::ObjectId;

use super::super::format::{FormatError, Kind};
use super::super::restore::Source;
use super::super::source::Oid;

/// Objects are found by the first two bytes of their ids.
const BUCKETS: usize = 1 << 16;

/// Ids and kinds. Memory: 25 bytes per object.
#[derive(Debug)]
pub(super) struct Known {
    /// By rank.
    ids: Vec<Oid>,
    kinds: Vec<Option<Kind>>,
    /// Ranks in the order of the ids.
    sorted: Vec<u32>,
    /// Where the ranks of each bucket begin; the end of the last behind them.
    starts: Vec<u32>,
}

impl Known {
    pub(super) fn read(source: &Source) -> Result<Self, FormatError> {
        let n = source.objects() as usize;
        let mut known = Self {
            ids: vec![[0; 20]; n],
            kinds: Vec::with_capacity(n),
            sorted: Vec::with_capacity(n),
            starts: vec![0; BUCKETS + 1],
        };
        for object in source.merged() {
            let (oid, rank) = object?;
            let ObjectId::Sha1(oid) = oid else { continue };
            known.starts[bucket(&oid) + 1] += 1;
            known.ids[rank as usize] = oid;
            known.sorted.push(rank);
        }
        for at in 0..BUCKETS {
            known.starts[at + 1] += known.starts[at];
        }
        for layer in source.layers() {
            let index = layer.index();
            known
                .kinds
                .extend((0..index.objects()).map(|rank| index.kind(rank)));
        }
        Ok(known)
    }

    /// The id of the object `rank`.
    pub(super) fn oid(&self, rank: u32) -> ObjectId {
        ObjectId::Sha1(self.ids[rank as usize])
    }

    /// What the object `oid` is, if the pack holds it.
    pub(super) fn kind_of(&self, oid: &Oid) -> Option<Kind> {
        let bucket = bucket(oid);
        let range = self.starts[bucket] as usize..self.starts[bucket + 1] as usize;
        let ranks = &self.sorted[range];
        let at = ranks.binary_search_by(|rank| self.ids[*rank as usize].cmp(oid));
        self.kinds[ranks[at.ok()?] as usize]
    }
}

fn bucket(oid: &Oid) -> usize {
    usize::from(oid[0]) << 8 | usize::from(oid[1])
}
