//! What is done to the processes of a run, and when.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{Cut, Disk};
use super::finding::{Fault, Point};
use crate::error::StepError;
use crate::faults::{Faults, Moment, Struck};
use crate::pause::{PauseFlag, PausedBy};
use crate::records;
use crate::store::{MemoryStore, ReadTxn, Store, StoreError, WriteTxn};

/// How a run answers when a step asks whether it should yield.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pacing {
    /// Always no.
    Rarely,
    /// Every so many times yes.
    Every(u64),
    /// By chance, one time in so many.
    Sometimes { seed: u64, in_all: u64 },
}

/// One thing that is done to a process.
#[derive(Clone, Copy, Debug)]
pub(super) enum Strike {
    Crash(Point, Cut),
    /// A pause is asked for at this question.
    Pause(u64),
    Fault(Fault),
}

/// How often things happened since a run began, over all its processes.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) questions: AtomicU64,
    pub(super) syncs: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) transactions: AtomicU64,
    /// The number of the last commit.
    pub(super) commits: AtomicU64,
}

fn next(count: &AtomicU64) -> u64 {
    count.fetch_add(1, Ordering::Relaxed) + 1
}

/// How much a run may do before it counts as one that never ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) questions: u64,
    pub(super) commits: u64,
}

/// A run's strikes, one after the other; its counts; and whether the process at
/// hand lives.
pub(super) struct Strikes {
    pub(super) disk: Arc<Disk>,
    pub(super) store: MemoryStore,
    pub(super) counts: Counts,
    pub(super) pause: Arc<Mutex<Arc<PauseFlag>>>,
    pacing: Pacing,
    limits: Limits,
    id: &'static str,
    work: Option<Arc<AtomicU64>>,
    queue: Mutex<VecDeque<Strike>>,
    /// Stays true until the process has ended.
    disk_is_full: AtomicBool,
    dead: AtomicBool,
    struck: Mutex<Option<Strike>>,
    for_ever: AtomicBool,
    trouble: Mutex<Option<io::Error>>,
    /// The checkpoints that were committed.
    checkpoints: Mutex<Vec<String>>,
    /// What the counter of work said at the last commit.
    committed_work: AtomicU64,
    lost_work: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Strikes {
    pub(super) fn new(
        disk: Arc<Disk>,
        id: &'static str,
        pacing: Pacing,
        strikes: &[Strike],
        limits: Limits,
        work: Option<Arc<AtomicU64>>,
    ) -> Self {
        Self {
            disk,
            store: MemoryStore::new(),
            counts: Counts::default(),
            pause: Arc::default(),
            pacing,
            limits,
            id,
            work,
            queue: Mutex::new(strikes.iter().copied().collect()),
            disk_is_full: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            struck: Mutex::default(),
            for_ever: AtomicBool::new(false),
            trouble: Mutex::default(),
            checkpoints: Mutex::default(),
            committed_work: AtomicU64::new(0),
            lost_work: AtomicU64::new(0),
        }
    }

    /// A new process begins.
    pub(super) fn begin(&self) -> Arc<PauseFlag> {
        self.disk_is_full.store(false, Ordering::SeqCst);
        self.dead.store(false, Ordering::SeqCst);
        *lock(&self.struck) = None;
        let flag = Arc::<PauseFlag>::default();
        *lock(&self.pause) = Arc::clone(&flag);
        flag
    }

    /// What was done to the process at hand.
    pub(super) fn struck(&self) -> Option<Strike> {
        *lock(&self.struck)
    }

    /// Whether the process at hand was crashed.
    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    pub(super) fn runs_for_ever(&self) -> bool {
        self.for_ever.load(Ordering::SeqCst)
    }

    /// Ends the process at hand: what it still does counts for nothing.
    pub(super) fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    /// What went wrong with the harness's own files.
    pub(super) fn trouble(&self) -> Option<io::Error> {
        lock(&self.trouble).take()
    }

    pub(super) fn checkpoints(&self) -> Vec<String> {
        lock(&self.checkpoints).clone()
    }

    /// Work that was counted and lost with what was not committed.
    pub(super) fn lost_work(&self) -> u64 {
        self.lost_work.load(Ordering::SeqCst)
    }

    /// Takes the next strike if it is due.
    fn take(&self, due: impl Fn(&Strike) -> bool) -> Option<Strike> {
        let mut queue = lock(&self.queue);
        let strike = *queue.front().filter(|strike| due(strike))?;
        queue.pop_front();
        *lock(&self.struck) = Some(strike);
        Some(strike)
    }

    fn crashes(&self, at: Point) -> bool {
        let crash = self.take(|strike| matches!(strike, Strike::Crash(point, _) if *point == at));
        if crash.is_some() {
            self.kill();
        }
        self.is_dead()
    }

    fn fails(&self, with: Fault) -> bool {
        self.take(|strike| matches!(strike, Strike::Fault(fault) if *fault == with))
            .is_some()
    }

    /// Leaves the step where it stands, as a crash does.
    fn unwind(&self) -> ! {
        self.kill();
        std::panic::resume_unwind(Box::new("struck by the harness"));
    }

    fn never_ends(&self) {
        self.for_ever.store(true, Ordering::SeqCst);
        self.kill();
    }

    fn note_commit(&self, number: u64) {
        self.counts.commits.store(number, Ordering::SeqCst);
        if let Some(work) = &self.work {
            self.committed_work
                .store(work.load(Ordering::SeqCst), Ordering::SeqCst);
        }
        let read = self.store.read(&mut |txn: &dyn ReadTxn| {
            if let Some(op) = records::get(txn, self.id)? {
                lock(&self.checkpoints).push(op.state.checkpoint);
            }
            Ok(())
        });
        if let Err(error) = read {
            lock(&self.trouble).get_or_insert(io::Error::other(error));
        }
    }
}

impl Faults for Strikes {
    fn starts(&self) {
        if let Some(work) = &self.work {
            let now = work.load(Ordering::SeqCst);
            let committed = self.committed_work.swap(now, Ordering::SeqCst);
            self.lost_work.fetch_add(now - committed, Ordering::SeqCst);
        }
    }

