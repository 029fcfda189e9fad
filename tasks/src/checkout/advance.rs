//! The step: stage a batch, put it on disk, place it, put the names on disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use resume_runtime::{Blocking, Resumable, StepError};
use serde::{Deserialize, Serialize};

use super::convert::attribute_files;
use super::dirs::Trouble;
use super::error::{self, CheckoutError};
use super::place::Placer;
use super::plan::Plan;
use super::rows;
use super::stage::{self, CHUNK, Staged, Stager, What};
use crate::ordered::Ordered;

/// The operation's file with the stat data.
pub(super) const ROWS: &str = "checkout.stat";
/// So many remarks are kept, so that a state stays small.
const REMARKS: usize = 8;
/// A remark is cut to about this length.
const REMARK: usize = 400;
/// Syncs may take one part in so many of the time; tests see every slice.
const SYNCS: u32 = if cfg!(test) { 0 } else { 10 };
/// A commit is never put off for longer.
const LONGEST: Duration = Duration::from_secs(5);

/// How far a checkout is: the state of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    /// The entries that are done, in the order of the index.
    done: u64,
    written: Written,
}

/// What was written so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Files and symbolic links.
    pub files: u64,
    /// Their content in bytes.
    pub bytes: u64,
    /// Entries that could not be written.
    pub left_out: u64,
    /// What there is to say about some of them: the path, quoted and escaped, and why. The journal
    /// has more.
    pub remarks: Vec<String>,
}

/// What a slice ends with.
#[derive(Debug)]
pub enum Advance {
    /// There is more to do.
    More(Checkout),
    /// All is in place; the index is to be written.
    Done(Written),
}

/// What lives from slice to slice.
struct Work {
    index: Arc<gix::index::State>,
    staged: Ordered<Result<Vec<Staged>, CheckoutError>>,
    placer: Placer,
    staging: PathBuf,
    worktree: PathBuf,
    /// How long the last batch took to reach the disk.
    syncing: Duration,
    #[cfg(test)]
    counter: Arc<std::sync::atomic::AtomicU64>,
}

