//! `mug resume show`: all that is known of an operation.

use std::time::Duration;

use chrono::{DateTime, Utc};
use mug::core::resume::{Operation, OperationStatus, WaitingFor};
use resume_runtime::Event;
use serde_json::json;

use crate::cli::error::Error;
use crate::cli::place::{Found, Place, repository};
use crate::cli::ui::table::Table;
use crate::cli::ui::{Ui, format, status, text};

pub(super) fn run(id: &str, ui: &Ui) -> Result<(), Error> {
    let place = Place::here(ui)?;
    let found = place.find(id)?;
    let op = found.record()?;
    if ui.json {
        let mut record = json!(op);
        record["repository"] = json!(repository(found.dir));
        if ui.verbose {
            record["journal"] = json!(found.manager.journal(&op.id)?);
        }
        return ui.json_document(&record);
    }
    ui.result(&text::plain(&op.id))?;
    for line in details(&found, &op)?.lines() {
        ui.result(&format!("  {line}"))?;
    }
    if ui.verbose {
        ui.result("\njournal")?;
        for line in journal(&found.manager.journal(&op.id)?).lines() {
            ui.result(&format!("  {line}"))?;
        }
    } else {
        ui.note("\n`-v` shows the journal");
    }
    Ok(())
}

/// The lines that every look at an operation begins with.
pub(super) fn details(found: &Found, op: &Operation) -> Result<String, Error> {
    let mut fields = Fields::default();
    let now = Utc::now();
    fields.add(
        "type",
        match op.kind() {
            kind if kind == op.op_type.as_str() => kind.to_owned(),
            kind => format!("{} ({kind})", op.op_type),
        },
    );
    fields.add("status", status_line(op, found.is_interrupted()?));
    fields.add("progress", progress_line(op));
    fields.add(
        "step",
        match op.state.total_steps {
            Some(steps) => format!(
                "{} (of {})",
                status::step(&op.state.current_step),
                format::plural(steps, "step", "steps")
            ),
            None => status::step(&op.state.current_step),
        },
    );
    if let Some(error) = &op.state.error_message {
        fields.add("error", error.clone());
    }
    if let Some(waiting) = &op.waiting_for {
        fields.add("waits for", waits(waiting));
    }
    let time = |at: DateTime<Utc>| format!("{} ({})", format::time(at), format::ago(at, now));
    fields.add("created", time(op.created_at));
    fields.add("started", time(op.started_at));
    fields.add("updated", time(op.last_updated));
    if op.commits > 0 {
        fields.add("commits", format::count(op.commits));
    }
    if op.timing.driven_ms > 0 {
        fields.add(
            "worked",
            format!(
                "{}, {} of it waiting for commits",
                format::duration(Duration::from_millis(op.timing.driven_ms)),
                format::duration(Duration::from_millis(op.timing.waited_ms)),
            ),
        );
    }
    if !op.after.is_empty() {
        fields.add("after", op.after.join(", "));
    }
    if let Some(repository) = repository(found.dir) {
        fields.add("repository", repository.display().to_string());
    }
    if let Some(directory) = &op.directory {
        fields.add("directory", directory.clone());
    }
    if !op.command.is_empty() {
        fields.add("command", text::command(&op.command));
    }
    let mut metadata: Vec<_> = op.state.metadata.iter().collect();
    metadata.sort();
    for (number, (key, value)) in metadata.into_iter().enumerate() {
        let name = if number == 0 { "metadata" } else { "" };
        fields.add(name, format!("{key}: {value}"));
    }
    Ok(fields.text())
}

/// Names and values in two columns. Values may have lines.
#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn add(&mut self, name: &'static str, value: String) {
        self.0.push((name, value));
    }

    fn text(&self) -> String {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let indent = " ".repeat(width + 2);
        let lines: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name:width$}  {}", text::lines(value, &indent)))
            .collect();
        lines.join("\n")
    }
}

fn status_line(op: &Operation, interrupted: bool) -> String {
    match (&op.owner, op.status) {
        (Some(owner), OperationStatus::Running) => format!("running in process {}", owner.pid),
        (Some(owner), OperationStatus::Paused) if interrupted => {
            format!("paused (interrupted: process {} has ended)", owner.pid)
        }
        _ => status::status(op, interrupted),
    }
}

fn progress_line(op: &Operation) -> String {
    let progress = &op.progress;
    let mut parts = Vec::new();
    if let Some(percentage) = progress.percentage() {
        parts.push(format::percent(percentage));
    }
    if progress.processed > 0 || progress.total.is_some() {
        let items = format::of(progress.processed, progress.total, format::count);
        parts.push(format!("{items} items"));
    }
    if progress.bytes_processed > 0 || progress.total_bytes.is_some() {
        parts.push(format::of(
            progress.bytes_processed,
            progress.total_bytes,
            format::bytes,
        ));
    }
    if parts.is_empty() {
        parts.push("none yet".to_owned());
    }
    parts.join(", ")
}

fn waits(waiting: &WaitingFor) -> String {
    match waiting {
        WaitingFor::User(what) => format!("you: {what}"),
        WaitingFor::Until(time) => format!("the next try at {}", format::time(*time)),
        WaitingFor::Operation(id) => format!("operation {id}"),
        WaitingFor::Slot => "a place among those that run at once".to_owned(),
        other => format!("{other:?}"),
    }
}

fn journal(events: &[Event]) -> String {
    let mut table =
        Table::new(&["TIME", "EVENT", "STEP", "COMMIT", "PROGRESS", "MESSAGE"]).right(3);
    for event in events {
        table.row(&[
            format::time(event.time),
            event.kind.as_str().to_owned(),
            status::step(&event.step),
            event.commit.to_string(),
            status::progress(&event.progress),
            event.message.clone().unwrap_or_default(),
        ]);
    }
    table.lines().join("\n")
}

#[cfg(test)]
mod tests {
    use mug::core::resume::OperationType;

    use super::*;

    #[test]
    fn fields_stand_in_two_columns() {
        let mut fields = Fields::default();
        fields.add("type", "pack".into());
        fields.add("progress", "a\nb\x1b".into());
        assert_eq!(
            fields.text(),
            "type      pack\nprogress  a\n          b\\u{1b}"
        );
    }

    #[test]
    fn progress_says_what_is_known() {
        let mut op = Operation::new(OperationType::Pack, String::new(), [].into());
        assert_eq!(progress_line(&op), "none yet");
        op.progress.processed = 1_234;
        op.progress.total = Some(2_000);
        op.progress.bytes_processed = 1 << 20;
        assert_eq!(progress_line(&op), "61%, 1,234/2,000 items, 1.00 MiB");
    }
}
