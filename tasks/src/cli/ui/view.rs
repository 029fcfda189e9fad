//! Progress while an operation runs.

use std::time::{Duration, Instant};

use resume_runtime::ProgressSnapshot;

use super::bar::Bar;
use super::fresh::Fresh;
use super::lines::Lines;
use super::output::Ui;
use super::status;
use crate::cli::args::When;

/// How progress is shown.
pub(in crate::cli) struct View {
    ui: Ui,
    id: String,
    form: Form,
    fresh: Fresh,
}

enum Form {
    Bar(Bar),
    Lines(Lines),
    Json(Lines),
    Nothing,
}

impl View {
    /// A view of one operation, as the options and the terminal have it. `label`
    /// tells it from others that are shown at the same time.
    pub(in crate::cli) fn new(ui: &Ui, id: &str, label: Option<&str>) -> Self {
        let every = Duration::from_secs(match ui.progress {
            When::Always => 1,
            _ => 10,
        });
        let form = if ui.progress == When::Never {
            Form::Nothing
        } else if ui.json {
            Form::Json(Lines::new(Duration::from_secs(1)))
        } else if ui.quiet {
            Form::Nothing
        } else if ui.terminal {
            Form::Bar(Bar::new(ui, label))
        } else {
            Form::Lines(Lines::new(every))
        };
        Self {
            ui: ui.clone(),
            id: id.to_owned(),
            form,
            fresh: Fresh::default(),
        }
    }

    /// Shows how far it is.
    pub(in crate::cli) fn update(&mut self, shot: &ProgressSnapshot) {
        // Not taken up yet.
        if shot.step.is_empty() {
            return;
        }
        let fresh = self.fresh.filter(shot);
        match &mut self.form {
            Form::Bar(bar) => bar.update(&fresh),
            Form::Lines(lines) => {
                if lines.is_due(&fresh, Instant::now()) {
                    self.ui.tell(&status::line(&fresh));
                }
            }
            Form::Json(lines) => {
                if lines.is_due(shot, Instant::now()) {
                    // Whoever read it has gone; the operation goes on.
                    let _ = self.ui.json_line(&status::message(&self.id, shot));
                }
            }
            Form::Nothing => {}
        }
    }

    /// Says once how far it is, whatever the options.
    pub(in crate::cli) fn say(&self, shot: &ProgressSnapshot) {
        self.ui.tell(&status::line(shot));
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Form::Bar(bar) = &self.form {
            bar.clear();
        }
    }
}
