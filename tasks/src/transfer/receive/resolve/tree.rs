//! Which deltas are made from which entry or object.

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::{
    pack::source::Oid,
    transfer::receive::table::{Link, Table},
};

/// The deltas by their bases: eight bytes an entry, and 25 for each that names its base by id.
pub(super) struct Tree {
    start: Vec<u32>,
    list: Vec<u32>,
    /// The bases that are named by id, in the order of ids, with the entries that name them.
    named: Vec<(Oid, u32)>,
    taken: Vec<AtomicBool>,
}

/// The deltas of one base that were not taken yet.
#[derive(Debug, Clone)]
pub(super) struct Children {
    near: Range<usize>,
    named: Range<usize>,
}

/// So many deltas of one base are worth to be divided.
const WORTHWHILE: usize = 8;

impl Tree {
    /// Turns the links of `table` around.
    pub(super) fn of(table: &Table) -> Self {
        let n = table.len();
        // Shifted by two: counting, summing up, and filling each move it by one.
        let mut start = vec![0_u32; n as usize + 2];
        let base = |entry| match table.link(entry) {
            Link::Entry(base) => Some(base as usize),
            _ => None,
        };
        for base in (0..n).filter_map(base) {
            start[base + 2] += 1;
        }
        for at in 1..start.len() {
            start[at] += start[at - 1];
        }
        let mut list = vec![0; start[n as usize + 1] as usize];
        for entry in 0..n {
            if let Some(base) = base(entry) {
                let slot = &mut start[base + 1];
                list[*slot as usize] = entry;
                *slot += 1;
            }
        }
        let mut named = table.bases.clone();
        named.sort_unstable();
        let taken = named.iter().map(|_| AtomicBool::new(false)).collect();
        Self {
            start,
            list,
            named,
            taken,
        }
    }

    fn near(&self, entry: u32) -> Range<usize> {
        let at = entry as usize;
        self.start[at] as usize..self.start[at + 1] as usize
    }

    /// Whether deltas may be made from the entry, whatever its id.
    pub(super) fn may_have_children(&self, entry: u32) -> bool {
        !self.named.is_empty() || !self.near(entry).is_empty()
    }

    /// The deltas that are made from the entry, which holds the object `oid` says.
    pub(super) fn children(&self, entry: u32, oid: impl FnOnce() -> Oid) -> Children {
        let named = if self.named.is_empty() {
            0..0
        } else {
            self.named_of(&oid())
        };
        Children {
            near: self.near(entry),
            named,
        }
    }

    /// The deltas that are made from an object outside.
    pub(super) fn children_of(&self, oid: &Oid) -> Children {
        Children {
            near: 0..0,
            named: self.named_of(oid),
        }
    }

    fn named_of(&self, oid: &Oid) -> Range<usize> {
        let from = self.named.partition_point(|(base, _)| base < oid);
        let len = self.named[from..].partition_point(|(base, _)| base == oid);
        from..from + len
    }

    /// Takes the next of `children`; one that is named by id is given to nobody else.
    pub(super) fn take(&self, children: &mut Children) -> Option<u32> {
        if let Some(at) = children.near.next() {
            return Some(self.list[at]);
        }
        let free = |at: &usize| !self.taken[*at].swap(true, Relaxed);
        Some(self.named[children.named.find(free)?].1)
    }

    /// The bases that no object was found to be, each once.
    pub(super) fn waiting(&self) -> Vec<Oid> {
        let free = self.named.iter().zip(&self.taken);
        let free = free.filter(|(_, taken)| !taken.load(Relaxed));
        let mut waiting: Vec<Oid> = free.map(|((base, _), _)| *base).collect();
        waiting.dedup();
        waiting
    }

    /// Whether a delta against the object still waits.
    pub(super) fn waits(&self, oid: &Oid) -> bool {
        self.named_of(oid).any(|at| !self.taken[at].load(Relaxed))
    }
}

impl Children {
    /// All of them, so that none are left.
    pub(super) fn take_all(&mut self) -> Self {
        let all = self.clone();
        self.near.start = self.near.end;
        self.named.start = self.named.end;
        all
    }

    /// Half of them, if they are worth the trouble.
    pub(super) fn take_half(&mut self) -> Option<Self> {
        let len = self.near.len();
        if len < WORTHWHILE {
            return None;
        }
        let middle = self.near.end - len / 2;
        let half = Self {
            near: middle..self.near.end,
            named: 0..0,
        };
        self.near.end = middle;
        Some(half)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.near.is_empty() && self.named.is_empty()
    }
}