impl Checkout {
    /// Writes files until a commit is due.
    ///
    /// `plan` is asked once in a process. It must be the same each time; a target that is gone, or
    /// cannot be written, is an error of the step.
    pub fn advance<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        plan: impl FnOnce(&mut Blocking<M>) -> Result<Plan, CheckoutError>,
    ) -> Result<Advance, CheckoutError> {
        let mut work = match b.take_local::<Work>() {
            Some(work) => work,
            None => Work::open(&plan(b)?, &self)?,
        };
        let total = work.index.entries().len();
        self.report(b, total);
        let batch = work.stage(b)?;
        work.sync_staged(b, &self, &batch)?;
        let rows = self.place(b, &mut work, &batch)?;
        b.append_file(ROWS)?.append(&rows)?;
        self.report(b, total);
        if self.done < total as u64 {
            b.keep_local(work);
            return Ok(Advance::More(self));
        }
        work.close(b)?;
        Ok(Advance::Done(self.written))
    }

    /// How much is written.
    pub fn written(&self) -> &Written {
        &self.written
    }

    fn report<M: Resumable>(&self, b: &Blocking<M>, total: usize) {
        b.report(self.done, Some(total as u64));
        b.report_bytes(self.written.bytes, None);
    }

    fn place<M: Resumable>(
        &mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
        batch: &[Staged],
    ) -> Result<Vec<u8>, StepError> {
        let began = Instant::now();
        let mut placed = Vec::with_capacity(batch.len() * rows::LEN);
        let first = self.first();
        for (number, staged) in (first..).zip(batch) {
            let entry = &work.index.entries()[number];
            let path = entry.path(&work.index);
            let stat = match work.placer.place(number, path, entry.mode, staged.what) {
                Ok(stat) => {
                    self.count(staged);
                    if let Some(remark) = &staged.remark {
                        self.remark(b, path, remark);
                    }
                    stat
                }
                Err(Trouble::Reason(reason)) => {
                    self.written.left_out += 1;
                    self.remark(b, path, &reason);
                    gix::index::entry::Stat::default()
                }
                Err(Trouble::Step(error)) => return Err(error),
            };
            rows::write(&stat, &mut placed);
            self.done += 1;
        }
        b.sync_all(&work.worktree, work.placer.take_touched())?;
        work.syncing += began.elapsed();
        Ok(placed)
    }

    fn first(&self) -> usize {
        usize::try_from(self.done).unwrap_or(usize::MAX)
    }

    fn count(&mut self, staged: &Staged) {
        match staged.what {
            What::File | What::Link => {
                self.written.files += 1;
                self.written.bytes += staged.bytes;
            }
            What::Submodule => {}
            What::Nothing => self.written.left_out += 1,
        }
    }

    fn remark<M: Resumable>(&mut self, b: &mut Blocking<M>, path: &gix::bstr::BStr, remark: &str) {
        let mut text = format!("{path:?}: ");
        for c in remark.chars() {
            if c.is_control() {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        if let Some((end, _)) = text.char_indices().nth(REMARK) {
            text.truncate(end);
            text.push_str("...");
        }
        if self.written.remarks.len() < REMARKS {
            self.written.remarks.push(text.clone());
        }
        b.note(format!("checkout: {text}"));
    }
}

impl Work {
    fn open(plan: &Plan, state: &Checkout) -> Result<Self, CheckoutError> {
        let index = Arc::new(plan.list()?);
        let (first, total) = (state.first(), index.entries().len());
        if first > total {
            let said = "the tree is not the one that this checkout began with";
            return Err(StepError::fatal(said).into());
        }
        let staging = plan.staging();
        remove(&staging)?;
        std::fs::create_dir_all(&staging).map_err(error::io(&staging))?;
        let placer = Placer::new(&plan.worktree, &staging)?;
        let attributes = attribute_files(&plan.repository.to_thread_local(), &index);
        let worker = || {
            let (plan, index) = (plan.clone(), Arc::clone(&index));
            let attributes = attributes.clone();
            let mut stager = None;
            move |chunk: usize| -> Result<Vec<Staged>, CheckoutError> {
                let stager = match &mut stager {
                    Some(stager) => stager,
                    none => {
                        none.insert(Stager::new(&plan, Arc::clone(&index), attributes.clone())?)
                    }
                };
                let from = first + chunk * CHUNK;
                Ok(stager.stage(from, (from + CHUNK).min(total))?)
            }
        };
        let chunks = (total - first).div_ceil(CHUNK);
        let threads = plan.threads.clamp(1, chunks.max(1));
        Ok(Self {
            staged: Ordered::start(0..chunks, threads, threads * 4, worker),
            index,
            placer,
            staging,
            worktree: plan.worktree.clone(),
            syncing: Duration::ZERO,
            #[cfg(test)]
            counter: Arc::clone(&plan.staged),
        })
    }

    /// What the threads staged until a commit is due.
    fn stage<M: Resumable>(&mut self, b: &Blocking<M>) -> Result<Vec<Staged>, CheckoutError> {
        let began = Instant::now();
        let least = (self.syncing * SYNCS).min(LONGEST);
        self.syncing = Duration::ZERO;
        let mut batch = Vec::new();
        while let Some(chunk) = self.staged.next() {
            let chunk = chunk?;
            #[cfg(test)]
            self.counter
                .fetch_add(chunk.len() as u64, std::sync::atomic::Ordering::Relaxed);
            batch.extend(chunk);
            if b.should_yield() && (b.pause_requested() || began.elapsed() >= least) {
                break;
            }
        }
        Ok(batch)
    }

    fn sync_staged<M: Resumable>(
        &mut self,
        b: &Blocking<M>,
        state: &Checkout,
        batch: &[Staged],
    ) -> Result<(), StepError> {
        if batch.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        let files = (state.first()..)
            .zip(batch)
            .filter(|(_, staged)| staged.what == What::File)
            .map(|(number, _)| self.staging.join(stage::name(number)));
        b.sync_all(&self.staging, files.chain([self.staging.clone()]))?;
        self.syncing = began.elapsed();
        Ok(())
    }

    /// Removes what is left of staging.
    fn close<M: Resumable>(self, b: &Blocking<M>) -> Result<(), StepError> {
        let staging = self.staging.clone();
        drop(self);
        remove(&staging)?;
        match staging.parent() {
            Some(scratch) if scratch.exists() => b.sync(scratch),
            _ => Ok(()),
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // Whoever takes its place empties the directory that the threads write to.
        self.staged.stop();
    }
}

fn remove(dir: &std::path::Path) -> Result<(), StepError> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error::io(dir)(error)),
        _ => Ok(()),
    }
}
