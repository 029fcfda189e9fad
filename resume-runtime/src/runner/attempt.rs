//! From the last commit on, until the operation ends or a slice is rolled back.
//!
//! A rollback is nothing but dropping the attempt: rows in memory, open files,
//! local values and the state go with it, and the next attempt reads the last
//! commit anew.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::FutureExt as _;
use serde_json::Value;

use super::commit::{self, Commit, Standing, Written};
use super::drive::{Ending, Runner, user};
use crate::blocking::Blocking;
use crate::context::{Context, off_thread, panicked};
use crate::error::{ErrorClass, StepError};
use crate::faults::{Moment, Struck};
use crate::files::{self, FileRecord, Files};
use crate::operation::{Operation, OperationProgress};
use crate::pace::Pacer;
use crate::pause::PausedBy;
use crate::records;
use crate::resumable::{Checkpoint, Resumable, StepInfo, StepResult, Transition};
use crate::rows::Rows;
use crate::stopped::Stopped;
use crate::store::StoreError;

pub(crate) struct Attempt<'r, M: Resumable> {
    runner: &'r Runner<M>,
    input: &'r Arc<M::Input>,
    env: &'r Arc<M::Env>,
    slice: Option<Box<Blocking<M>>>,
    /// Commits so far, over all processes.
    commits: u64,
    /// Whether this attempt committed anything that got further.
    further: bool,
    /// Whether the state in memory is ahead of the stored one.
    ahead: bool,
    /// The checkpoint of the last commit.
    stored: Option<String>,
    /// Steps entered since the last commit.
    steps: Vec<&'static str>,
    since: Instant,
}

/// Why an attempt cannot go on.
enum Halt {
    Error(StepError),
    Stopped(Stopped),
    Store(StoreError),
    Crashed,
}

impl From<StepError> for Halt {
    fn from(error: StepError) -> Self {
        Self::Error(error)
    }
}

