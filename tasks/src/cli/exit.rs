//! Exit codes: an interface, documented and not changed.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::error::Error;
use super::ui::Ui;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// It did what was asked.
    Done,
    /// It failed.
    Failed,
    /// It was called wrongly.
    Usage,
    /// The user has to act first.
    NeedsUser,
    /// A later try may do better.
    TryLater,
    /// It was paused.
    Paused,
}

impl Exit {
    const ALL: [Self; 6] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::NeedsUser,
        Self::TryLater,
        Self::Paused,
    ];

    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NeedsUser => 3,
            Self::TryLater => 5,
            Self::Paused => 130,
        }
    }

    /// Its name in JSON.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NeedsUser => "needs-user",
            Self::TryLater => "try-later",
            Self::Paused => "paused",
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed; what was committed stays",
            Self::Usage => "called wrongly",
            Self::NeedsUser => "paused until you have done what the message says",
            Self::TryLater => "try again later; also: another process has the operation",
            Self::Paused => "paused: by Ctrl-C, SIGTERM, SIGHUP or `mug resume pause`",
        }
    }
}

/// The table of exit codes.
pub(super) fn table() -> String {
    let mut table = "Exit codes:".to_owned();
    for exit in Exit::ALL {
        // Writing to a string cannot fail.
        let _ = write!(table, "\n  {:>3}  {}", exit.code(), exit.meaning());
    }
    table
}

/// What the process ends with; an error is told first.
pub(crate) fn exit_code(result: Result<(), Error>, ui: &Ui) -> ExitCode {
    let exit = match result {
        Ok(()) => Exit::Done,
        // Whoever read it has read enough.
        Err(error) if error.is_closed_pipe() => Exit::Done,
        Err(error) => {
            ui.error(&error);
            error.exit()
        }
    };
    ExitCode::from(exit.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts rely on it: change it never, add to it with care.
    #[test]
    fn the_table_is_as_documented() {
        assert_eq!(
            table(),
            "\
Exit codes:
    0  done
    1  failed; what was committed stays
    2  called wrongly
    3  paused until you have done what the message says
    5  try again later; also: another process has the operation
  130  paused: by Ctrl-C, SIGTERM, SIGHUP or `mug resume pause`"
        );
    }
}
