//! An operation from the command line: taken up or started, shown while it
//! runs, paused by signals, and its end told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use console::Style;
use mug::core::database::MugDb;
use mug::core::registry::Registry;
use mug::core::resume::{Operation, OperationManager, OperationStatus};
use resume_runtime::{
    Handle, Resumable, Scheduler, Signals, Start, StepError, Stopped, pause_on_signals,
};
use serde::Serialize;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGUSR1};
use tokio::time::{MissedTickBehavior, interval_at};

use super::again;
use super::error::Error;
use super::exit::Exit;
use super::origin::Origin;
use super::ui::{Ui, View, format, text};

/// What ends before that needs no bar.
const QUIET_FOR: Duration = Duration::from_millis(150);
/// Between two looks at the progress.
const TICK: Duration = Duration::from_millis(100);

/// What a command wants to be done by a machine.
pub(super) struct Job<M: Resumable> {
    /// The store that the operation is kept in.
    pub(super) db: MugDb,
    /// What it works on.
    pub(super) input: M::Input,
    /// What a process needs for it.
    pub(super) env: Box<dyn Fn() -> Result<M::Env, StepError> + Send + Sync>,
    /// The words that start it, without those that only say how it is shown;
    /// empty when they cannot be written as text.
    pub(super) command: Vec<String>,
    /// What people should see of it.
    pub(super) metadata: Vec<(&'static str, String)>,
    /// The operation to continue, as it was given.
    pub(super) resume: Option<String>,
    /// How what was given contradicts what an operation was started with.
    pub(super) contradiction: fn(given: &M::Input, stored: &M::Input) -> Option<String>,
    /// Whether a new operation can begin.
    pub(super) check: Check<M::Input>,
}

/// Looks whether a new operation can begin.
pub(super) type Check<I> = Box<dyn FnOnce(&I) -> Result<(), Error>>;

/// The end of an operation that was completed.
pub(super) struct Done<T> {
    pub(super) output: T,
    /// What it took this time.
    pub(super) elapsed: Duration,
}

/// Drives a job to its end. An operation that stops before is an error, which
/// says how to continue.
pub(super) fn run<M: Resumable>(
    mut job: Job<M>,
    origin: &Origin,
    ui: &Ui,
) -> Result<Done<M::Output>, Error>
where
    M::Output: Serialize,
{
    let check = std::mem::replace(&mut job.check, Box::new(|_| Ok(())));
    let manager = OperationManager::new(job.db.clone());
    let directory = directory()?;
    let resume = match &job.resume {
        Some(given) => Some(taken_up::<M>(&job, &manager, given)?),
        None => earlier::<M>(&job, &manager, &directory, origin, ui)?,
    };
    if resume.is_none() {
        check(&job.input)?;
    }
    register(&job.db, ui);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .map_err(|e| Error::failed("cannot start threads").because(e))?;
    let result = runtime.block_on(drive(job, resume, directory, ui));
    // A pause may have left a thread behind in a long call: leave without it.
    runtime.shutdown_background();
    result.map_err(|stopped| told(stopped, &manager, origin))
}

/// Where the command runs.
fn directory() -> Result<String, Error> {
    let directory = std::env::current_dir()
        .map_err(|e| Error::failed("cannot tell the current directory").because(e))?;
    Ok(directory.to_string_lossy().into_owned())
}

/// So that `mug resume` finds it from elsewhere; it works without.
fn register(db: &MugDb, ui: &Ui) {
    let Some(dir) = db.dir() else { return };
    let added = Registry::open().and_then(|registry| registry.add(dir));
    if let Err(error) = added
        && ui.verbose
    {
        ui.note(&format!("warning: {}", text::plain(&error.to_string())));
    }
}

/// The operation that `--resume` means, if it can be continued by this command.
fn taken_up<M: Resumable>(
    job: &Job<M>,
    manager: &OperationManager,
    given: &str,
) -> Result<Operation, Error> {
    let id = manager.find(given)?;
    let op = manager
        .get(&id)?
        .ok_or_else(|| Stopped::Unknown { id: id.clone() })?;
    if op.kind() != M::KIND {
        return Err(Stopped::Kind {
            id,
            found: op.kind().to_owned(),
            wanted: M::KIND.to_owned(),
        }
        .into());
    }
    match (op.status, &op.owner) {
        (OperationStatus::Completed, _) => Err(Stopped::Finished {
            id,
            status: op.status,
        }
        .into()),
        (OperationStatus::Running, Some(owner)) => Err(Stopped::Busy {
            id,
            owner: owner.clone(),
        }
        .into()),
        _ => {
            // Input that this build cannot read is reported by the scheduler.
            let stored = op.input.clone().map(serde_json::from_value::<M::Input>);
            if let Some(Ok(stored)) = stored
                && let Some(contradiction) = (job.contradiction)(&job.input, &stored)
            {
                return Err(Error::usage(format!("{id} {contradiction}"))
                    .hint("give what it was started with, or leave `--resume` out to start anew")
                    .about(id));
            }
            Ok(op)
        }
    }
}

/// An earlier run of the very same command that is paused, when the user wants
/// it continued.
fn earlier<M: Resumable>(
    job: &Job<M>,
    manager: &OperationManager,
    directory: &str,
    origin: &Origin,
    ui: &Ui,
) -> Result<Option<Operation>, Error> {
    let paused = manager.list(Some(OperationStatus::Paused))?;
    let same = |op: &Operation| {
        op.kind() == M::KIND
            && !job.command.is_empty()
            && op.command == job.command
            && op.directory.as_deref() == Some(directory)
    };
    let Some(op) = paused.into_iter().find(same) else {
        return Ok(None);
    };
    let what = format!(
        "an earlier run of this command is paused{} ({})",
        at(&op),
        text::short(&op.id)
    );
    if ui.can_ask() {
        ui.note(&what);
        return Ok(Ui::ask("continue it?").then_some(op));
    }
    ui.note(&format!("note: {what}"));
    if let Some(line) = again::line(&op, origin) {
        ui.note(&format!("continue that one with:\n\n  {line}\n"));
    }
    Ok(None)
}

/// How far a record is, for a sentence.
fn at(op: &Operation) -> String {
    let percentage = op.progress.percentage();
    percentage.map_or_else(String::new, |p| format!(" at {}", format::percent(p)))
}

async fn drive<M: Resumable>(
    job: Job<M>,
    resume: Option<Operation>,
    directory: String,
    ui: &Ui,
) -> Result<Done<M::Output>, Stopped>
where
    M::Output: Serialize,
{
    let began = Instant::now();
    let env = job.env;
    let scheduler = Scheduler::builder(job.db.into())
        .register::<M>(move |_input| env())
        .build();
    let _signals = watch_signals(&scheduler, ui);
    let resumed = resume.is_some();
    let handle = if let Some(op) = &resume {
        scheduler.resume::<M>(&op.id)?
    } else {
        let mut start = Start::new().command(job.command.clone(), directory);
        for (key, value) in job.metadata {
            start = start.metadata(key, value);
        }
        scheduler.start::<M>(job.input, start).await?
    };
    let id = handle.id().to_owned();
    match &resume {
        Some(op) => ui.note(&format!("continuing {}{}", text::short(&id), at(op))),
        None => ui.note(&format!("this is {}; Ctrl-C pauses it", text::short(&id))),
    }
    if ui.json {
        let kind = if resumed { "resumed" } else { "started" };
        let _ = ui.json_line(&json!({ "message_type": kind, "id": id, "kind": M::KIND }));
    }
    let output = watch(handle, ui).await?;
    let elapsed = began.elapsed();
    if ui.json {
        let _ = ui.json_line(&json!({
            "message_type": "summary",
            "id": id,
            "status": OperationStatus::Completed,
            "elapsed_seconds": elapsed.as_secs_f64(),
            "output": output,
        }));
    }
    Ok(Done { output, elapsed })
}

/// Pauses on signals, and says so once.
fn watch_signals(scheduler: &Scheduler, ui: &Ui) -> Option<Signals> {
    let told = AtomicBool::new(false);
    let speaker = ui.clone();
    let watched = pause_on_signals(scheduler, move |signal| {
        if told.swap(true, Ordering::Relaxed) {
            return;
        }
        speaker.tell(if signal == SIGINT {
            "saving; Ctrl-C again leaves at once, and what is committed stays"
        } else {
            "saving"
        });
    });
    match watched {
        Ok(signals) => Some(signals),
        // It runs all the same, and is as safe.
        Err(error) => {
            ui.note(&format!("warning: signals will not pause: {error}"));
            None
        }
    }
}

/// Shows the progress until the operation ends.
async fn watch<T>(mut handle: Handle<T>, ui: &Ui) -> Result<T, Stopped>
where
    Handle<T>: Future<Output = Result<T, Stopped>> + Unpin,
{
    let asked = Arc::new(AtomicBool::new(false));
    // Where it cannot be watched for, it is only not answered.
    let answering = signal_hook::flag::register(SIGUSR1, Arc::clone(&asked));
    let progress = handle.watch();
    let mut view = View::new(ui, handle.id(), None);
    let mut tick = interval_at(tokio::time::Instant::now() + QUIET_FOR, TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let result = loop {
        tokio::select! {
            result = &mut handle => break result,
            _ = tick.tick() => {
                let shot = progress.snapshot();
                if asked.swap(false, Ordering::Relaxed) {
                    view.say(&shot);
                }
                view.update(&shot);
            }
        }
    };
    if let Ok(id) = answering {
        signal_hook::low_level::unregister(id);
    }
    result
}

/// Why it stopped, with the command that continues it.
fn told(stopped: Stopped, manager: &OperationManager, origin: &Origin) -> Error {
    let error = Error::from(stopped);
    let record = error
        .operation()
        .and_then(|id| manager.get(id).ok().flatten());
    match record {
        Some(op) => {
            let line = again::line(&op, origin);
            let error = if error.exit() == Exit::Paused {
                paused(&op)
            } else {
                error
            };
            let goes_on = matches!(op.status, OperationStatus::Paused | OperationStatus::Failed);
            match line {
                Some(line) if goes_on => error.continues_with(line),
                _ => error,
            }
        }
        None => error,
    }
}

fn paused(op: &Operation) -> Error {
    Error::new(
        Exit::Paused,
        format!(
            "{} is paused{}, and nothing of it is lost",
            text::short(&op.id),
            at(op)
        ),
    )
    .about(&op.id)
}

/// The first thing that is said, before anything that may take long.
pub(super) fn begin(ui: &Ui, what: &str, from: &str, to: &str) {
    let what = Ui::styled(Style::new().bold(), what);
    ui.note(&format!(
        "{what} {} into {}",
        text::plain(from),
        text::plain(to)
    ));
}
