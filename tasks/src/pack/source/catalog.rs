//! Every object once, numbered in the order of the ids.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{NONE, Oid, SourceError, Sources};

/// Where an object lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// In a pack of [`Sources::packs`], at a position of its index.
    Pack {
        /// Which pack.
        pack: u16,
        /// The position in the pack's index.
        position: u32,
    },
    /// In a file of its own: a number in the list's loose objects.
    Loose(u32),
    /// Nowhere: the empty tree, which Git knows without storing it.
    EmptyTree,
}

/// The empty tree's id.
const EMPTY_TREE: Oid = [
    0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6, 0x92, 0x88,
    0xfb, 0xee, 0x49, 0x04,
];
const LOOSE: u16 = u16::MAX;
const EMPTY: u16 = u16::MAX - 1;

/// All objects of the sources, each once, numbered from 0 in the order of their ids.
///
/// Ids stay in the mapped indexes: an object takes six bytes here and about four in the table that
/// finds it. The empty tree is always among the objects, whether it is stored or not, since Git
/// lets commits refer to it either way.
pub struct Catalog {
    pack: Vec<u16>,
    position: Vec<u32>,
    /// The first number whose id has at least these leading bits, one more than there are values.
    fan: Vec<u32>,
    shift: u32,
}

impl Catalog {
    /// Numbers the objects of `sources`.
    pub fn build(sources: &Sources) -> Result<Self, SourceError> {
        let upper = sources.list.loose.len() as u64
            + 1
            + sources
                .packs
                .iter()
                .map(|pack| u64::from(pack.index.num_objects()))
                .sum::<u64>();
        let mut catalog = Self {
            pack: Vec::new(),
            position: Vec::new(),
            fan: Vec::new(),
            shift: 0,
        };
        let capacity = usize::try_from(upper).unwrap_or(usize::MAX).min(1 << 31);
        catalog.pack.reserve_exact(capacity);
        catalog.position.reserve_exact(capacity);
        catalog.merge(sources)?;
        catalog.build_fan(sources);
        Ok(catalog)
    }

    /// Merges the sorted ids of all packs, the loose objects and the empty tree.
    fn merge(&mut self, sources: &Sources) -> Result<(), SourceError> {
        // The heap's order is the order of preference: by id, then packs as listed, loose, built in.
        let mut heap = BinaryHeap::new();
        let next = |pack: u16, position: u32| -> Option<Reverse<(Oid, u16, u16, u32)>> {
            let (oid, preference) = match pack {
                LOOSE => (sources.list.loose.get(position as usize)?.oid, EMPTY),
                EMPTY => ((position == 0).then_some(EMPTY_TREE)?, LOOSE),
                _ => {
                    let pack_file = &sources.packs[usize::from(pack)];
                    let present = position < pack_file.index.num_objects();
                    (present.then(|| pack_file.oid_at(position))?, pack)
                }
            };
            Some(Reverse((oid, preference, pack, position)))
        };
        let packs = u16::try_from(sources.packs.len()).expect("checked when they were opened");
        for source in (0..packs).chain([LOOSE, EMPTY]) {
            heap.extend(next(source, 0));
        }
        let mut last: Option<Oid> = None;
        while let Some(mut top) = heap.peek_mut() {
            let Reverse((oid, _, pack, position)) = *top;
            match next(pack, position + 1) {
                Some(following) if following.0.0 >= oid => *top = following,
                Some(_) => {
                    return Err(SourceError::Pack {
                        path: sources.packs[usize::from(pack)].index.path().to_owned(),
                        why: "its index is not sorted".into(),
                    });
                }
                None => {
                    std::collections::binary_heap::PeekMut::pop(top);
                }
            }
            if last != Some(oid) {
                last = Some(oid);
                self.pack.push(pack);
                self.position.push(position);
            }
        }
        if self.pack.len() >= (NONE - 8) as usize {
            return Err(SourceError::TooMany {
                what: "objects",
                max: u64::from(NONE - 8),
            });
        }
        Ok(())
    }

    fn build_fan(&mut self, sources: &Sources) {
        // About one object for each value of the leading bits.
        let bits = (usize::BITS - self.pack.len().leading_zeros()).clamp(1, 31);
        self.shift = 32 - bits;
        self.fan = vec![0; (1_usize << bits) + 1];
        for id in 0..self.len() {
            let head = self.head(&self.oid(sources, id));
            self.fan[head + 1] += 1;
        }
        for at in 1..self.fan.len() {
            self.fan[at] += self.fan[at - 1];
        }
    }

    fn head(&self, oid: &Oid) -> usize {
        (u32::from_be_bytes([oid[0], oid[1], oid[2], oid[3]]) >> self.shift) as usize
    }

    /// The number of objects.
    pub fn len(&self) -> u32 {
        // `build` refuses more than 32 bits can number.
        u32::try_from(self.pack.len()).unwrap_or(NONE)
    }

    /// Whether there is no object; never so, since there is always the empty tree.
    pub fn is_empty(&self) -> bool {
        self.pack.is_empty()
    }

    /// Where object `id` lies.
    pub fn location(&self, id: u32) -> Location {
        let position = self.position[id as usize];
        match self.pack[id as usize] {
            LOOSE => Location::Loose(position),
            EMPTY => Location::EmptyTree,
            pack => Location::Pack { pack, position },
        }
    }

    /// The id of object number `id`.
    pub fn oid(&self, sources: &Sources, id: u32) -> Oid {
        match self.location(id) {
            Location::Pack { pack, position } => sources.packs[usize::from(pack)].oid_at(position),
            Location::Loose(number) => sources.list.loose[number as usize].oid,
            Location::EmptyTree => EMPTY_TREE,
        }
    }

    /// The number of the object with this id.
    pub fn find(&self, sources: &Sources, oid: &Oid) -> Option<u32> {
        let head = self.head(oid);
        (self.fan[head]..self.fan[head + 1]).find(|id| self.oid(sources, *id) == *oid)
    }
}
