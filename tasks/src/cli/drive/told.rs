//! What is said at the beginning and at the end.

use console::Style;
use mug::core::resume::{Operation, OperationManager, OperationStatus};
use resume_runtime::{PausedBy, Stopped};

use crate::cli::again;
use crate::cli::error::Error;
use crate::cli::exit::Exit;
use crate::cli::origin::Origin;
use crate::cli::ui::{Ui, format, text};

/// The first thing that is said, before anything that may take long.
pub(in crate::cli) fn begin(ui: &Ui, what: &str, from: &str, to: &str) {
    let what = Ui::styled(Style::new().bold(), what);
    ui.note(&format!(
        "{what} {} into {}",
        text::plain(from),
        text::plain(to)
    ));
}

/// The same for what concerns one place alone.
pub(in crate::cli) fn begin_at(ui: &Ui, what: &str, place: &str) {
    let what = Ui::styled(Style::new().bold(), what);
    ui.note(&format!("{what} {}", text::plain(place)));
}

/// How far a record is, for a sentence.
pub(super) fn at(op: &Operation) -> String {
    let percentage = op.progress.percentage();
    percentage.map_or_else(String::new, |p| format!(" at {}", format::percent(p)))
}

/// Why it stopped, with the command that continues it.
/// `id` is the operation, once there is one.
pub(super) fn told(
    stopped: Stopped,
    id: Option<&str>,
    manager: &OperationManager,
    origin: &Origin,
) -> Error {
    let by_request = matches!(
        stopped,
        Stopped::Paused {
            by: PausedBy::Request,
            ..
        }
    );
    // Whatever became of the store, what it holds of the operation stays.
    let by_store = matches!(stopped, Stopped::Store(_));
    let mut error = Error::from(stopped);
    if let (true, Some(id)) = (by_store, id) {
        error = error.about(id);
    }
    let record = error
        .operation()
        .and_then(|id| manager.get(id).ok().flatten());
    match record {
        Some(op) => {
            let line = again::line(&op, origin);
            let error = if error.exit() == Exit::Paused {
                paused(&op, by_request)
            } else {
                error
            };
            let goes_on =
                by_store || matches!(op.status, OperationStatus::Paused | OperationStatus::Failed);
            match line {
                Some(line) if goes_on => error.continues_with(line),
                _ => error,
            }
        }
        None => error,
    }
}

fn paused(op: &Operation, by_request: bool) -> Error {
    let why = if by_request {
        ", as another process asked"
    } else {
        ""
    };
    let message = format!(
        "{} is paused{}{why}, and nothing of it is lost",
        text::short(&op.id),
        at(op)
    );
    Error::new(Exit::Paused, message).about(&op.id)
}
