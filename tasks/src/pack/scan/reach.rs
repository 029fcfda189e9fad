//! Peeling off what no tip reaches.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{MutexGuard, PoisonError};

use super::{
    Names, Scan, ScanError, Set, Universe,
    along::read_along,
    gaps::Gap,
    links::{self, Link},
    state::Fault,
};
use crate::pack::source::{Kind, NONE, Reader, hex};

/// The objects that some tips reach.
pub struct Reached {
    objects: Set,
}

impl Reached {
    /// Takes everything away that `tips` do not reach; the scan must be complete.
    ///
    /// `stop` ends it with [`ScanError::Stopped`] once it is true. What is missing or damaged is no
    /// fault here: see [`Scan::check`].
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
            damaged: Set::new(n),
            loose_ends: Vec::new(),
            trees: Vec::new(),
            stop,
        };
        for tip in tips {
            peel.tips.put(*tip);
        }
        for (id, fault) in &*scan.faults() {
            if *fault == Fault::Damaged {
                peel.damaged.put(*id);
            }
        }
        peel.run()?;
        Ok(Self {
            objects: peel.gone.complement(n),
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
}

impl Scan {
    /// Whether the `included` objects can be read, and what they refer to is there and of the right
    /// kind.
    pub fn check(
        &self,
        universe: &Universe,
        included: impl Fn(u32) -> bool,
    ) -> Result<(), ScanError> {
        let faults = self.faults();
        let faults = faults.iter().map(|(id, _)| *id);
        let faults = faults.chain(universe.shape.damaged());
        match faults.filter(|id| included(*id)).min() {
            Some(id) => Err(diagnose(universe, id)),
            None => Ok(()),
        }
    }

    /// Whether anything that was scanned so far is damaged, or refers to what is missing or of
    /// another kind.
    pub fn has_faults(&self) -> bool {
        !self.faults().is_empty()
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Vec<(u32, Fault)>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the tips reach, and the order of the names.
pub struct Reach {
    objects: Set,
    names: Names,
    places: Vec<u32>,
}

impl Reach {
    /// Takes everything away that `tips` do not reach; the scan must be complete.
    ///
    /// `stop` ends it with [`ScanError::Stopped`] once it is true. Objects that are damaged, missing
    /// or of the wrong kind are an error where they remain or a remaining object refers to them.
    pub fn of(
        universe: &Universe,
        scan: Scan,
        tips: &[u32],
        stop: &AtomicBool,
    ) -> Result<Self, ScanError> {
        let Reached { objects } = Reached::of(universe, &scan, tips, stop)?;
        scan.check(universe, |id| objects.has(id))?;
        Ok(Self::new(objects, scan.names))
    }

    /// The same where what is missing may be so: it is told, by id, and is no error.
    pub fn with_gaps(
        universe: &Universe,
        scan: Scan,
        tips: &[u32],
        stop: &AtomicBool,
    ) -> Result<(Self, Vec<Gap>), ScanError> {
        let Reached { objects } = Reached::of(universe, &scan, tips, stop)?;
        let gaps = scan.gaps(universe, |id| objects.has(id), stop)?;
        Ok((Self::new(objects, scan.names), gaps))
    }

    /// These objects, with the names that were found for them.
    pub(super) fn new(objects: Set, names: Names) -> Self {
        Self {
            objects,
            places: names.places(),
            names,
        }
    }

    /// Leaves out what is held elsewhere.
    pub fn leave_out(&mut self, held: &Set) {
        self.objects.remove_all(held);
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
    /// Objects whose references were not counted.
    damaged: Set,
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
        if self.tips.has(id) || !self.gone.put(id) || self.damaged.has(id) {
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
        let cut = kind == Kind::Commit && self.universe.shallow.contains(&id);
        let mut held = Vec::new();
        links::of(kind, content, |(oid, kind)| {
            let target = self.reader.find(&oid);
            let counted = target != NONE && self.universe.shape.known_kind(target) == Some(kind);
            if counted && !(cut && kind == Kind::Commit) {
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
        read_along(self.universe, round, self.stop, |id, content| {
            self.release(id, content)
        })
    }
}

/// What is wrong with `id`, or with which of its references.
pub(super) fn diagnose(universe: &Universe, id: u32) -> ScanError {
    let (sources, catalog, shape) = (&universe.sources, &universe.catalog, &universe.shape);
    if let Some(damage) = shape.damage(sources, catalog, id) {
        return damage.into();
    }
    let mut reader = Reader::new(sources, catalog);
    let kind = shape.kind(id);
    let mut content = Vec::new();
    if let Err(mut error) = reader.object(id, &mut content) {
        // Rather the entry that is damaged than one that is made of it.
        let mut at = id;
        while let Some(base) = shape.base(at)
            && let Err(deeper) = reader.object(base, &mut content)
        {
            (at, error) = (base, deeper);
        }
        return error.into();
    }
    let cut = universe.shallow.contains(&id);
    let mut first = None;
    let parsed = links::of(kind, &content, |link| {
        if first.is_none() && !(cut && link.1 == Kind::Commit) {
            first = fault(universe, &reader, (id, kind), link);
        }
    });
    match (parsed, first) {
        (Ok(()), Some(error)) => error,
        (Err(why), _) => reader.damaged(id, why).into(),
        _ => reader
            .damaged(id, "its references changed while it was read")
            .into(),
    }
}

/// What is wrong with a reference of the object `by`, if anything is.
pub(super) fn fault(
    universe: &Universe,
    reader: &Reader<'_>,
    (by, kind): (u32, Kind),
    (oid, expected): Link,
) -> Option<ScanError> {
    let (sources, catalog, shape) = (&universe.sources, &universe.catalog, &universe.shape);
    let needed_by = || hex(&reader.oid(by));
    let target = reader.find(&oid);
    if target == NONE {
        let missing = || ScanError::Missing {
            id: hex(&oid),
            kind: kind.name(),
            needed_by: needed_by(),
            within: String::new(),
        };
        return Some(sources.damage(&oid).map_or_else(missing, ScanError::from));
    }
    match shape.known_kind(target) {
        None => shape.damage(sources, catalog, target).map(ScanError::from),
        Some(found) if found != expected => Some(ScanError::WrongKind {
            id: hex(&oid),
            found: found.name(),
            expected: expected.name(),
            kind: kind.name(),
            by: needed_by(),
        }),
        Some(_) => None,
    }
}
