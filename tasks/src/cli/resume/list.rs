//! `mug resume list`: the operations that there are, the newest first.

use chrono::Utc;
use mug::core::resume::{Operation, OperationStatus};
use serde_json::{Value, json};

use crate::cli::error::Error;
use crate::cli::place::{Place, Store};
use crate::cli::ui::table::Table;
use crate::cli::ui::{Ui, format, status, text};

/// Arguments of `mug resume list`. Filters add up.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "options are given or not")]
pub(super) struct ListArgs {
    /// Show paused operations, those that were interrupted or wait among them
    #[arg(long)]
    paused: bool,
    /// Show running operations
    #[arg(long)]
    running: bool,
    /// Show completed operations
    #[arg(long)]
    completed: bool,
    /// Show failed operations
    #[arg(long)]
    failed: bool,
}

impl ListArgs {
    /// Whether there is any filter.
    pub(super) const fn is_given(&self) -> bool {
        self.paused || self.running || self.completed || self.failed
    }

    /// Both filters.
    pub(super) const fn and(&self, other: &Self) -> Self {
        Self {
            paused: self.paused || other.paused,
            running: self.running || other.running,
            completed: self.completed || other.completed,
            failed: self.failed || other.failed,
        }
    }

    /// The statuses that were asked for; all where none was.
    fn statuses(&self) -> Vec<OperationStatus> {
        let asked = [
            (self.paused, OperationStatus::Paused),
            (self.running, OperationStatus::Running),
            (self.completed, OperationStatus::Completed),
            (self.failed, OperationStatus::Failed),
        ];
        let chosen = asked
            .into_iter()
            .filter(|(asked, _)| !self.is_given() || *asked);
        chosen.map(|(_, status)| status).collect()
    }
}

/// A line of the list.
struct Row<'a> {
    store: &'a Store,
    op: Operation,
}

pub(super) fn run(args: &ListArgs, ui: &Ui) -> Result<(), Error> {
    let place = Place::here(ui)?;
    let statuses = args.statuses();
    let mut rows = Vec::new();
    let mut unreadable = 0;
    for store in place.stores() {
        let chosen = store
            .list()?
            .into_iter()
            .filter(|op| statuses.contains(&op.status));
        rows.extend(chosen.map(|op| Row { store, op }));
    }
    for store in place.own() {
        unreadable += store.manager.unreadable()?.len();
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.op.created_at));
    if ui.json {
        ui.json_document(&Value::Array(rows.iter().map(record).collect()))?;
    } else if rows.is_empty() {
        ui.note(nothing(&statuses, place.is_everywhere()));
    } else {
        show(&rows, place.is_everywhere(), ui)?;
    }
    if unreadable > 0 {
        ui.note(&format!(
            "warning: {} cannot be read; `mug resume cleanup --days 0` removes finished operations and these",
            format::plural(unreadable, "record", "records")
        ));
    }
    Ok(())
}

fn record(row: &Row) -> Value {
    let mut record = json!(row.op);
    record["repository"] = json!(row.store.repository());
    record
}

fn nothing(statuses: &[OperationStatus], everywhere: bool) -> &'static str {
    if statuses.len() < OperationStatus::ALL.len() {
        "no such operations; `mug resume` lists all"
    } else if everywhere {
        "no operations in any repository; `mug pack create <dir>` in one starts the first"
    } else {
        "no operations yet; `mug pack create <dir>` starts one, and it can be continued from here"
    }
}

fn show(rows: &[Row], everywhere: bool, ui: &Ui) -> Result<(), Error> {
    let mut header = vec!["ID", "TYPE", "STATUS", "PROGRESS", "STEP", "UPDATED"];
    if everywhere {
        header.push("REPOSITORY");
    }
    let mut table = Table::new(&header);
    let now = Utc::now();
    for Row { store, op } in rows {
        let mut cells = vec![
            text::short(&op.id),
            op.kind().to_owned(),
            status::status(op, is_interrupted(store, op)),
            status::progress(&op.progress),
            status::step(&op.state.current_step),
            format::ago(op.last_updated, now),
        ];
        if everywhere {
            let repository = store.repository();
            cells
                .push(repository.map_or_else(|| "-".to_owned(), |path| path.display().to_string()));
        }
        table.row(&cells);
    }
    for line in table.lines() {
        ui.result(&line)?;
    }
    let paused = rows
        .iter()
        .find(|row| row.op.status == OperationStatus::Paused);
    if let Some(Row { op, .. }) = paused
        && ui.can_ask()
    {
        let id = text::short(&op.id);
        ui.note(&format!(
            "\n`mug resume continue {id}` says how to continue {id}"
        ));
    }
    Ok(())
}

fn is_interrupted(store: &Store, op: &Operation) -> bool {
    op.status == OperationStatus::Paused
        // Gone since: it does not matter any more.
        && store.manager.is_interrupted(&op.id).unwrap_or(false)
        && op.waiting_for.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_add_up() {
        let args = |paused, failed| ListArgs {
            paused,
            failed,
            running: false,
            completed: false,
        };
        assert_eq!(args(false, false).statuses().len(), 4);
        assert_eq!(args(true, false).statuses(), [OperationStatus::Paused]);
        assert_eq!(
            args(true, true).statuses(),
            [OperationStatus::Paused, OperationStatus::Failed]
        );
    }
}
