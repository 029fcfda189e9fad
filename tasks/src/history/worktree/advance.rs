//! The step: old files away, new ones placed, the index written.

use std::collections::HashMap;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gix::bstr::ByteSlice as _;
use resume_runtime::{Blocking, Resumable, StepError};
use serde::{Deserialize, Serialize};

use super::away::{Away, Left};
use super::changes::Change;
use super::error::WorktreeError;
use super::index;
use super::list::{self, CHANGES};
use super::plan::Plan;
use crate::checkout::{
    self, CHUNK, CheckoutError, Placer, Staged, Stager, Trouble, What, attribute_files,
    staged_name, stat,
};
use crate::lock::Lock;
use crate::ordered::Ordered;

/// The operation's file with the stat data of what was placed.
const STATS: &str = "worktree.stat";
/// Syncs may take one part in so many of the time; tests see every slice.
const SYNCS: u32 = if cfg!(test) { 0 } else { 10 };
/// A commit is never put off for longer.
const LONGEST: Duration = Duration::from_secs(5);

/// How far a move of the working tree is: the state of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    changes: u64,
    /// Of the files that are to be placed, those that are.
    placed: u64,
}

/// What a slice ends with.
#[derive(Debug)]
pub enum Advance {
    /// There is more to do.
    More(Transition),
    /// Index and working tree have the new tree.
    Done {
        /// The number of paths that changed.
        changes: u64,
    },
}

/// Begins the operation's files anew.
pub(super) fn begin<M: Resumable>(b: &mut Blocking<M>, changes: &[u8]) -> Result<(), StepError> {
    for name in [CHANGES, STATS] {
        let mut file = b.append_file(name)?;
        if file.len() > 0 {
            file.restart()?;
        }
    }
    b.append_file(CHANGES)?.append(changes)
}

impl Transition {
    pub(super) fn new(changes: usize) -> Self {
        Self {
            changes: changes as u64,
            placed: 0,
        }
    }

    /// Whether index and working tree have the new tree already.
    pub fn is_nothing(&self) -> bool {
        self.changes == 0
    }

    /// Goes on until a commit is due.
    ///
    /// `plan` is asked once in a process; it must be the one that was checked.
    pub fn advance<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        plan: impl FnOnce(&mut Blocking<M>) -> Result<Plan, WorktreeError>,
    ) -> Result<Advance, WorktreeError> {
        let mut work = if let Some(work) = b.take_local::<Work>() {
            work
        } else {
            let plan = plan(b)?;
            if self.changes == 0 && plan.unmerged.is_empty() {
                return Ok(Advance::Done { changes: 0 });
            }
            Work::open(b, plan, &self)?
        };
        let total = work.wanted.entries().len() as u64;
        b.report(self.placed, Some(total));
        let batch = work.stage(b)?;
        let rows = work.place(b, self.first(), &batch)?;
        b.append_file(STATS)?.append(&rows)?;
        self.placed += batch.len() as u64;
        b.report(self.placed, Some(total));
        if self.placed < total {
            b.keep_local(work);
            return Ok(Advance::More(self));
        }
        work.finish(b)?;
        Ok(Advance::Done {
            changes: self.changes,
        })
    }

    fn first(&self) -> usize {
        usize::try_from(self.placed).unwrap_or(usize::MAX)
    }
}

/// What stages files.
struct Threads(Ordered<Result<Vec<Staged>, CheckoutError>>);

impl Drop for Threads {
    fn drop(&mut self) {
        // Whoever takes their place empties the directory that they write to.
        self.0.stop();
    }
}

/// What lives from slice to slice.
struct Work {
    plan: Plan,
    repository: gix::Repository,
    changes: Vec<Change>,
    /// The changes whose files are to be placed, in their order: numbers in `changes`.
    numbers: Vec<usize>,
    /// These, as an index.
    wanted: Arc<gix::index::State>,
    index: gix::index::File,
    staged: Threads,
    placer: Placer,
    staging: PathBuf,
    worktree: PathBuf,
    scratch: PathBuf,
    lock: Lock,
    /// How long the last batch took to reach the disk.
    syncing: Duration,
}

