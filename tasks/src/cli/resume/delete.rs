//! `mug resume delete`: removes an operation from the list.

use mug::core::resume::{Operation, OperationStatus};
use mug::transfer::clone::{self, Input};
use serde_json::json;

use crate::cli::error::Error;
use crate::cli::place::Place;
use crate::cli::ui::{Ui, format, text};

/// Arguments of `mug resume delete`.
#[derive(Debug, clap::Args)]
pub(super) struct DeleteArgs {
    /// The operation's id, or its beginning
    #[arg(value_name = "OP-ID")]
    id: String,
    /// Of an unfinished clone, remove the directory that it was making, too
    #[arg(long)]
    purge: bool,
}

pub(super) fn run(args: &DeleteArgs, ui: &Ui) -> Result<(), Error> {
    let place = Place::here(ui)?;
    let found = place.find(&args.id)?;
    // One that cannot be read is deleted all the same.
    let op = found.manager.get(&found.id).ok().flatten();
    let purged = if args.purge {
        Some(unfinished(op.as_ref(), &found.id)?)
    } else {
        None
    };
    found.manager.delete(&found.id)?;
    let id = found.id.clone();
    // The store lies in what is removed.
    drop(place);
    if let Some(input) = &purged {
        purge(input)?;
    }
    let directory = purged.map(|input| input.target.display().to_string());
    if ui.json {
        return ui.json_document(&match directory {
            Some(directory) => json!({ "deleted": id, "purged": directory }),
            None => json!({ "deleted": id }),
        });
    }
    let was = op.map_or_else(String::new, |op| describe(&op));
    let with = directory.map_or_else(String::new, |directory| {
        format!(", with {}", text::plain(&directory))
    });
    ui.note(&format!("deleted {}{was}{with}", text::plain(&id)));
    Ok(())
}

/// What an unfinished clone was started with.
fn unfinished(op: Option<&Operation>, id: &str) -> Result<Input, Error> {
    let refused = |why: &str| {
        Error::failed(format!("{id} {why}"))
            .hint("without `--purge` it is removed from the list alone")
            .about(id)
    };
    let op = op.ok_or_else(|| refused("can't be read, so nobody knows what it made"))?;
    if op.kind() != clone::KIND {
        return Err(refused("is no clone: what it has made stays"));
    }
    if op.status == OperationStatus::Completed {
        return Err(refused("is completed: its repository stays"));
    }
    let input = op.input.clone().map(serde_json::from_value);
    let Some(Ok(input)) = input else {
        return Err(refused("does not say what it made"));
    };
    Ok(input)
}

fn purge(input: &Input) -> Result<(), Error> {
    match clone::prepare::purge(input) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::failed(format!(
            "there is a repository at {} by now, which stays",
            input.target.display()
        ))),
        Err(error) => Err(Error::failed(error.to_string()).because(error)),
    }
}

fn describe(op: &Operation) -> String {
    let kind = text::plain(op.kind());
    match (op.status, op.progress.percentage()) {
        (OperationStatus::Paused, Some(percentage)) => {
            format!(" ({kind}, paused at {})", format::percent(percentage))
        }
        (status, _) => format!(" ({kind}, {status})"),
    }
}
