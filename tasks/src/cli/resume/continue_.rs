//! `mug resume continue`: how to continue an operation, or the doing of it.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use mug::core::resume::{Operation, OperationStatus};
use serde_json::json;

use super::show;
use crate::cli::again;
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::origin::Origin;
use crate::cli::place::Place;
use crate::cli::ui::{Ui, text};

/// Arguments of `mug resume continue`.
#[derive(Debug, clap::Args)]
pub(super) struct ContinueArgs {
    /// The operation's id, or its beginning
    #[arg(value_name = "OP-ID")]
    id: String,
    /// Run the command that continues it
    #[arg(long)]
    run: bool,
}

pub(super) fn run(args: &ContinueArgs, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    let place = Place::here(ui)?;
    let found = place.find(&args.id)?;
    let op = found.record()?;
    check(&op)?;
    if args.run {
        // The store is closed by then: the command opens it again.
        drop(place);
        return Err(replace(&op, ui));
    }
    let line = again::line(&op, origin);
    if ui.json {
        return ui.json_document(&json!({
            "id": op.id,
            "command": again::words(&op),
            "directory": op.directory,
            "line": line,
            "operation": op,
        }));
    }
    ui.note(&text::plain(&op.id));
    for field in show::details(&found, &op)?.lines() {
        ui.note(&format!("  {field}"));
    }
    let line = line.ok_or_else(|| no_command(&op))?;
    ui.note("\ncontinue it with:\n");
    ui.result(&line)
}

fn check(op: &Operation) -> Result<(), Error> {
    match (op.status, &op.owner) {
        (OperationStatus::Completed, _) => {
            Err(Error::failed(format!("{} is completed already", op.id)).about(&op.id))
        }
        (OperationStatus::Running, Some(owner)) => Err(Error::new(
            Exit::TryLater,
            format!("{} is running in process {}", op.id, owner.pid),
        )
        .hint(format!(
            "`mug resume pause {}` pauses it there",
            text::short(&op.id)
        ))
        .about(&op.id)),
        _ => Ok(()),
    }
}

fn no_command(op: &Operation) -> Error {
    Error::failed(format!("{} does not say what continues it", op.id))
        .hint(format!(
            "run the command that started it again, with `--resume {}`",
            op.id
        ))
        .about(&op.id)
}

/// Becomes the command that continues `op`; returns only when that fails.
fn replace(op: &Operation, ui: &Ui) -> Error {
    let Some(words) = again::words(op) else {
        return no_command(op);
    };
    // A store is data. What it says is shown, but nothing is run but mug itself.
    if words[0] != again::PROGRAM {
        return Error::failed(format!("{} is continued by another program", op.id))
            .hint(format!("run `{}`", text::command(&words)))
            .about(&op.id);
    }
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(e) => return Error::failed("cannot find this program").because(e),
    };
    let mut command = Command::new(program);
    command.args(options(ui)).args(&words[1..]);
    if let Some(directory) = &op.directory {
        command.current_dir(directory);
    }
    let error = command.exec();
    Error::failed(format!("cannot run `{}`", text::command(&words)))
        .because(error)
        .about(&op.id)
}

/// The options of this call that hold for the next one.
fn options(ui: &Ui) -> Vec<String> {
    let mut options = Vec::new();
    for (given, option) in [
        (ui.json, "--json"),
        (ui.quiet, "--quiet"),
        (ui.verbose, "--verbose"),
    ] {
        if given {
            options.push(option.to_owned());
        }
    }
    if let Some(progress) = clap::ValueEnum::to_possible_value(&ui.progress) {
        options.push(format!("--progress={}", progress.get_name()));
    }
    options
}
