//! Errors, on stderr for people and on stdout for programs.

use console::Style;
use serde_json::json;

use super::output::Ui;
use super::text;
use crate::cli::error::Error;
use crate::cli::exit::Exit;

impl Ui {
    /// Tells why a command did not do what was asked.
    pub(in crate::cli) fn error(&self, error: &Error) {
        if self.json {
            let message = json!({
                "message_type": "error",
                "kind": error.exit().name(),
                "exit_code": error.exit().code(),
                "id": error.operation(),
                "message": error.message(),
                "hints": error.hints(),
                "command": error.command(),
            });
            // Where stdout is gone, stderr says it.
            let _ = self.json_line(&message);
        }
        let message = text::lines(&error.message(), "  ");
        if error.exit() == Exit::Paused {
            self.tell(&message);
        } else {
            let label = Self::styled(Style::new().red().bold(), "error:");
            self.tell(&format!("{label} {message}"));
        }
        for hint in error.hints() {
            let label = Self::styled(Style::new().bold(), "hint:");
            self.tell(&format!("{label} {}", text::lines(hint, "  ")));
        }
        if let Some(command) = error.command() {
            let when = match error.exit() {
                Exit::Paused => "continue it with:",
                Exit::NeedsUser => "then continue with:",
                Exit::TryLater => "later, continue with:",
                _ => "once the cause is gone, go on from the last commit with:",
            };
            self.tell(&format!("{when}\n\n  {command}\n"));
        }
    }
}
