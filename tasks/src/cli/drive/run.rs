//! From job to result.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mug::core::database::MugDb;
use mug::core::registry::Registry;
use mug::core::resume::{Operation, OperationManager, OperationStatus};
use resume_runtime::{Handle, Resumable, Scheduler, Signals, Start, Stopped, pause_on_signals};
use serde::Serialize;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGUSR1};
use tokio::time::{MissedTickBehavior, interval_at};

use super::choose::{earlier, taken_up};
use super::job::{Done, Job};
use super::told::{at, told};
use crate::cli::error::Error;
use crate::cli::origin::Origin;
use crate::cli::ui::{Ui, View, text};

/// What ends before that needs no bar.
const QUIET_FOR: Duration = Duration::from_millis(150);
/// The kinds of operations that move refs of their repository: one at a time.
const MOVE_REFS: [&str; 3] = ["merge", "rebase", "fetch"];
/// Between two looks at the progress.
const TICK: Duration = Duration::from_millis(100);

/// Drives a job to its end. An operation that stops before is an error, which
/// says how to continue.
pub(in crate::cli) fn run<M: Resumable>(
    mut job: Job<M>,
    origin: &Origin,
    ui: &Ui,
) -> Result<Done<M::Output>, Error>
where
    M::Output: Serialize,
{
    let check = std::mem::replace(&mut job.check, Box::new(|_| Ok(())));
    let manager = OperationManager::new(job.db.clone());
    // What cannot be removed now is tried again by the next one.
    let _ = manager.tidy();
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
    let mut id = resume.as_ref().map(|op| op.id.clone());
    let result = runtime.block_on(drive(job, resume, directory, &mut id, ui));
    // A pause may have left a thread behind in a long call: leave without it.
    runtime.shutdown_background();
    result.map_err(|stopped| told(stopped, id.as_deref(), &manager, origin))
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

async fn drive<M: Resumable>(
    job: Job<M>,
    resume: Option<Operation>,
    directory: String,
    known: &mut Option<String>,
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
    let asked = Arc::new(AtomicBool::new(false));
    // Where it cannot be watched for, it is only not answered.
    let _ = signal_hook::flag::register(SIGUSR1, Arc::clone(&asked));
    let resumed = resume.is_some();
    let handle = if let Some(op) = &resume {
        scheduler.resume::<M>(&op.id)?
    } else {
        let mut start = Start::new().command(job.command.clone(), directory);
        if MOVE_REFS.contains(&M::KIND) {
            start = start.exclusive("refs");
        }
        for (key, value) in job.metadata {
            start = start.metadata(key, value);
        }
        scheduler.start::<M>(job.input, start).await?
    };
    let id = handle.id().to_owned();
    *known = Some(id.clone());
    match &resume {
        Some(op) => ui.note(&format!("continuing {}{}", text::short(&id), at(op))),
        None => ui.note(&format!("this is {}; Ctrl-C pauses it", text::short(&id))),
    }
    if ui.json {
        let kind = if resumed { "resumed" } else { "started" };
        let _ = ui.json_line(&json!({ "message_type": kind, "id": id, "kind": M::KIND }));
    }
    let output = watch(handle, &asked, ui).await?;
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

/// Shows the progress until the operation ends, and tells it when asked.
async fn watch<T>(mut handle: Handle<T>, asked: &AtomicBool, ui: &Ui) -> Result<T, Stopped>
where
    Handle<T>: Future<Output = Result<T, Stopped>> + Unpin,
{
    let progress = handle.watch();
    let mut view = View::new(ui, handle.id(), None);
    let mut tick = interval_at(tokio::time::Instant::now() + QUIET_FOR, TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            result = &mut handle => return result,
            _ = tick.tick() => {
                let shot = progress.snapshot();
                if asked.swap(false, Ordering::Relaxed) {
                    view.say(&shot);
                }
                view.update(&shot);
            }
        }
    }
}
