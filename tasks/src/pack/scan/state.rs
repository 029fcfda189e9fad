//! The scan's counts and names, and the threads that fill them.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use super::{Names, ScanError, Universe, walk::Walker};
use crate::pack::source::{Kind, Location};

/// How often each object is referred to, and its name.
pub struct Scan {
    pub(super) counts: Vec<AtomicU32>,
    pub(super) names: Names,
    /// Objects with a reference to something that is missing, or of another kind; and those that
    /// cannot be read themselves, whose references are not counted.
    pub(super) faults: Mutex<Vec<(u32, Fault)>>,
    pub(super) overflow: AtomicBool,
    roots: Vec<u32>,
}

/// What is wrong with an object that the tips may or may not reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// It refers to something that is missing or of another kind.
    Broken,
    /// It cannot be read.
    Damaged,
}

/// How many delta trees a thread takes at a time.
const TAKE: usize = 16;

impl Scan {
    /// Nothing scanned yet.
    pub fn new(universe: &Universe) -> Self {
        Self::with_names(universe, Names::new(universe.catalog.len()))
    }

    /// The same for whoever has no use for names: none will be found.
    pub fn without_names(universe: &Universe) -> Self {
        Self::with_names(universe, Names::new(0))
    }

    fn with_names(universe: &Universe, names: Names) -> Self {
        let n = universe.catalog.len();
        let mut roots: Vec<u32> = (0..n)
            .filter(|id| {
                universe.shape.base(*id).is_none() && universe.shape.kind(*id) != Kind::Blob
            })
            .collect();
        // In the order in which they lie in the packs.
        roots.sort_by_key(|id| match universe.catalog.location(*id) {
            Location::Pack { pack, position } => {
                let index = &universe.sources.packs[usize::from(pack)].index;
                (pack, index.pack_offset_at_index(position))
            }
            Location::Loose(number) => (u16::MAX, u64::from(number)),
            Location::EmptyTree => (u16::MAX, u64::MAX),
        });
        Self {
            counts: (0..n).map(|_| AtomicU32::new(0)).collect(),
            names,
            faults: Mutex::default(),
            overflow: AtomicBool::new(false),
            roots,
        }
    }

    /// The number of delta trees to scan; cursors count them.
    pub fn len(&self) -> u64 {
        self.roots.len() as u64
    }

    /// The number of objects to scan.
    pub fn objects(universe: &Universe) -> u64 {
        let scanned = |id: &u32| universe.shape.kind(*id) != Kind::Blob;
        (0..universe.catalog.len()).filter(scanned).count() as u64
    }

    /// Whether there is nothing to scan.
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// The names that were found.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Scans on from the delta tree `from`, and returns the first that was not scanned.
    ///
    /// Threads end after the delta tree that they are in once `stop` is true or `enough`, which is
    /// told how many objects were scanned by this call, says so; all trees before the returned
    /// cursor, and none after it, are then in the counts.
    pub fn run(
        &self,
        universe: &Universe,
        from: u64,
        threads: usize,
        stop: &AtomicBool,
        enough: &(dyn Fn(u64) -> bool + Sync),
    ) -> Result<u64, ScanError> {
        let from = usize::try_from(from)
            .unwrap_or(usize::MAX)
            .min(self.roots.len());
        let next = AtomicUsize::new(from);
        let halt = AtomicBool::new(false);
        let objects = AtomicU64::new(0);
        let failed: Mutex<Option<ScanError>> = Mutex::new(None);
        let work = || {
            let mut walker = Walker::new(self, universe);
            while !halt.load(Relaxed) && !stop.load(Relaxed) {
                let first = next.fetch_add(TAKE, Relaxed).min(self.roots.len());
                let last = (first + TAKE).min(self.roots.len());
                if first == last {
                    return;
                }
                for root in &self.roots[first..last] {
                    match walker.delta_tree(*root) {
                        Ok(n) => objects.fetch_add(n, Relaxed),
                        Err(error) => {
                            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                            halt.store(true, Relaxed);
                            return;
                        }
                    };
                }
                if enough(objects.load(Relaxed)) {
                    halt.store(true, Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.max(1) {
                scope.spawn(work);
            }
            work();
        });
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        if self.overflow.load(Relaxed) {
            return Err(ScanError::Overflow);
        }
        Ok(next.into_inner().min(self.roots.len()) as u64)
    }

    /// Counts `times` more references to object `id`; numbers that are no object are skipped.
    pub(super) fn add(&self, id: u32, times: u32) {
        if let Some(count) = self.counts.get(id as usize)
            && count.fetch_add(times, Relaxed).checked_add(times).is_none()
        {
            self.overflow.store(true, Relaxed);
        }
    }

    /// Takes references back that were counted before.
    pub(super) fn sub(&self, id: u32, times: u32) {
        if let Some(count) = self.counts.get(id as usize) {
            count.fetch_sub(times, Relaxed);
        }
    }
}
