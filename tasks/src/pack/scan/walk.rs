//! Making every object of a delta tree from its base, and counting what it refers to.

use std::sync::PoisonError;

use super::{
    Scan, ScanError, Universe,
    level::{BROKEN, Changes, Copied, FOREIGN, Level},
    links::{self, Link},
    names::NameCache,
    state::Fault,
};
use crate::pack::{
    delta,
    source::{Kind, NONE, Reader, Shape, SourceError},
};

/// One object of the delta tree at hand, in the order of a walk that goes deep first.
struct Node {
    id: u32,
    /// How many bases it has.
    depth: u32,
    /// Where its base stands in the list.
    base: u32,
    /// How many objects are at and below it.
    weight: u32,
}

/// One thread's buffers and caches.
pub(super) struct Walker<'a> {
    scan: &'a Scan,
    universe: &'a Universe,
    reader: Reader<'a>,
    names: NameCache,
    nodes: Vec<Node>,
    pending: Vec<(u32, u32, u32)>,
    levels: Vec<Level>,
    delta: Vec<u8>,
    copies: Vec<Copied>,
    changes: Changes,
    faults: Vec<(u32, Fault)>,
}

/// How the making of an object went.
enum Made {
    /// Well.
    Whole,
    /// It cannot be read, nor can what is made of it.
    Damaged,
}

impl<'a> Walker<'a> {
    pub(super) fn new(scan: &'a Scan, universe: &'a Universe) -> Self {
        Self {
            scan,
            universe,
            reader: Reader::new(&universe.sources, &universe.catalog),
            names: NameCache::default(),
            nodes: Vec::new(),
            pending: Vec::new(),
            levels: Vec::new(),
            delta: Vec::new(),
            copies: Vec::new(),
            changes: Changes::default(),
            faults: Vec::new(),
        }
    }

    /// Makes the object `root` and all deltas above it, and says how many that are.
    ///
    /// What is damaged is put on record and counts for nothing: whether it matters is not known yet.
    pub(super) fn delta_tree(&mut self, root: u32) -> Result<u64, ScanError> {
        self.list(root);
        let kind = self.universe.shape.kind(root);
        let nodes = std::mem::take(&mut self.nodes);
        let made = self.make_all(kind, &nodes);
        let count = nodes.len() as u64;
        self.nodes = nodes;
        if !self.faults.is_empty() {
            let mut all = self
                .scan
                .faults
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            all.append(&mut self.faults);
        }
        made.map(|()| count)
    }

    fn make_all(&mut self, kind: Kind, nodes: &[Node]) -> Result<(), ScanError> {
        let mut at = 0;
        while let Some(node) = nodes.get(at) {
            let lost = match self.make(kind, node)? {
                Made::Whole => 0,
                Made::Damaged => node.weight as usize,
            };
            let lost = &nodes[at..at + lost];
            self.faults
                .extend(lost.iter().map(|node| (node.id, Fault::Damaged)));
            at += lost.len().max(1);
        }
        Ok(())
    }

    /// Lists the delta tree, bases first, and sums up the weights.
    fn list(&mut self, root: u32) {
        self.nodes.clear();
        self.pending.clear();
        self.pending.push((root, 0, NONE));
        while let Some((id, depth, base)) = self.pending.pop() {
            let at = u32::try_from(self.nodes.len()).expect("fewer nodes than objects");
            self.nodes.push(Node {
                id,
                depth,
                base,
                weight: 1,
            });
            let children = self.universe.children.get(id).iter().rev();
            self.pending
                .extend(children.map(|child| (*child, depth + 1, at)));
        }
        for at in (1..self.nodes.len()).rev() {
            let (base, weight) = (self.nodes[at].base, self.nodes[at].weight);
            self.nodes[base as usize].weight += weight;
        }
    }

