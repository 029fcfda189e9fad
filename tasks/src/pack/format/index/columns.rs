//! The three columns of an index, decompressed: what each entry is made of, in rank order.

use super::super::leb128;
use super::{BaseRef, EntryRef, Kind};

/// The columns as they are stored, a few bytes per object; checked once by [`Columns::checked`].
#[derive(Debug)]
pub(super) struct Columns {
    kinds: Vec<u8>,
    sizes: Vec<u8>,
    bases: Vec<u8>,
}

/// A place in the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) rank: u32,
    /// The number of external bases before.
    pub(super) external: u32,
    size_at: usize,
    base_at: usize,
}

impl Columns {
    /// Takes the columns of an index of `objects` entries and checks every value.
    pub(super) fn checked(
        [kinds, sizes, bases]: [Vec<u8>; 3],
        objects: u32,
        externals: u32,
    ) -> Result<Self, &'static str> {
        let columns = Self {
            kinds,
            sizes,
            bases,
        };
        if columns.kinds.len() != objects as usize {
            return Err("the kinds are not as many as the objects");
        }
        let mut at = Position::default();
        for rank in 0..objects {
            let entry = columns
                .read(&mut at)
                .ok_or("an entry's kind, size or base can't be read")?;
            if let BaseRef::Rank(base) = entry.base
                && columns.kinds[base as usize] != columns.kinds[rank as usize]
            {
                return Err("a delta and its base are of different kinds");
            }
        }
        if at.size_at != columns.sizes.len() || at.base_at != columns.bases.len() {
            return Err("there are more sizes or bases than objects");
        }
        if at.external != externals {
            return Err("the external bases are not as many as the header says");
        }
        Ok(columns)
    }

    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// The kind of the entry `rank`.
    pub(super) fn kind(&self, rank: u32) -> Option<Kind> {
        Kind::from_number(*self.kinds.get(rank as usize)?)
    }

    /// Reads the entry at `at` and moves `at` to the next; `None` behind the last entry and at a
    /// value that no writer writes.
    pub(super) fn read(&self, at: &mut Position) -> Option<EntryRef> {
        let rank = at.rank;
        let kind = Kind::from_number(*self.kinds.get(rank as usize)?)?;
        let size = leb128::read(&self.sizes, &mut at.size_at)?;
        let base = match leb128::read(&self.bases, &mut at.base_at)? {
            0 => BaseRef::Whole,
            1 => {
                at.external += 1;
                BaseRef::External(at.external - 1)
            }
            code => BaseRef::Rank(rank.checked_sub(u32::try_from(code - 1).ok()?)?),
        };
        at.rank += 1;
        Some(EntryRef {
            rank,
            kind,
            size,
            base,
        })
    }
}
