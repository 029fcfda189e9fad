//! One run, from a fresh disk to the end, over as many processes as it takes.

use std::fs;
use std::io;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;
use tempfile::TempDir;

use super::case::Case;
use super::disk::{Cut, Disk, Root};
use super::finding::{Fault, Finding};
use super::outcome::Outcome;
use super::process::{self, End, Place};
use super::strikes::{Limits, Pacing, Strike, Strikes};
use crate::error::StepError;
use crate::event::{self, Event, EventKind};
use crate::faults::NoFaults;
use crate::files::{self, Files};
use crate::operation::Operation;
use crate::records;
use crate::resumable::Resumable;
use crate::scheduler::Start;
use crate::stopped::Stopped;
use crate::store::{Direction, ReadTxn, Space, Store as _, StoreError, WriteTxn};

/// The same in every run, so that it makes no difference.
pub(super) const ID: &str = "op-00000000-0000-4000-8000-000000000000";
/// A user who has to act more often than this never gets to the end.
const ACTS: u32 = 1_000;

/// A case with its directories.
pub(super) struct Bench<'c, M: Resumable> {
    pub(super) case: &'c Case<M>,
    pub(super) place: Place,
    disk: Arc<Disk>,
    pub(super) input: Value,
    _dirs: Vec<TempDir>,
}

/// How a run came out.
pub(super) struct Ran {
    pub(super) counts: Counted,
    /// The result, and what a power cut right after the end leaves of it.
    pub(super) outcome: Outcome,
    pub(super) after_cut: Outcome,
    /// What was committed on the way.
    pub(super) committed: Value,
    /// Work counted, without what was lost with uncommitted slices.
    pub(super) work: u64,
}

/// How often things happened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) questions: u64,
    pub(super) syncs: u64,
    pub(super) writes: u64,
    pub(super) transactions: u64,
    pub(super) commits: u64,
}

/// Why a run has no result.
pub(super) enum Broken {
    Failed(String),
    ForEver,
    Harness(String),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Harness(error.to_string())
    }
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::Harness(error.to_string())
    }
}

impl<'c, M: Resumable> Bench<'c, M> {
    pub(super) fn new(case: &'c Case<M>) -> Result<Self, Finding> {
        Self::set_up(case).map_err(|e| Finding::Harness {
            error: e.to_string(),
        })
    }

    fn set_up(case: &'c Case<M>) -> io::Result<Self> {
        let own = match case.scratch_in {
            // It may be there to have two file systems.
            Some(_) => tempfile::tempdir()?,
            None => tempfile::tempdir_in(super::scratch_parent())?,
        };
        let other = case.scratch_in.as_ref().map(tempfile::tempdir_in);
        let other = other.transpose()?;
        let root = |dir: &TempDir, name: &str| -> io::Result<Root> {
            let base = dir.path().canonicalize()?;
            let root = Root {
                path: base.join(name),
                shadow: base.join("shadow"),
            };
            fs::create_dir(&root.path)?;
            fs::create_dir_all(&root.shadow)?;
            Ok(root)
        };
        let scratch = root(other.as_ref().unwrap_or(&own), "scratch")?;
        let ops = root(&own, "ops")?;
        let place = Place {
            scratch: scratch.path.clone(),
            private: ops.path.join(ID),
        };
        let input = serde_json::to_value((case.input)(&scratch.path))?;
        Ok(Self {
            case,
            place,
            disk: Arc::new(Disk::new(vec![scratch, ops])?),
            input,
            _dirs: other.into_iter().chain([own]).collect(),
        })
    }