    fn make(&mut self, kind: Kind, node: &Node) -> Result<Made, ScanError> {
        let depth = node.depth as usize;
        if self.levels.len() <= depth {
            self.levels.push(Level::default());
        }
        let (bases, rest) = self.levels.split_at_mut(depth);
        let level = &mut rest[0];
        level.clear();
        self.copies.clear();
        let base = bases.last();
        let read = match base {
            None => self.reader.payload(node.id, &mut level.raw),
            Some(base) => {
                self.delta.clear();
                let copies = &mut self.copies;
                self.reader
                    .payload(node.id, &mut self.delta)
                    .and_then(|()| {
                        delta::apply(
                            &base.raw,
                            &self.delta,
                            &mut level.raw,
                            |to, from, length| {
                                copies.push((to, from, length));
                            },
                        )
                        .map_err(|why| self.reader.damaged(node.id, why))
                    })
            }
        };
        let context = Context {
            scan: self.scan,
            reader: &self.reader,
            shape: &self.universe.shape,
        };
        match read {
            Ok(()) => {}
            Err(SourceError::Entry { .. } | SourceError::Loose { .. }) => {
                if let Some(base) = base {
                    context.take_back(base, node.weight);
                }
                return Ok(Made::Damaged);
            }
            Err(error) => return Err(error.into()),
        }
        if kind != Kind::Tree {
            let cut = kind == Kind::Commit && self.universe.shallow.contains(&node.id);
            let mut broken = false;
            let parsed = links::of(kind, &level.raw, |link| match context.number(link) {
                _ if cut && link.1 == Kind::Commit => {}
                BROKEN => broken = true,
                id => self.scan.add(id, 1),
            });
            if parsed.is_err() {
                self.faults.push((node.id, Fault::Damaged));
            } else if broken {
                self.faults.push((node.id, Fault::Broken));
            }
            return Ok(Made::Whole);
        }
        let names = &mut self.names;
        let parse = |raw: &[u8], at: usize| context.tree_entry(raw, at, names);
        let (empty, changes) = (Level::default(), &mut self.changes);
        let base = base.unwrap_or(&empty);
        let fits = u32::try_from(level.raw.len()).is_ok();
        if fits && level.derive(base, &self.copies, changes, parse).is_ok() {
            context.count(base, level, changes, node.weight);
            if level.broken {
                self.faults.push((node.id, Fault::Broken));
            }
        } else {
            // It is no tree, but the trees that are made of it may be.
            level.forget_entries();
            context.take_back(base, node.weight);
            self.faults.push((node.id, Fault::Damaged));
        }
        Ok(Made::Whole)
    }
}

/// What looking up a reference needs.
struct Context<'c, 'a> {
    scan: &'c Scan,
    reader: &'c Reader<'a>,
    shape: &'c Shape,
}

impl Context<'_, '_> {
    /// The number of the object that `link` refers to.
    fn number(&self, (oid, kind): Link) -> u32 {
        match self.reader.find(&oid) {
            NONE => BROKEN,
            id if self.shape.known_kind(id) != Some(kind) => BROKEN,
            id => id,
        }
    }

    /// The object and the end of the entry at `at`, whose name is noted.
    fn tree_entry(
        &self,
        raw: &[u8],
        at: usize,
        cache: &mut NameCache,
    ) -> Result<(u32, u32), &'static str> {
        let entry = links::tree_entry(raw, at)?;
        let id = entry.link.map_or(FOREIGN, |link| self.number(link));
        self.scan.names.give(id, entry.name, cache);
        let end = u32::try_from(entry.end).map_err(|_| "a tree of more than 4 GiB")?;
        Ok((id, end))
    }

    /// Takes back what was counted for a tree as one that has the entries of `base`.
    fn take_back(&self, base: &Level, weight: u32) {
        base.ids.iter().for_each(|id| self.scan.sub(*id, weight));
    }

    /// Counts the references of a tree for itself and for all trees below it.
    ///
    /// Those below take back what they do not have: each tree only says how it differs.
    fn count(&self, base: &Level, level: &Level, changes: &Changes, weight: u32) {
        if changes.shuffled {
            level.ids.iter().for_each(|id| self.scan.add(*id, weight));
            self.take_back(base, weight);
            return;
        }
        for id in &changes.added {
            self.scan.add(*id, weight);
        }
        for range in &changes.dropped {
            for id in &base.ids[range.clone()] {
                self.scan.sub(*id, weight);
            }
        }
    }
}