    fn commit(&self, number: u64, moment: Moment) -> Result<(), Struck> {
        if moment == Moment::After {
            self.note_commit(number);
        }
        if number > self.limits.commits {
            self.never_ends();
        }
        if self.crashes(Point::Commit(number, moment)) {
            return Err(Struck::Crash);
        }
        if moment == Moment::Before && self.fails(Fault::RolledBack(number)) {
            return Err(Struck::Error(StepError::transient(
                "the slice was rolled back by the harness",
            )));
        }
        Ok(())
    }

    fn write(&self, _: &Path, _: usize) -> io::Result<()> {
        let number = next(&self.counts.writes);
        if self.is_dead() {
            self.unwind();
        }
        if self.fails(Fault::DiskFull(number)) {
            self.disk_is_full.store(true, Ordering::SeqCst);
        }
        if self.disk_is_full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync(&self, path: &Path, _: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        if !self.disk.covers(path) {
            return Ok(());
        }
        let number = next(&self.counts.syncs);
        if self.crashes(Point::Sync(number)) {
            self.unwind();
        }
        if self.fails(Fault::SyncFailed(number)) {
            return Err(rustix::io::Errno::IO.into());
        }
        if self.fails(Fault::SyncTimedOut(number)) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // The model stands for the disk: the real one need not be waited for.
        std::fs::metadata(path)?;
        if let Err(error) = self.disk.synced(path) {
            lock(&self.trouble).get_or_insert(error);
        }
        Ok(())
    }

    fn is_due(&self) -> bool {
        let number = next(&self.counts.questions);
        if number > self.limits.questions {
            self.never_ends();
        }
        if self.is_dead() {
            self.unwind();
        }
        if self
            .take(|strike| matches!(strike, Strike::Pause(at) if *at == number))
            .is_some()
        {
            lock(&self.pause).raise(PausedBy::Caller);
            return true;
        }
        match self.pacing {
            Pacing::Rarely => false,
            Pacing::Every(stride) => number.is_multiple_of(stride),
            Pacing::Sometimes { seed, in_all } => {
                fastrand::Rng::with_seed(seed ^ number).u64(0..in_all) == 0
            }
        }
    }
}

/// The run's store, as the process at hand sees it.
pub(super) struct Shaky(pub(super) Arc<Strikes>);

impl Store for Shaky {
    fn read(
        &self,
        body: &mut dyn FnMut(&dyn ReadTxn) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.0.store.read(body)
    }

    fn write(
        &self,
        body: &mut dyn FnMut(&mut dyn WriteTxn) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let strikes = &self.0;
        let number = next(&strikes.counts.transactions);
        if strikes.crashes(Point::Transaction(number)) {
            return Err(StoreError::Closed);
        }
        if strikes.fails(Fault::TransactionFailed(number)) {
            return Err(StoreError::Backend("refused by the harness".into()));
        }
        strikes.store.write(body)
    }
}
