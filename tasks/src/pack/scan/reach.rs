//! Peeling off what no tip reaches.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{Names, Scan, ScanError, Universe, links};
use crate::pack::{
    delta,
    source::{Kind, NONE, Reader, hex},
};

/// A set of object numbers, a bit each.
pub struct Set(Vec<u64>);

impl Set {
    fn new(n: u32) -> Self {
        Self(vec![0; n as usize / 64 + 1])
    }

    /// Whether `id` is in the set.
    pub fn has(&self, id: u32) -> bool {
        self.0[id as usize / 64] >> (id % 64) & 1 == 1
    }

    /// Puts `id` in; whether it was not there before.
    fn put(&mut self, id: u32) -> bool {
        let fresh = !self.has(id);
        self.0[id as usize / 64] |= 1 << (id % 64);
        fresh
    }
}

/// The objects that some tips reach.
pub struct Reached {
    gone: Set,
    n: u32,
}

impl Reached {
    /// Takes everything away that `tips` do not reach; the scan must be complete.
    ///
    /// `stop` ends it with [`ScanError::Stopped`] once it is true. What is missing is no fault here:
    /// see [`Scan::check`].
    pub fn of(
        universe: &Universe,
        scan: &Scan,
        tips: &[u32],
        stop: &AtomicBool,
    ) -> Result<Self, ScanError> {
        let n = universe.catalog.len();
        let mut peel = Peel {
            universe,
            reader: Reader::new(&universe.sources, &universe.catalog),
            counts: scan
                .counts
                .iter()
                .map(|count| count.load(Relaxed))
                .collect(),
            tips: Set::new(n),
            gone: Set::new(n),
            loose_ends: Vec::new(),
            trees: Vec::new(),
            stop,
        };
        for tip in tips {
            peel.tips.put(*tip);
        }
        peel.run()?;
        Ok(Self { gone: peel.gone, n })
    }

    /// Whether a tip reaches object `id`.
    pub fn has(&self, id: u32) -> bool {
        !self.gone.has(id)
    }

    /// The number of objects that the tips reach.
    pub fn len(&self) -> u32 {
        let gone: u32 = self.gone.0.iter().map(|word| word.count_ones()).sum();
        self.n - gone
    }

    /// Whether the tips reach nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Scan {
    /// Whether what the `included` objects refer to is there, and of the right kind.
    pub fn check(
        &self,
        universe: &Universe,
        included: impl Fn(u32) -> bool,
    ) -> Result<(), ScanError> {
        let broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        match broken.iter().filter(|id| included(**id)).min() {
            Some(id) => Err(diagnose(universe, *id)),
            None => Ok(()),
        }
    }
}

/// What the tips reach, and the order of the names.
pub struct Reach {
    objects: Reached,
    names: Names,
    places: Vec<u32>,
}

impl Reach {
    /// Takes everything away that `tips` do not reach; the scan must be complete.
    ///
    /// `stop` ends it with [`ScanError::Stopped`] once it is true. Objects that are missing, or of
    /// the wrong kind, are an error where a remaining object refers to them.
    pub fn of(
        universe: &Universe,
        scan: Scan,
        tips: &[u32],
        stop: &AtomicBool,
    ) -> Result<Self, ScanError> {
        let objects = Reached::of(universe, &scan, tips, stop)?;
        scan.check(universe, |id| objects.has(id))?;
        Ok(Self {
            objects,
            places: scan.names.places(),
            names: scan.names,
        })
    }

    /// Whether a tip reaches object `id`.
    pub fn has(&self, id: u32) -> bool {
        self.objects.has(id)
    }

    /// The number of objects that the tips reach.
    pub fn len(&self) -> u32 {
        self.objects.len()
    }

    /// Whether the tips reach nothing.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The place of an object's name in the order of all names; 0 where it has none.
    pub fn name_place(&self, id: u32) -> u32 {
        self.places[self.names.number_of(id) as usize]
    }
}

struct Peel<'a> {
    universe: &'a Universe,
    reader: Reader<'a>,
    counts: Vec<u32>,
    tips: Set,
    gone: Set,
    /// Commits and tags that were found unreachable and still hold their references.
    loose_ends: Vec<u32>,
    /// Trees of that sort.
    trees: Vec<u32>,
    stop: &'a AtomicBool,
}

