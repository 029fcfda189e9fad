//! The child's side of a real kill, and what parent and child say to each other.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::case::Case;
use super::process::{self, End, Place};
use super::trial::{ID, record_of, write_record};
use crate::database::Database;
use crate::faults::{Faults, Moment, Struck};
use crate::path::path_text;
use crate::records;
use crate::resumable::Resumable;
use crate::stopped::Stopped;
use crate::store::StoreError;
use crate::{files, folder};

/// Names the file with the [`Task`] of a child.
pub(super) const TASK: &str = "RESUME_RUNTIME_TESTING_TASK";
/// What the child's lines to its parent begin with.
pub(super) const MARK: &str = "resume-runtime testing: ";

/// What a child is to do.
#[derive(Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) kind: String,
    pub(super) input: Value,
    #[serde(with = "path_text")]
    pub(super) scratch: PathBuf,
    #[serde(with = "path_text")]
    pub(super) store: PathBuf,
    /// One question of so many is answered with yes.
    pub(super) stride: u64,
    /// Where it is to stand still.
    pub(super) halt: Option<(u64, Moment)>,
}

/// What a child says.
#[derive(Serialize, Deserialize)]
pub(super) enum Said {
    /// It stands where it was to stand still.
    Halted,
    /// The operation is done, with this output.
    Done(Value),
    /// It stopped, for this reason.
    Stopped(String),
}

/// The task of this process, if it is such a child and the task is for `kind`.
pub(super) fn task(kind: &str) -> Option<Task> {
    let path = std::env::var_os(TASK)?;
    let task: Task = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (task.kind == kind).then_some(task)
}

/// Whether this process is a child at all.
pub(super) fn is_child() -> bool {
    std::env::var_os(TASK).is_some()
}

/// Does what the task says, and ends the process.
pub(super) async fn run<M: Resumable>(case: &Case<M>, task: Task) -> ! {
    let said = match drive(case, task).await {
        Ok(output) => Said::Done(output),
        Err(stopped) => Said::Stopped(stopped.to_string()),
    };
    say(&said);
    #[expect(
        clippy::exit,
        reason = "the test that it was started for is the parent's"
    )]
    std::process::exit(0);
}

async fn drive<M: Resumable>(case: &Case<M>, task: Task) -> Result<Value, Stopped> {
    let db = Database::open(&task.store)?;
    let private = folder::path(&db, ID)?.unwrap_or_default();
    let place = Place {
        scratch: task.scratch,
        private,
    };
    if db.read(|txn| records::get(txn, ID))?.is_none() {
        let op = record_of::<M>(task.input);
        db.write(move |txn| write_record(txn, &op)).await?;
    }
    let faults: Arc<dyn Faults> = Arc::new(Halts {
        stride: task.stride.max(1),
        questions: AtomicU64::new(0),
        at: task.halt,
    });
    loop {
        let end = match process::take(&db, ID).await {
            Err(End::Done) => {
                // As a resume or a clean-up does.
                files::discard(&db, ID, Some(place.private.clone()), Arc::clone(&faults))?;
                End::Done
            }
            Ok(op) => {
                let runner =
                    process::runner(case, &place, ID, &db, Arc::default(), Arc::clone(&faults));
                match tokio::time::timeout(case.patience, runner.drive(op)).await {
                    Ok(ending) => process::ended(ID, ending),
                    Err(_) => End::ForEver,
                }
            }
            Err(end) => end,
        };
        match (end, &case.user) {
            (End::Done, _) => return output(&db),
            (End::Stopped(Stopped::NeedsUser { error, .. }), Some(user)) => {
                user(&place.scratch, &error);
            }
            (End::Stopped(stopped), _) => return Err(stopped),
            (End::Crashed | End::ForEver, _) => {
                return Err(StoreError::Backend("it never ends".into()).into());
            }
        }
    }
}

fn output(db: &Database) -> Result<Value, Stopped> {
    let op = db.read(|txn| records::get(txn, ID))?;
    Ok(op.and_then(|op| op.output).unwrap_or(Value::Null))
}

/// Writes a line for the parent, past what the test harness captures.
fn say(said: &Said) {
    let mut out = io::stdout().lock();
    let text = serde_json::to_string(said).unwrap_or_default();
    // A parent that is gone does not want to know.
    let _ = writeln!(out, "\n{MARK}{text}").and_then(|()| out.flush());
}

/// Stands still at a commit, to be killed.
struct Halts {
    stride: u64,
    questions: AtomicU64,
    at: Option<(u64, Moment)>,
}

impl Faults for Halts {
    fn commit(&self, number: u64, moment: Moment) -> Result<(), Struck> {
        if self.at == Some((number, moment)) {
            say(&Said::Halted);
            loop {
                std::thread::park();
            }
        }
        Ok(())
    }

    fn is_due(&self) -> bool {
        let number = self.questions.fetch_add(1, Ordering::Relaxed) + 1;
        number.is_multiple_of(self.stride)
    }
}

/// Writes a task where a child finds it.
pub(super) fn write(task: &Task, path: &Path) -> io::Result<()> {
    fs::write(path, serde_json::to_vec(task)?)
}
