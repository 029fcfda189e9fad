//! A tree along the way down a delta tree, with what is known about its entries.

use std::ops::Range;

use crate::pack::source::NONE;

/// A submodule's commit, which is no object of this repository.
pub(super) const FOREIGN: u32 = NONE;
/// An object that is missing, or that is not of the kind that the tree takes it for.
pub(super) const BROKEN: u32 = NONE - 1;

/// A range of bytes taken over from the delta base: to, from, length.
pub(super) type Copied = (usize, usize, usize);

/// One object on the way down; of a tree also its entries.
#[derive(Default)]
pub(super) struct Level {
    /// The object's content.
    pub(super) raw: Vec<u8>,
    /// Where each entry ends.
    pub(super) ends: Vec<u32>,
    /// The object of each entry, or [`FOREIGN`] or [`BROKEN`].
    pub(super) ids: Vec<u32>,
    /// Whether an entry is [`BROKEN`].
    pub(super) broken: bool,
}

/// How a tree's entries differ from its base's.
#[derive(Default)]
pub(super) struct Changes {
    /// Ranges of the base's entries that are not in the tree.
    pub(super) dropped: Vec<Range<usize>>,
    /// The tree's entries that are not from the base.
    pub(super) added: Vec<u32>,
    /// Whether entries were taken over out of order or twice, which makes the two lists useless.
    pub(super) shuffled: bool,
}

impl Level {
    pub(super) fn clear(&mut self) {
        self.raw.clear();
        self.ends.clear();
        self.ids.clear();
        self.broken = false;
    }

    /// The entry that begins at byte `at`, if one does.
    fn entry_at(&self, at: usize) -> Option<usize> {
        if at == 0 {
            return Some(0);
        }
        let at = u32::try_from(at).ok()?;
        self.ends.binary_search(&at).ok().map(|before| before + 1)
    }

    /// Finds the entries of this tree, whose bytes were made of `base` with these copies.
    ///
    /// `parse` looks up the entry that begins at a byte and tells its object and its end.
    pub(super) fn derive<E>(
        &mut self,
        base: &Self,
        copies: &[Copied],
        changes: &mut Changes,
        mut parse: impl FnMut(&[u8], usize) -> Result<(u32, u32), E>,
    ) -> Result<(), E> {
        changes.dropped.clear();
        changes.added.clear();
        changes.shuffled = false;
        let (mut at, mut next) = (0, 0);
        let mut fresh = |level: &mut Self, changes: &mut Changes, at: usize| {
            let (id, end) = parse(&level.raw, at)?;
            level.ids.push(id);
            level.ends.push(end);
            changes.added.push(id);
            Ok(end as usize)
        };
        for &(to, from, length) in copies {
            while at < to {
                at = fresh(self, changes, at)?;
            }
            while at < to + length {
                let origin = from + (at - to);
                let run = base.entry_at(origin).map(|first| {
                    let within = |end: &u32| *end as usize <= from + length;
                    first..first + base.ends[first..].partition_point(within)
                });
                match run {
                    Some(run) if !run.is_empty() => {
                        self.ids.extend_from_slice(&base.ids[run.clone()]);
                        // Both positions lie within trees of less than 4 GiB.
                        let moved = |end: &u32| {
                            u32::try_from(*end as usize - origin + at).expect("within the tree")
                        };
                        self.ends.extend(base.ends[run.clone()].iter().map(moved));
                        at += base.ends[run.end - 1] as usize - origin;
                        if run.start < next {
                            changes.shuffled = true;
                        } else {
                            changes.dropped.push(next..run.start);
                        }
                        next = run.end;
                    }
                    _ => at = fresh(self, changes, at)?,
                }
            }
        }
        while at < self.raw.len() {
            at = fresh(self, changes, at)?;
        }
        changes.dropped.push(next..base.ids.len());
        self.broken =
            (base.broken || changes.added.contains(&BROKEN)) && self.ids.contains(&BROKEN);
        Ok(())
    }
}
