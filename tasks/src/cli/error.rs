//! Errors as the user sees them: what kind, what happened, why, what to do next.

use std::error::Error as StdError;
use std::io;

use mug::core::error::CoreError;
use mug::core::resume::ManagerError;
use resume_runtime::store::StoreError;
use resume_runtime::{StepError, Stopped};

use super::exit::Exit;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) struct Error {
    exit: Exit,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    hints: Vec<String>,
    /// The operation that it is about.
    operation: Option<String>,
    /// The line that continues it.
    command: Option<String>,
}

impl Error {
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            source: None,
            hints: Vec::new(),
            operation: None,
            command: None,
        }
    }

    /// Adds what it came from.
    pub(super) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds what to do next.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(super) fn about(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// It is about no operation any more, and nothing continues it.
    pub(super) fn without_operation(mut self) -> Self {
        self.operation = None;
        self.command = None;
        self
    }

    /// Adds the line that continues the operation.
    pub(super) fn continues_with(mut self, line: impl Into<String>) -> Self {
        self.command = Some(line.into());
        self
    }

    pub(super) const fn exit(&self) -> Exit {
        self.exit
    }

    pub(super) fn hints(&self) -> &[String] {
        &self.hints
    }

    pub(super) fn operation(&self) -> Option<&str> {
        self.operation.as_deref()
    }

    pub(super) fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }

    /// The message with those of its sources, as long as they add something.
    pub(super) fn message(&self) -> String {
        let mut message = self.message.clone();
        let mut source = self
            .source
            .as_deref()
            .map(|e| e as &(dyn StdError + 'static));
        while let Some(error) = source {
            let text = error.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            source = error.source();
        }
        message
    }

    /// Stdout was closed by whoever read it.
    pub(super) fn is_closed_pipe(&self) -> bool {
        self.source
            .as_deref()
            .and_then(|e| e.downcast_ref::<io::Error>())
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// How to find out what operations there are.
const LIST: &str = "`mug resume` lists what there is";

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let exit = match &error {
            StoreError::Full { .. } | StoreError::FileSize { .. } => Exit::NeedsUser,
            StoreError::Namespace { .. } => Exit::TryLater,
            error if error.is_transient() => Exit::TryLater,
            _ => Exit::Failed,
        };
        Self::new(exit, error.to_string()).because(error)
    }
}

impl From<CoreError> for Error {
    fn from(error: CoreError) -> Self {
        match error {
            CoreError::Store(error) => error.into(),
            CoreError::NoRepository { path } => Self::failed(format!(
                "no Git repository at {} or above it",
                path.display()
            ))
            .hint("run it inside a repository, or give one with `-C <dir>`"),
            error => Self::failed(error.to_string()).because(error),
        }
    }
}

impl From<ManagerError> for Error {
    fn from(error: ManagerError) -> Self {
        match error {
            ManagerError::Unknown { id } => unknown(&id),
            ManagerError::Ambiguous {
                prefix,
                candidates,
                total,
            } => {
                let more = match total.saturating_sub(candidates.len()) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                Self::usage(format!("{prefix} fits more than one operation")).hint(format!(
                    "give more of one of {}{more}",
                    candidates.join(", ")
                ))
            }
            ManagerError::Running { id, pid } => {
                Self::new(Exit::TryLater, format!("{id} is driven by process {pid}"))
                    .hint(format!("`mug resume pause {id}` pauses it"))
                    .about(id)
            }
            ManagerError::Store(error) => error.into(),
            error => Self::failed(error.to_string()),
        }
    }
}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Paused { id, .. } => {
                Self::new(Exit::Paused, format!("{id} is paused")).about(id)
            }
            Stopped::NeedsUser { id, error } => of_step(Exit::NeedsUser, "", error).about(id),
            Stopped::TryLater {
                id,
                attempts: _,
                error,
            } => of_step(Exit::TryLater, "gave up for now: ", error).about(id),
            Stopped::Failed { id, error } => of_step(Exit::Failed, "", error).about(id),
            Stopped::Unknown { id } => unknown(&id),
            Stopped::Finished { id, status } => Self::failed(format!("{id} is {status} already"))
                .hint("without `--resume` the command starts anew")
                .about(id),
            Stopped::Busy { id, owner } => Self::new(
                Exit::TryLater,
                format!("{id} is driven by process {}", owner.pid),
            )
            .hint(format!("`mug resume pause {id}` pauses it there"))
            .about(id),
            Stopped::Kind { id, found, wanted } => Self::usage(format!(
                "{id} is an operation `{found}`, which this command does not continue (but `{wanted}`)"
            ))
            .hint(format!("`mug resume continue {id}` shows the command that does"))
            .about(id),
            Stopped::Restore { id, error } => Self::failed(format!("{id} cannot be continued"))
                .because(error)
                .hint("another version of mug may have made it; try that one")
                .about(id),
            Stopped::Store(error) => error.into(),
            stopped @ (Stopped::Lost { .. } | Stopped::Shutdown { .. }) => {
                Self::failed(stopped.to_string())
            }
            other => Self::failed(other.to_string()),
        }
    }
}

fn of_step(exit: Exit, prefix: &str, error: StepError) -> Error {
    let hint = error.hint().map(str::to_owned);
    let mut told = Error::new(exit, format!("{prefix}{error}")).because(error);
    told.hints.extend(hint);
    told
}

fn unknown(id: &str) -> Error {
    Error::failed(format!("there is no operation {id}"))
        .hint(LIST)
        .hint("one of another repository is found there: `mug -C <dir> resume`")
        .about(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_once() {
        let io = io::Error::new(io::ErrorKind::NotFound, "no such thing");
        let error = Error::failed("cannot read x").because(io);
        assert_eq!(error.message(), "cannot read x: no such thing");
        let step = StepError::fatal(io::Error::other("broken"));
        let error: Error = Stopped::Failed {
            id: "op-1".into(),
            error: step,
        }
        .into();
        assert_eq!(error.message(), "broken");
        assert_eq!(error.operation(), Some("op-1"));
    }

    #[test]
    fn classes_become_exit_codes() {
        let id = || "op-1".to_owned();
        let step = || StepError::needs_user("full", "free some space");
        let owner = resume_runtime::Owner {
            instance: String::new(),
            pid: 7,
        };
        let code = |stopped: Stopped| Error::from(stopped).exit().code();
        assert_eq!(code(Stopped::Unknown { id: id() }), 1);
        assert_eq!(code(Stopped::Busy { id: id(), owner }), 5);
        assert_eq!(
            code(Stopped::Failed {
                id: id(),
                error: step()
            }),
            1
        );
        let later = Stopped::TryLater {
            id: id(),
            attempts: 3,
            error: step(),
        };
        assert_eq!(code(later), 5);
        let user = Error::from(Stopped::NeedsUser {
            id: id(),
            error: step(),
        });
        assert_eq!(user.exit().code(), 3);
        assert_eq!(user.hints(), ["free some space"]);
    }
}
