//! `mug resume delete`: removes an operation from the list.

use mug::core::resume::{Operation, OperationStatus};
use serde_json::json;

use crate::cli::error::Error;
use crate::cli::place::Place;
use crate::cli::ui::{Ui, format, text};

pub(super) fn run(id: &str, ui: &Ui) -> Result<(), Error> {
    let place = Place::here(ui)?;
    let found = place.find(id)?;
    // One that cannot be read is deleted all the same.
    let op = found.manager.get(&found.id).ok().flatten();
    found.manager.delete(&found.id)?;
    if ui.json {
        return ui.json_document(&json!({ "deleted": found.id }));
    }
    let was = op.map_or_else(String::new, |op| describe(&op));
    ui.note(&format!("deleted {}{was}", text::plain(&found.id)));
    Ok(())
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