impl From<Struck> for Halt {
    fn from(struck: Struck) -> Self {
        match struck {
            Struck::Crash => Self::Crashed,
            Struck::Error(error) => Self::Error(error),
        }
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<'r, M: Resumable> Attempt<'r, M> {
    pub(crate) fn new(
        runner: &'r Runner<M>,
        input: &'r Arc<M::Input>,
        env: &'r Arc<M::Env>,
    ) -> Self {
        Self {
            runner,
            input,
            env,
            slice: None,
            commits: 0,
            further: false,
            ahead: false,
            stored: None,
            steps: Vec::new(),
            since: Instant::now(),
        }
    }

    pub(crate) async fn run(mut self) -> Result<Ending<M>, StoreError> {
        let halt = match self.slices().await {
            Ok(ending) => return Ok(ending),
            Err(halt) => halt,
        };
        match halt {
            Halt::Crashed => Ok(Ending::Crashed),
            Halt::Stopped(stopped) => Ok(Ending::Stopped(stopped)),
            Halt::Store(error) => Err(error),
            // A child that Ctrl-C killed, a call that was broken off: what fails
            // after a pause was asked for is part of the pause.
            Halt::Error(_) if self.runner.pause.is_raised() => {
                drop(self.slice.take());
                self.runner.pause_here().await
            }
            Halt::Error(error) if error.class() == ErrorClass::Transient => Ok(Ending::Retry {
                error,
                further: self.further,
            }),
            Halt::Error(error) => Ok(Ending::Error(error)),
        }
    }

    async fn slices(&mut self) -> Result<Ending<M>, Halt> {
        let mut machine = self.load()?;
        let mut effect: Option<&'static StepInfo> = None;
        loop {
            let step = machine.info();
            self.runner.progress.set_step(step.name);
            if self.runner.pause.is_raised() {
                let now = self.ahead.then(|| saved(&machine)).transpose()?;
                return self.pause(now).await;
            }
            if step.effect && effect != Some(step) {
                if self.ahead {
                    self.write(saved(&machine)?, Standing::Running).await?;
                }
                effect = Some(step);
            }
            let Some(result) = self.slice(machine).await else {
                // The step would not stop: its slice is lost, its thread, if it
                // has one, is left behind.
                self.slice = None;
                return Ok(self.runner.pause_here().await?);
            };
            if self.slice.is_none() {
                // Its thread has the files: nobody else may have them before it
                // has ended.
                self.runner.latch.join().await;
                return Err(StepError::fatal(
                    "the step dropped the future of `blocking` before it was ready, so nobody \
                     knows what it did: let it end, and have it ask whether to stop",
                )
                .into());
            }
            match result? {
                Transition::To(next) => {
                    machine = next;
                    self.ahead = true;
                    let leaves = machine.info() != step;
                    if leaves {
                        self.steps.push(machine.info().name);
                    }
                    let ends_effect = step.effect && leaves;
                    if ends_effect {
                        effect = None;
                    }
                    let due = ends_effect || self.slice_mut().should_yield();
                    if due && !self.runner.pause.is_raised() {
                        self.write(saved(&machine)?, Standing::Running).await?;
                    }
                }
                Transition::Done(output) => {
                    let value = serde_json::to_value(&output).map_err(|e| {
                        StepError::fatal(format!("the output cannot be stored: {e}"))
                    })?;
                    self.finish(step, value).await?;
                    return Ok(Ending::Done(output));
                }
                Transition::Retry(next, error) => {
                    return self.retry(saved(&next)?, error).await;
                }
                Transition::Wait(next, error) => {
                    let standing = Standing::Paused {
                        waiting_for: Some(user(&error)),
                        message: Some(error.to_string()),
                    };
                    self.write(saved(&next)?, standing).await?;
                    return Ok(Ending::Waits(error));
                }
            }
        }
    }

    /// Reads the last commit.
    fn load(&mut self) -> Result<M, Halt> {
        let runner = self.runner;
        runner.faults.starts();
        let (op, files) = runner.db.read(|txn| {
            Ok((
                records::get(txn, &runner.id)?,
                files::load(txn, &runner.id)?,
            ))
        })?;
        let op = op.ok_or_else(|| Halt::Stopped(self.lost()))?;
        self.commits = op.commits;
        runner.progress.reset(&op.progress);
        let machine = restore::<M>(&op).map_err(Halt::Stopped)?;
        if op.commits == 0 {
            self.steps.push(machine.info().name);
        } else {
            self.stored = Some(op.state.checkpoint);
        }
        self.slice = Some(Box::new(Blocking {
            id: Arc::clone(&runner.id),
            input: Arc::clone(self.input),
            env: Arc::clone(self.env),
            rows: Rows::new(runner.db.clone(), &runner.id),
            files: Files::new(runner.private.clone(), files, Arc::clone(&runner.faults)),
            pacer: Pacer::new(runner.pace, Arc::clone(&runner.faults)),
            pause: Arc::clone(&runner.pause),
            progress: Arc::clone(&runner.progress),
            local: Mutex::default(),
            notes: Vec::new(),
        }));
        self.since = Instant::now();
        Ok(machine)
    }

    /// Runs one slice; `None` when it went on for too long after a pause was
    /// asked for.
    async fn slice(&mut self, machine: M) -> Option<StepResult<M>> {
        let runner = self.runner;
        let mut cx = Context::new(&mut self.slice, self.input, self.env, &runner.latch);
        let step = AssertUnwindSafe(machine.step(&mut cx)).catch_unwind();
        let out_of_patience = async {
            runner.pause.raised().await;
            let at = runner
                .pause
                .raised_by()
                .map_or_else(Instant::now, |(_, at)| at);
            tokio::time::sleep_until((at + runner.grace).into()).await;
        };
        tokio::select! {
            biased;
            result = step => Some(result.unwrap_or_else(|panic| Err(panicked(&*panic)))),
            () = out_of_patience => None,
        }
    }

    /// Puts the operation down with the state `now`, if it is ahead of the
    /// stored one.
    async fn pause(&mut self, now: Option<Saved>) -> Result<Ending<M>, Halt> {
        let by = self
            .runner
            .pause
            .raised_by()
            .map_or(PausedBy::Caller, |(by, _)| by);
        let Some(now) = now else {
            return Ok(self.runner.pause_here().await?);
        };
        let standing = Standing::Paused {
            waiting_for: None,
            message: None,
        };
        self.write(now, standing).await?;
        Ok(Ending::Paused(by))
    }

    /// Keeps what the step kept, then has the runner back off.
    async fn retry(&mut self, next: Saved, error: StepError) -> Result<Ending<M>, Halt> {
        let slice = self.slice_mut();
        let changed = slice.rows.is_dirty()
            || slice.files.is_dirty()
            || self.ahead
            || self.stored.as_ref() != Some(&next.checkpoint);
        let further = self.further || changed;
        if changed {
            self.write(next, Standing::Running).await?;
        }
        Ok(match error.class() {
            ErrorClass::Transient => Ending::Retry { error, further },
            _ => Ending::Error(error),
        })
    }

    async fn finish(&mut self, step: &'static StepInfo, output: Value) -> Result<(), Halt> {
        let last = Saved {
            checkpoint: commit::to_json(&Checkpoint::new(step.name, M::VERSION, &())?)?,
            step,
        };
        self.write(last, Standing::Completed(output)).await?;
        self.slice = None;
        let runner = self.runner;
        let (db, id) = (runner.db.clone(), Arc::clone(&runner.id));
        let (private, faults) = (runner.private.clone(), Arc::clone(&runner.faults));
        // It is done, whatever comes of this; a clean-up does what is left.
        let _ =
            tokio::task::spawn_blocking(move || files::discard(&db, &id, private, faults)).await;
        Ok(())
    }

    /// A commit: files first, then the transaction.
    async fn write(&mut self, saved: Saved, standing: Standing) -> Result<(), Halt> {
        let runner = self.runner;
        let start = Instant::now();
        let number = self.commits + 1;
        runner.faults.commit(number, Moment::Before)?;
        let files = self.sync_files(number).await?;
        let mut progress = OperationProgress::default();
        runner.progress.store(&mut progress);
        let checkpoint = saved.checkpoint.clone();
        let commit = Commit {
            id: Arc::clone(&runner.id),
            owner: runner.db.instance().owner().clone(),
            after: self.commits,
            kind: M::KIND,
            checkpoint: saved.checkpoint,
            step: saved.step.name,
            total_steps: M::STEPS.len(),
            progress,
            rows: self.slice_mut().rows.take_writes(),
            files,
            steps: std::mem::take(&mut self.steps),
            notes: std::mem::take(&mut self.slice_mut().notes),
            standing,
            timing: (millis(self.since, start), self.waited()),
        };
        match runner.db.write(move |txn| commit.write(txn)).await? {
            Written::Yes => {}
            Written::Lost => return Err(Halt::Stopped(self.lost())),
        }
        self.commits = number;
        self.stored = Some(checkpoint);
        self.ahead = false;
        self.further = true;
        self.since = start;
        let slice = self.slice_mut();
        slice.files.committed();
        slice.pacer.committed(start.elapsed());
        runner.faults.commit(number, Moment::After)?;
        Ok(())
    }

    async fn sync_files(&mut self, number: u64) -> Result<Vec<(String, FileRecord)>, Halt> {
        if !self.slice_mut().files.is_dirty() {
            return Ok(Vec::new());
        }
        let slice = self.slice.take().expect(SLICE);
        let (slice, files) =
            off_thread(&self.runner.latch, slice, move |b| b.files.sync(number)).await;
        self.slice = Some(slice);
        Ok(files?)
    }

    /// What the last commit took, in milliseconds.
    fn waited(&mut self) -> u64 {
        self.slice_mut().pacer.take_cost_ms()
    }

    fn slice_mut(&mut self) -> &mut Blocking<M> {
        self.slice.as_mut().expect(SLICE)
    }

    fn lost(&self) -> Stopped {
        Stopped::Lost {
            id: self.runner.id.to_string(),
        }
    }
}

/// A state, as a commit takes it.
struct Saved {
    checkpoint: String,
    step: &'static StepInfo,
}

fn saved<M: Resumable>(machine: &M) -> Result<Saved, StepError> {
    Ok(Saved {
        checkpoint: commit::to_json(&machine.checkpoint()?)?,
        step: machine.info(),
    })
}

/// A step that returned has given it back.
const SLICE: &str = "the slice is here between two steps";

/// The machine as the record has it; a new one where nothing was committed.
fn restore<M: Resumable>(op: &Operation) -> Result<M, Stopped> {
    if op.kind() != M::KIND {
        return Err(Stopped::Kind {
            id: op.id.clone(),
            found: op.kind().to_owned(),
            wanted: M::KIND.to_owned(),
        });
    }
    if op.commits == 0 {
        return Ok(M::start());
    }
    let failed = |error| Stopped::Restore {
        id: op.id.clone(),
        error,
    };
    let checkpoint: Checkpoint = serde_json::from_str(&op.state.checkpoint).map_err(|e| {
        failed(crate::error::RestoreError::Unreadable {
            step: op.state.current_step.clone(),
            version: 0,
            reason: e.to_string(),
        })
    })?;
    M::restore(&checkpoint).map_err(failed)
}

fn millis(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(u64::MAX)
}
