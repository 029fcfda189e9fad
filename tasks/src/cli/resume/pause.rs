//! `mug resume pause`: asks whoever drives an operation to pause it, and waits
//! until that has happened.

use std::thread::sleep;
use std::time::{Duration, Instant};

use mug::core::resume::{ManagerError, Operation, OperationStatus};
use serde_json::json;

use crate::cli::again;
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::origin::Origin;
use crate::cli::place::{Found, Place};
use crate::cli::ui::{Ui, format, text};

/// How often to look: processes do not announce that they have paused.
const LOOK: Duration = Duration::from_millis(20);
/// How long a program that keeps its own record has to follow.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn run(id: &str, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    let place = Place::here(ui)?;
    let found = place.find(id)?;
    let op = found.record()?;
    let op = match op.status {
        OperationStatus::Running => ask_and_wait(&found, &op, ui)?,
        // It waits for its turn or the next try in a process that lives.
        OperationStatus::Paused if is_held(&found, &op)? => ask_and_wait(&found, &op, ui)?,
        OperationStatus::Paused if found.is_interrupted()? => {
            found
                .manager
                .update_status(&op.id, OperationStatus::Paused)?;
            found.record()?
        }
        OperationStatus::Paused => op,
        OperationStatus::Completed | OperationStatus::Failed => {
            return Err(Error::failed(format!(
                "{} is {}: there is nothing to pause",
                op.id, op.status
            ))
            .about(&op.id));
        }
    };
    tell(&op, origin, ui)
}

/// Whether a live process has it in hand although it shows as paused.
fn is_held(found: &Found, op: &Operation) -> Result<bool, Error> {
    Ok(op.waiting_for.is_some()
        && match &op.owner {
            Some(owner) => found.manager.database().is_alive(owner)?,
            None => false,
        })
}

/// Whether nobody has a hand on it any more: the next process can take it up.
fn is_released(found: &Found, op: &Operation) -> Result<bool, Error> {
    Ok(match &op.owner {
        Some(owner) => !found.manager.database().is_alive(owner)?,
        None => true,
    })
}

fn ask_and_wait(found: &Found, op: &Operation, ui: &Ui) -> Result<Operation, Error> {
    match found.manager.request_pause(&op.id) {
        // It has paused or ended just now.
        Ok(()) | Err(ManagerError::NotRunning { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let asked = Instant::now();
    let mut told = false;
    loop {
        let now = found.record()?;
        let stopped = now.status != OperationStatus::Running && !is_held(found, &now)?;
        if stopped && (is_released(found, &now)? || asked.elapsed() >= PATIENCE) {
            return Ok(now);
        }
        if asked.elapsed() >= PATIENCE {
            if op.kind.is_none() {
                return Err(not_followed(op));
            }
            if !told {
                told = true;
                ui.note(&format!("still waiting for {}", owner(op)));
            }
        }
        sleep(LOOK);
    }
}

/// A program that keeps only its record decides by itself when to follow.
fn not_followed(op: &Operation) -> Error {
    Error::new(
        Exit::TryLater,
        format!(
            "{} has not paused within {}: {} has not followed the request",
            op.id,
            format::remaining(PATIENCE),
            owner(op)
        ),
    )
    .hint("the request stands; that program may follow later, or you can end it")
    .about(&op.id)
}

fn owner(op: &Operation) -> String {
    op.owner.as_ref().map_or_else(
        || "its process".to_owned(),
        |owner| format!("process {}", owner.pid),
    )
}

fn tell(op: &Operation, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    if ui.json {
        return ui.json_document(&json!(op));
    }
    let percentage = op.progress.percentage();
    let at = percentage.map_or_else(String::new, |p| format!(" at {}", format::percent(p)));
    if op.status != OperationStatus::Paused {
        ui.note(&format!(
            "{} was {} before it could pause",
            text::plain(&op.id),
            op.status
        ));
        return Ok(());
    }
    ui.note(&format!("{} is paused{at}", text::plain(&op.id)));
    if let Some(line) = again::line(op, origin) {
        ui.note(&format!("continue it with:\n\n  {line}\n"));
    }
    Ok(())
}