impl Work {
    fn open<M: Resumable>(
        b: &mut Blocking<M>,
        plan: Plan,
        state: &Transition,
    ) -> Result<Self, WorktreeError> {
        let scratch = plan.scratch(b.id())?;
        let worktree = plan.worktree()?;
        let lock = lock(b, &plan)?;
        let index = index::read(&plan.index())?;
        let changes = list::read_all(b.read_file(CHANGES)?).map_err(StepError::from)?;
        let repository = plan.repository.to_thread_local();
        look_again(&index, &changes, &plan)?;
        {
            let dir = scratch.join("away");
            let mut away = Away::new(&repository, &index, &worktree, dir, plan.force)?;
            away.recover(&changes)?;
            remove(b, &mut away, &changes, &worktree)?;
        }
        let numbers: Vec<usize> = (0..changes.len())
            .filter(|number| changes[*number].file && changes[*number].new.is_some())
            .collect();
        let mut wanted = gix::index::State::new(gix_hash::Kind::Sha1);
        for number in &numbers {
            let change = &changes[*number];
            if let Some(side) = change.new {
                wanted.dangerously_push_entry(
                    gix::index::entry::Stat::default(),
                    side.id,
                    gix::index::entry::Flags::empty(),
                    side.mode,
                    change.path.as_ref(),
                );
            }
        }
        let wanted = Arc::new(wanted);
        let mut to_stage = checkout::Plan::new(
            plan.repository.clone(),
            plan.to,
            worktree.clone(),
            scratch.clone(),
        );
        to_stage.treeish = plan.treeish;
        to_stage.branch.clone_from(&plan.branch);
        let staging = to_stage.staging();
        remove_dir(&staging)?;
        std::fs::create_dir_all(&staging).map_err(StepError::from)?;
        // Attributes are those of the new tree.
        let mut after = index.clone();
        index::apply(&mut after, &changes, &HashMap::new(), &[], false);
        let attributes = attribute_files(&repository, &after);
        let first = state.first();
        let total = wanted.entries().len();
        let worker = || {
            let (plan, wanted) = (to_stage.clone(), Arc::clone(&wanted));
            let attributes = attributes.clone();
            let mut stager = None;
            move |chunk: usize| -> Result<Vec<Staged>, CheckoutError> {
                let stager = match &mut stager {
                    Some(stager) => stager,
                    none => {
                        none.insert(Stager::new(&plan, Arc::clone(&wanted), attributes.clone())?)
                    }
                };
                let from = first + chunk * CHUNK;
                Ok(stager.stage(from, (from + CHUNK).min(total))?)
            }
        };
        let chunks = total.saturating_sub(first).div_ceil(CHUNK);
        let threads = plan.threads.clamp(1, chunks.max(1));
        Ok(Self {
            staged: Threads(Ordered::start(0..chunks, threads, threads * 4, worker)),
            placer: Placer::new(&worktree, &staging)?,
            plan,
            repository,
            changes,
            numbers,
            wanted,
            index,
            staging,
            worktree,
            scratch,
            lock,
            syncing: Duration::ZERO,
        })
    }

    /// What the threads staged until a commit is due.
    fn stage<M: Resumable>(&mut self, b: &Blocking<M>) -> Result<Vec<Staged>, WorktreeError> {
        let began = Instant::now();
        let least = (self.syncing * SYNCS).min(LONGEST);
        self.syncing = Duration::ZERO;
        let mut batch = Vec::new();
        while let Some(chunk) = self.staged.0.next() {
            batch.extend(chunk?);
            if b.should_yield() && (b.pause_requested() || began.elapsed() >= least) {
                break;
            }
        }
        Ok(batch)
    }

    /// Places a batch, from the `first` of the wanted files on, and gives the stat data.
    fn place<M: Resumable>(
        &mut self,
        b: &Blocking<M>,
        first: usize,
        batch: &[Staged],
    ) -> Result<Vec<u8>, WorktreeError> {
        let mut rows = Vec::new();
        if batch.is_empty() {
            return Ok(rows);
        }
        let began = Instant::now();
        self.sync_staged(b, first, batch)?;
        let dir = self.scratch.join("away");
        let mut away = Away::new(
            &self.repository,
            &self.index,
            &self.worktree,
            dir,
            self.plan.force,
        )?;
        let (mut edited, mut unwritten) = (Vec::new(), Vec::new());
        for (at, staged) in (first..).zip(batch) {
            let number = self.numbers[at];
            let change = &self.changes[number];
            let path = change.path.as_bstr();
            if staged.what == What::Nothing {
                let reason = staged.remark.as_deref().unwrap_or_default();
                unwritten.push(format!("{path:?}: {reason}"));
                continue;
            }
            let left = away.take(number, change)?;
            if left == Left::Foreign {
                edited.push(change.path.clone());
                continue;
            }
            let mode = self.wanted.entries()[at].mode;
            match self.placer.place(at, path, mode, staged.what) {
                Ok(placed) => stat::write(&placed, &mut rows),
                Err(Trouble::Reason(reason)) => unwritten.push(format!("{path:?}: {reason}")),
                Err(Trouble::Step(error)) => return Err(error.into()),
            }
        }
        let mut touched = self.placer.take_touched();
        touched.extend(away.dirs.take_touched());
        touched.retain(|dir| dir.exists());
        b.sync_all(&self.worktree, touched)?;
        self.syncing = began.elapsed();
        if !edited.is_empty() {
            return Err(WorktreeError::Edited { paths: edited });
        }
        if !unwritten.is_empty() {
            unwritten.truncate(8);
            return Err(WorktreeError::Unwritten { reasons: unwritten });
        }
        Ok(rows)
    }

