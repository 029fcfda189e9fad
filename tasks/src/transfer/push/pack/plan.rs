//! How each object goes into the pack.

use gix::hashtable::HashMap;
use gix_hash::ObjectId;
use gix_pack::data::entry::Header;

use crate::{
    pack::source::Kind,
    transfer::push::{
        contents::{Contents, Item},
        error::PackError,
        store::Store,
    },
};

/// What the other side takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Deltas may be against what only the other side has.
    pub(crate) thin: bool,
    /// Deltas may name their base by its distance.
    pub(crate) ofs: bool,
    /// How many threads look for deltas.
    pub(crate) threads: usize,
}

/// The base of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// Another object of the pack, by its place in the list.
    Inside(u32),
    /// The base with this place in the other list.
    Outside(u32),
}

/// How an object goes into the pack.
#[derive(Clone, Debug)]
pub(super) enum How {
    /// Its entry is a delta and is copied.
    Reused(Base),
    /// Its entry is whole, and is copied.
    Copied,
    /// A delta that was found; its compressed bytes and what they inflate to, unless there was no
    /// room for them.
    Found(Base, Option<Box<(Box<[u8]>, u64)>>),
    /// Whole, and compressed anew.
    Deflated,
}

/// The objects of a pack.
pub(super) struct Plan<'a> {
    pub(super) items: &'a [Item],
    pub(super) bases: &'a [Item],
    pub(super) how: Vec<How>,
}

impl<'a> Plan<'a> {
    /// Decides what is taken over from the packs as it is.
    pub(super) fn of(
        contents: &'a mut Contents,
        store: &Store,
        options: Options,
    ) -> Result<Self, PackError> {
        let mut scratch = Vec::new();
        if !options.thin {
            contents.bases.clear();
        }
        for base in &mut contents.bases {
            base.packed = store.packed(&base.id, &mut scratch)?;
        }
        let items = contents.items.as_slice();
        let bases = contents.bases.as_slice();
        let mut places = Places::default();
        for (i, base) in bases.iter().enumerate() {
            places.add(base, Base::Outside(index(i)));
        }
        // What goes along is the better base.
        for (i, item) in items.iter().enumerate() {
            places.add(item, Base::Inside(index(i)));
        }
        let how = items.iter().map(|item| places.reuse(item)).collect();
        let mut plan = Self { items, bases, how };
        plan.break_circles();
        Ok(plan)
    }

    /// Deltas of several packs may be against one another.
    fn break_circles(&mut self) {
        // 0: not looked at; 1: on the way; 2: done.
        let mut state = vec![0_u8; self.how.len()];
        let mut way = Vec::new();
        for start in 0..self.how.len() {
            let mut at = start;
            while state[at] == 0 {
                state[at] = 1;
                way.push(at);
                let How::Reused(Base::Inside(base)) = self.how[at] else {
                    break;
                };
                let base = base as usize;
                if state[base] == 1 {
                    self.how[at] = How::Deflated;
                    break;
                }
                at = base;
            }
            for at in way.drain(..) {
                state[at] = 2;
            }
        }
    }

    /// Its item.
    pub(super) fn base(&self, base: Base) -> &'a Item {
        match base {
            Base::Inside(at) => &self.items[at as usize],
            Base::Outside(at) => &self.bases[at as usize],
        }
    }
}

/// Where objects lie in packs, to find the bases of deltas.
#[derive(Default)]
struct Places {
    by_id: HashMap<ObjectId, Base>,
    by_offset: std::collections::HashMap<(u32, u64), Base>,
}

impl Places {
    fn add(&mut self, item: &Item, base: Base) {
        self.by_id.insert(item.id, base);
        if let Some(packed) = &item.packed {
            let at = (packed.at.pack_id, packed.at.pack_offset);
            self.by_offset.insert(at, base);
        }
    }

    /// How an object goes into the pack if no delta is found for it.
    fn reuse(&self, item: &Item) -> How {
        let Some(packed) = &item.packed else {
            return How::Deflated;
        };
        let base = match &packed.header {
            Header::OfsDelta { base_distance } => {
                let at = packed.at.pack_offset.checked_sub(*base_distance);
                at.and_then(|at| self.by_offset.get(&(packed.at.pack_id, at)))
            }
            Header::RefDelta { base_id } => self.by_id.get(base_id),
            _ => return How::Copied,
        };
        base.map_or(How::Deflated, |base| How::Reused(*base))
    }
}

/// A place in a list. An increment has at most so many objects.
pub(super) fn index(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Whether a delta of it is worth the search.
pub(super) const fn has_deltas(kind: Kind) -> bool {
    !matches!(kind, Kind::Tag)
}