    /// One run.
    pub(super) async fn run(
        &self,
        pacing: Pacing,
        strikes: &[Strike],
        limits: Limits,
    ) -> Result<Ran, Broken> {
        self.disk.reset()?;
        if let Some(work) = &self.case.work {
            work.store(0, Ordering::SeqCst);
        }
        let strikes = Arc::new(Strikes::new(
            Arc::clone(&self.disk),
            ID,
            pacing,
            strikes,
            limits,
            self.case.work.clone(),
        ));
        self.create(&strikes)?;
        let mut acts = 0;
        loop {
            let end = process::run(self.case, &self.place, ID, &strikes).await;
            if let Some(error) = strikes.trouble() {
                return Err(error.into());
            }
            match (end, strikes.struck()) {
                (End::Done, _) => break,
                (End::ForEver, _) => return Err(Broken::ForEver),
                (End::Crashed, Some(Strike::Crash(_, cut))) => self.disk.cut(cut)?,
                (End::Crashed, _) => return Err(Broken::Failed("it crashed".into())),
                (
                    End::Stopped(stopped @ Stopped::Failed { .. }),
                    Some(Strike::Fault(Fault::DiskFull(_))),
                ) => return Err(Broken::Failed(format!("instead of pausing, {stopped}"))),
                // It may stop, as long as it can go on.
                (End::Stopped(_), Some(_)) => {}
                (End::Stopped(Stopped::NeedsUser { error, .. }), None)
                    if self.case.user.is_some() =>
                {
                    acts += 1;
                    if acts > ACTS {
                        return Err(Broken::ForEver);
                    }
                    self.act(&error);
                }
                (End::Stopped(stopped), None) => {
                    return Err(Broken::Failed(stopped.to_string()));
                }
            }
        }
        let op = record(&strikes)?;
        let output = op.output.unwrap_or(Value::Null);
        self.clean_up(&strikes)?;
        let outcome = self.observe(output.clone())?;
        self.disk.cut(Cut::Lost)?;
        self.clean_up(&strikes)?;
        let after_cut = self.observe(output)?;
        let load = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::SeqCst);
        Ok(Ran {
            counts: Counted {
                questions: load(&strikes.counts.questions),
                syncs: load(&strikes.counts.syncs),
                writes: load(&strikes.counts.writes),
                transactions: load(&strikes.counts.transactions),
                commits: load(&strikes.counts.commits),
            },
            outcome,
            after_cut,
            committed: committed(&strikes)?,
            work: self
                .case
                .work
                .as_ref()
                .map_or(0, |work| load(work).saturating_sub(strikes.lost_work())),
        })
    }

    fn create(&self, strikes: &Strikes) -> Result<(), StoreError> {
        let op = record_of::<M>(self.input.clone());
        strikes.store.write(&mut |txn| write_record(txn, &op))
    }

    fn act(&self, error: &StepError) {
        if let Some(user) = &self.case.user {
            user(&self.place.scratch, error);
        }
    }

    /// Starts anew: the scratch directory as it was at first.
    pub(super) fn reset(&self) -> io::Result<()> {
        self.disk.reset()
    }

    pub(super) fn observe(&self, output: Value) -> Result<Outcome, Broken> {
        let seen = (self.case.observe)(&self.place.scratch).map_err(Broken::Harness)?;
        Ok(Outcome { output, seen })
    }

    /// Removes what a completed operation left behind, as a clean-up does.
    fn clean_up(&self, strikes: &Strikes) -> Result<(), StoreError> {
        let mut found = None;
        strikes.store.read(&mut |txn| {
            found = Some(files::load(txn, ID)?);
            Ok(())
        })?;
        let private = Some(self.place.private.clone());
        Files::new(private, found.unwrap_or_default(), Arc::new(NoFaults)).discard();
        Ok(())
    }
}

/// The record of a new operation.
pub(super) fn record_of<M: Resumable>(input: Value) -> Operation {
    let mut op = Start::new().record(M::KIND);
    ID.clone_into(&mut op.id);
    op.input = Some(input);
    op
}

pub(super) fn write_record(txn: &mut dyn WriteTxn, op: &Operation) -> Result<(), StoreError> {
    records::put(txn, op)?;
    event::append(txn, ID, &Event::of(EventKind::Created, op))
}

fn record(strikes: &Strikes) -> Result<Operation, Broken> {
    let mut found = None;
    strikes.store.read(&mut |txn| {
        found = records::get(txn, ID)?;
        Ok(())
    })?;
    found.ok_or_else(|| Broken::Harness("the record is gone".into()))
}

/// The states that were committed, and the rows that are there at the end.
fn committed(strikes: &Strikes) -> Result<Value, Broken> {
    let states: Result<Vec<Value>, _> = strikes
        .checkpoints()
        .iter()
        .map(|text| serde_json::from_str(text))
        .collect();
    let states = states.map_err(|e| Broken::Harness(e.to_string()))?;
    let mut rows = serde_json::Map::new();
    strikes.store.read(&mut |txn: &dyn ReadTxn| {
        txn.scan(
            Space::Tables,
            (Bound::Unbounded, Bound::Unbounded),
            Direction::Forward,
            &mut |key, value| {
                let name = String::from_utf8_lossy(&key[(ID.len() + 1).min(key.len())..]);
                let value = String::from_utf8_lossy(value);
                rows.insert(name.into_owned(), value.into());
                ControlFlow::Continue(())
            },
        )
    })?;
    Ok(serde_json::json!({ "states": states, "rows": rows }))
}