impl Peel<'_> {
    fn run(&mut self) -> Result<(), ScanError> {
        for id in 0..self.universe.catalog.len() {
            if self.counts[id as usize] == 0 {
                self.drop(id);
            }
        }
        loop {
            let mut content = Vec::new();
            while let Some(id) = self.loose_ends.pop() {
                self.check()?;
                self.reader.object(id, &mut content)?;
                self.release(id, &content)?;
            }
            if self.trees.is_empty() {
                return Ok(());
            }
            // Trees by the level: as many rounds as directories are deep, each along the delta trees.
            let round = std::mem::take(&mut self.trees);
            self.release_trees(&round)?;
        }
    }

    fn check(&self) -> Result<(), ScanError> {
        if self.stop.load(Relaxed) {
            return Err(ScanError::Stopped);
        }
        Ok(())
    }

    /// Takes `id`, which nothing refers to, away, unless it is a tip.
    fn drop(&mut self, id: u32) {
        if self.tips.has(id) || !self.gone.put(id) {
            return;
        }
        match self.universe.shape.kind(id) {
            Kind::Blob => {}
            Kind::Tree => self.trees.push(id),
            Kind::Commit | Kind::Tag => self.loose_ends.push(id),
        }
    }

    /// Takes back the references of `id`.
    fn release(&mut self, id: u32, content: &[u8]) -> Result<(), ScanError> {
        let kind = self.universe.shape.kind(id);
        let mut held = Vec::new();
        links::of(kind, content, |(oid, kind)| {
            let target = self.reader.find(&oid);
            if target != NONE && self.universe.shape.kind(target) == kind {
                held.push(target);
            }
        })
        .map_err(|why| self.reader.damaged(id, why))?;
        for target in held {
            self.counts[target as usize] -= 1;
            if self.counts[target as usize] == 0 {
                self.drop(target);
            }
        }
        Ok(())
    }

    /// Takes back the references of these trees, each made from its base once.
    fn release_trees(&mut self, round: &[u32]) -> Result<(), ScanError> {
        let universe = self.universe;
        let (mut wanted, mut on_the_way) = (
            Set::new(universe.catalog.len()),
            Set::new(universe.catalog.len()),
        );
        let mut roots = Vec::new();
        for &id in round {
            wanted.put(id);
            let mut at = id;
            while on_the_way.put(at) {
                let Some(base) = universe.shape.base(at) else {
                    roots.push(at);
                    break;
                };
                at = base;
            }
        }
        let mut levels: Vec<Vec<u8>> = Vec::new();
        let (mut pending, mut instructions) = (Vec::new(), Vec::new());
        for root in roots {
            pending.push((root, 0));
            while let Some((id, depth)) = pending.pop() {
                self.check()?;
                if levels.len() <= depth {
                    levels.push(Vec::new());
                }
                let (bases, rest) = levels.split_at_mut(depth);
                let content = &mut rest[0];
                content.clear();
                if let Some(base) = bases.last() {
                    instructions.clear();
                    self.reader.payload(id, &mut instructions)?;
                    delta::apply(base, &instructions, content, |_, _, _| {})
                        .map_err(|why| self.reader.damaged(id, why))?;
                } else {
                    self.reader.payload(id, content)?;
                }
                if wanted.has(id) {
                    let content = std::mem::take(content);
                    self.release(id, &content)?;
                    levels[depth] = content;
                }
                let children = universe.children.get(id).iter();
                let children = children.filter(|child| on_the_way.has(**child));
                pending.extend(children.map(|child| (*child, depth + 1)));
            }
        }
        Ok(())
    }
}

/// Which reference of `id` is broken, and how.
fn diagnose(universe: &Universe, id: u32) -> ScanError {
    let mut reader = Reader::new(&universe.sources, &universe.catalog);
    let kind = universe.shape.kind(id);
    let mut content = Vec::new();
    if let Err(error) = reader.object(id, &mut content) {
        return error.into();
    }
    let by = hex(&reader.oid(id));
    let mut first = None;
    let parsed = links::of(kind, &content, |(oid, expected)| {
        if first.is_some() {
            return;
        }
        first = match reader.find(&oid) {
            NONE => Some(match universe.sources.damage(&oid) {
                Some(damage) => damage.into(),
                None => ScanError::Missing {
                    id: hex(&oid),
                    kind: kind.name(),
                    needed_by: by.clone(),
                },
            }),
            target if universe.shape.kind(target) != expected => Some(ScanError::WrongKind {
                id: hex(&oid),
                found: universe.shape.kind(target).name(),
                expected: expected.name(),
                kind: kind.name(),
                by: by.clone(),
            }),
            _ => None,
        };
    });
    match (parsed, first) {
        (Ok(()), Some(error)) => error,
        _ => reader
            .damaged(id, "its references changed while it was read")
            .into(),
    }
}