    fn sync_staged<M: Resumable>(
        &self,
        b: &Blocking<M>,
        first: usize,
        batch: &[Staged],
    ) -> Result<(), StepError> {
        let files = (first..)
            .zip(batch)
            .filter(|(_, staged)| staged.what == What::File)
            .map(|(number, _)| self.staging.join(staged_name(number)));
        b.sync_all(&self.staging, files.chain([self.staging.clone()]))
    }

    /// Writes the index and gives the lock back.
    fn finish<M: Resumable>(self, b: &mut Blocking<M>) -> Result<(), WorktreeError> {
        let mut rows = BufReader::with_capacity(1 << 18, b.read_file(STATS)?);
        let mut stats = HashMap::new();
        for number in &self.numbers {
            let row = stat::read(&mut rows).map_err(StepError::from)?;
            stats.insert(*number, row);
        }
        let Self {
            plan,
            changes,
            mut index,
            scratch,
            mut lock,
            staged,
            ..
        } = self;
        drop(staged);
        index::apply(&mut index, &changes, &stats, &plan.unmerged, plan.unstaged);
        let mut bytes = Vec::new();
        let write = index.write_to(&mut bytes, gix::index::write::Options::default());
        write.map_err(|error| StepError::fatal(error.to_string()))?;
        let file = lock.file().map_err(StepError::from)?;
        std::io::Write::write_all(file, &bytes).map_err(StepError::from)?;
        lock.commit(b).map_err(StepError::from)?;
        remove_dir(&scratch)?;
        let beside = plan.beside_index(b.id());
        let above = |dir: &std::path::Path| dir.parent().map(std::path::Path::to_owned);
        for dir in [Some(beside.clone()), above(&beside), above(&scratch)] {
            // Not empty where something else of the operation lies in it.
            let _ = dir.map(std::fs::remove_dir);
        }
        let mut dirs = scratch.ancestors().skip(1);
        if let Some(there) = dirs.find(|dir| dir.exists()) {
            b.sync(there)?;
        }
        Ok(())
    }
}

/// Takes Git's lock on the index.
fn lock<M: Resumable>(b: &Blocking<M>, plan: &Plan) -> Result<Lock, WorktreeError> {
    let path = plan.index();
    // Git does not wait for it either.
    let taken = Lock::take_within(&path, &plan.beside_index(b.id()), Duration::ZERO, b);
    taken.map_err(|error| {
        if error.kind() == std::io::ErrorKind::ResourceBusy {
            let lock = path.with_file_name("index.lock");
            WorktreeError::Locked { lock }
        } else {
            StepError::from(error).into()
        }
    })
}

/// The index must have what it had when it was looked at, or what it is to have.
fn look_again(
    index: &gix::index::File,
    changes: &[Change],
    plan: &Plan,
) -> Result<(), WorktreeError> {
    if plan.force {
        return Ok(());
    }
    let conflicting = |change: &&Change| plan.unmerged.iter().any(|s| s.path == change.path);
    let edited: Vec<_> = changes
        .iter()
        .filter(|change| {
            let now = index::side(index, change.path.as_ref());
            now != change.old && now != change.new && !conflicting(change)
        })
        .map(|change| change.path.clone())
        .collect();
    if edited.is_empty() {
        return Ok(());
    }
    Err(WorktreeError::Edited { paths: edited })
}

/// Removes the files that are to go, with the directories that get empty.
fn remove<M: Resumable>(
    b: &Blocking<M>,
    away: &mut Away<'_>,
    changes: &[Change],
    worktree: &std::path::Path,
) -> Result<(), WorktreeError> {
    let mut edited = Vec::new();
    let going = changes.iter().enumerate();
    for (number, change) in going.filter(|(_, change)| change.file && change.new.is_none()) {
        match away.take(number, change)? {
            Left::Foreign => edited.push(change.path.clone()),
            _ => away.prune(change.path.as_ref())?,
        }
    }
    let mut touched = away.dirs.take_touched();
    touched.retain(|dir| dir.exists());
    if !touched.is_empty() {
        b.sync_all(worktree, touched)?;
    }
    if edited.is_empty() {
        return Ok(());
    }
    Err(WorktreeError::Edited { paths: edited })
}

fn remove_dir(dir: &std::path::Path) -> Result<(), StepError> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
