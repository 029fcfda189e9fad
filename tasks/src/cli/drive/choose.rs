//! The operation to continue: the one that is named, or an earlier run of the same
//! command.

use mug::core::resume::{Operation, OperationManager, OperationStatus};
use resume_runtime::{Resumable, Stopped};

use super::job::Job;
use super::told::at;
use crate::cli::again;
use crate::cli::error::Error;
use crate::cli::origin::Origin;
use crate::cli::ui::{Ui, text};

/// The operation that `--resume` means, if it can be continued by this command.
pub(super) fn taken_up<M: Resumable>(
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
pub(super) fn earlier<M: Resumable>(
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
