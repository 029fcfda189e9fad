//! A tree along the way down a delta tree, with what is known about its entries.

use std::ops::Range;

use crate::pack::source::NONE;

/// A submodule's commit, which is no object of this repository.
pub(crate) const FOREIGN: u32 = NONE;
/// An object that is missing, or that is not of the kind that the tree takes it for.
pub(crate) const BROKEN: u32 = NONE - 1;

/// A range of bytes taken over from the delta base: to, from, length.
pub(crate) type Copied = (usize, usize, usize);

/// One object on the way down; of a tree also its entries.
#[derive(Default)]
pub(crate) struct Level {
    /// The object's content.
    pub(crate) raw: Vec<u8>,
    /// Where each entry ends.
    pub(crate) ends: Vec<u32>,
    /// The object of each entry, or [`FOREIGN`] or [`BROKEN`].
    pub(crate) ids: Vec<u32>,
    /// Whether an entry is [`BROKEN`].
    pub(crate) broken: bool,
}

/// How a tree's entries differ from its base's.
#[derive(Default)]
pub(crate) struct Changes {
    /// Ranges of the base's entries that are not in the tree.
    pub(crate) dropped: Vec<Range<usize>>,
    /// The tree's entries that are not from the base.
    pub(crate) added: Vec<u32>,
    /// Whether entries were taken over out of order or twice, which makes the two lists useless.
    pub(crate) shuffled: bool,
}

impl Level {
    pub(crate) fn clear(&mut self) {
        self.raw.clear();
        self.forget_entries();
    }

    /// Keeps the content alone.
    pub(super) fn forget_entries(&mut self) {
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
    pub(crate) fn derive<E>(
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Trees of entries `<name>\0<id>`: enough to be cut in odd places.
    fn parse(raw: &[u8], at: usize) -> Result<(u32, u32), &'static str> {
        let nul = raw[at..].iter().position(|byte| *byte == 0).ok_or("cut")? + at;
        let id = raw.get(nul + 1..nul + 5).ok_or("cut")?;
        let end = u32::try_from(nul + 5).map_err(|_| "too long")?;
        Ok((u32::from_le_bytes([id[0], id[1], id[2], id[3]]), end))
    }

    fn entry(id: u32) -> Vec<u8> {
        let mut out = vec![b'n'; 3 + (id % 7) as usize];
        out.push(0);
        out.extend(id.to_le_bytes());
        out
    }

    fn whole(ids: &[u32]) -> Level {
        let raw: Vec<u8> = ids.iter().flat_map(|id| entry(*id)).collect();
        let mut level = Level {
            raw,
            ..Level::default()
        };
        let derived = level.derive(&Level::default(), &[], &mut Changes::default(), parse);
        assert_eq!(derived, Ok(()));
        assert_eq!(level.ids, ids);
        level
    }

    /// Numbers that look random, the same in every run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, n: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(self.0 >> 33).unwrap_or(0) % n.max(1)
        }
    }

    /// A tree made of pieces of `base` and new entries, with the copies that make it: in order or
    /// not, of whole entries or of parts.
    fn changed(base: &Level, numbers: &mut Numbers, in_order: bool) -> (Vec<u8>, Vec<Copied>) {
        let (mut raw, mut copies) = (Vec::new(), Vec::new());
        let mut next = 0;
        for fresh in 0..=numbers.below(6) {
            let from = if in_order { next } else { 0 };
            let first = from + numbers.below(base.ids.len() - from);
            let last = (first + numbers.below(5) + 1).min(base.ids.len());
            let start = first
                .checked_sub(1)
                .map_or(0, |before| base.ends[before] as usize);
            let end = base.ends[last - 1] as usize;
            // Parts of the first and last entry may be inserted rather than copied.
            let (cut, short) = (numbers.below(4), numbers.below(4));
            let (from, to) = (start + cut, (end - short).max(start + cut));
            copies.push((raw.len() + cut, from, to - from));
            raw.extend_from_slice(&base.raw[start..end]);
            next = last;
            if numbers.below(3) == 0 {
                raw.extend(entry(1_000 + u32::try_from(fresh).unwrap_or(0)));
            }
            if next == base.ids.len() && in_order {
                break;
            }
        }
        (raw, copies)
    }

    fn counted(ids: &[u32]) -> BTreeMap<u32, i64> {
        let mut counts = BTreeMap::new();
        for id in ids {
            *counts.entry(*id).or_default() += 1;
        }
        counts
    }

    #[test]
    fn entries_and_changes_are_those_of_a_full_parse_however_the_tree_was_copied() {
        let mut numbers = Numbers(7);
        let mut shuffled = 0;
        for round in 0..3_000 {
            let ids: Vec<u32> = (0..=u32::try_from(numbers.below(30)).unwrap_or(0)).collect();
            let base = whole(&ids);
            let (raw, copies) = changed(&base, &mut numbers, round % 2 == 0);
            let mut level = Level {
                raw,
                ..Level::default()
            };
            let mut changes = Changes::default();
            assert_eq!(level.derive(&base, &copies, &mut changes, parse), Ok(()));
            let (mut at, mut expected) = (0, Vec::new());
            while let Ok((id, end)) = parse(&level.raw, at) {
                expected.push((id, end));
                at = end as usize;
                if at == level.raw.len() {
                    break;
                }
            }
            let found: Vec<_> = level
                .ids
                .iter()
                .copied()
                .zip(level.ends.iter().copied())
                .collect();
            assert_eq!(found, expected, "round {round}");
            if changes.shuffled {
                shuffled += 1;
                continue;
            }
            let mut counts = counted(&base.ids);
            for id in &changes.added {
                *counts.entry(*id).or_default() += 1;
            }
            for id in changes
                .dropped
                .iter()
                .flat_map(|range| &base.ids[range.clone()])
            {
                *counts.entry(*id).or_default() -= 1;
            }
            counts.retain(|_, count| *count != 0);
            assert_eq!(counts, counted(&level.ids), "round {round}");
        }
        assert!(
            (100..2_900).contains(&shuffled),
            "{shuffled} of 3000 shuffled"
        );
    }

    #[test]
    fn a_broken_entry_is_noticed_when_inherited_and_forgotten_when_dropped() {
        let base = whole(&[1, BROKEN, 3]);
        assert!(base.broken);
        let middle = base.ends[0] as usize..base.ends[1] as usize;
        let kept = (0, 0, base.raw.len());
        let mut same = Level {
            raw: base.raw.clone(),
            ..Level::default()
        };
        let mut changes = Changes::default();
        assert_eq!(same.derive(&base, &[kept], &mut changes, parse), Ok(()));
        assert!(same.broken && changes.added.is_empty());
        let mut without = Level {
            raw: [&base.raw[..middle.start], &base.raw[middle.end..]].concat(),
            ..Level::default()
        };
        let copies = [
            (0, 0, middle.start),
            (middle.start, middle.end, base.raw.len() - middle.end),
        ];
        assert_eq!(without.derive(&base, &copies, &mut changes, parse), Ok(()));
        assert_eq!((without.ids, without.broken), (vec![1, 3], false));
    }
}
