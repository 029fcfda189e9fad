//! The errors of a step, by what can be done about them, and of restoring.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::store::StoreError;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What can be done about an error: the machine-readable class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// It may pass by itself: the scheduler retries with backoff.
    Transient,
    /// The user has to act: the operation pauses with a hint.
    NeedsUser,
    /// Nothing helps but another input or another build: the operation fails,
    /// and what was committed stays.
    Fatal,
}

impl ErrorClass {
    /// The class's stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::NeedsUser => "needs-user",
            Self::Fatal => "fatal",
        }
    }
}

/// Why a slice ended without a state. What it did is rolled back to the last
/// commit.
///
/// Only [`io::Error`] converts by itself, classed by its kind (and the store's
/// own errors); for every other error the place that knows it names the class (see [`Classify`]).
#[derive(Debug)]
pub struct StepError {
    class: ErrorClass,
    message: String,
    hint: Option<String>,
    source: Option<Source>,
    /// The least time to wait before the next try.
    after: Duration,
    /// Whether nobody is to try again in this run.
    gives_up: bool,
}

impl StepError {
    /// An error that may pass by itself.
    pub fn transient(error: impl Into<Source>) -> Self {
        Self::of(ErrorClass::Transient, error)
    }

    /// An error that the user can clear; `hint` says what to do.
    pub fn needs_user(error: impl Into<Source>, hint: impl Into<String>) -> Self {
        Self::of(ErrorClass::NeedsUser, error).with_hint(hint)
    }

    /// An error that no repetition clears.
    pub fn fatal(error: impl Into<Source>) -> Self {
        Self::of(ErrorClass::Fatal, error)
    }

    /// Adds what to do next.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts what was being done before the message: `context: message`.
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Waits at least so long before the next try, as a server may ask for. Of use to transient
    /// errors alone.
    pub const fn not_before(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }

    /// Ends the run, with everything kept, instead of trying again: what was tried often enough
    /// may still pass, but not soon. Of use to transient errors alone.
    pub const fn give_up(mut self) -> Self {
        self.gives_up = true;
        self
    }

    /// The least time to wait before the next try.
    pub(crate) const fn after(&self) -> Duration {
        self.after
    }

    /// Whether the run is to end.
    pub(crate) const fn gives_up(&self) -> bool {
        self.gives_up
    }

    /// What can be done about it.
    pub const fn class(&self) -> ErrorClass {
        self.class
    }

    /// What to do next, when that is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    fn of(class: ErrorClass, error: impl Into<Source>) -> Self {
        let source = error.into();
        Self {
            class,
            message: message_of(&*source),
            hint: None,
            source: Some(source),
            after: Duration::ZERO,
            gives_up: false,
        }
    }
}

/// The message with those of its causes, as long as they add something.
fn message_of(error: &(dyn std::error::Error + 'static)) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    message
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StepError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // Its message is part of this one's; what follows is what lies behind it.
        self.source.as_ref().and_then(|s| s.source())
    }
}

const RAISE_THE_LIMIT: &str = "raise the file size limit (ulimit -f), then resume";

impl From<io::Error> for StepError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as K;
        // One of these that went through code that knows `io::Error` only.
        let error = match error.downcast::<Self>() {
            Ok(error) => return error,
            Err(error) => error,
        };
        #[cfg(unix)]
        if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) {
            let hint = "see what the system's log says of the disk, then resume";
            return Self::needs_user(error, hint);
        }
        match error.kind() {
            K::ConnectionRefused
            | K::ConnectionReset
            | K::ConnectionAborted
            | K::NotConnected
            | K::HostUnreachable
            | K::NetworkUnreachable
            | K::NetworkDown
            | K::BrokenPipe
            | K::TimedOut
            | K::WouldBlock
            | K::Interrupted
            | K::UnexpectedEof
            | K::ResourceBusy
            | K::StaleNetworkFileHandle => Self::transient(error),
            K::StorageFull | K::QuotaExceeded => {
                Self::needs_user(error, "free some space, then resume")
            }
            K::FileTooLarge => Self::needs_user(error, RAISE_THE_LIMIT),
            K::PermissionDenied | K::ReadOnlyFilesystem => {
                Self::needs_user(error, "make the place writable, then resume")
            }
            _ => Self::fatal(error),
        }
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full { .. } => Self::needs_user(error, "free some space, then resume"),
            StoreError::FileSize { .. } => Self::needs_user(error, RAISE_THE_LIMIT),
            _ => Self::fatal(error),
        }
    }
}

/// Names the class of a foreign error at the `?`.
///
/// ```
/// use resume_runtime::{Classify, ErrorClass, StepError};
///
/// fn port(text: &str) -> Result<u16, StepError> {
///     Ok(text.parse::<u16>().or_needs_user("give a port between 1 and 65535")?)
/// }
/// assert_eq!(port("x").unwrap_err().class(), ErrorClass::NeedsUser);
/// ```
pub trait Classify<T> {
    /// It may pass by itself.
    fn or_transient(self) -> Result<T, StepError>;
    /// The user can clear it; `hint` says how.
    fn or_needs_user(self, hint: &str) -> Result<T, StepError>;
    /// No repetition clears it.
    fn or_fatal(self) -> Result<T, StepError>;
}

impl<T, E: Into<Source>> Classify<T> for Result<T, E> {
    fn or_transient(self) -> Result<T, StepError> {
        self.map_err(StepError::transient)
    }

    fn or_needs_user(self, hint: &str) -> Result<T, StepError> {
        self.map_err(|e| StepError::needs_user(e, hint))
    }

    fn or_fatal(self) -> Result<T, StepError> {
        self.map_err(StepError::fatal)
    }
}

/// Why a stored state cannot be turned into a machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The machine has no such step.
    #[error("the stored step `{0}` is unknown to this build")]
    UnknownStep(String),
    /// The state was written by a newer build.
    #[error(
        "the state was stored by version {stored}, this build reads up to {known}: \
         use the newer build to continue"
    )]
    Newer {
        /// The version that wrote it.
        stored: u32,
        /// This build's version.
        known: u32,
    },
    /// The version is older and the machine names no migration from it.
    #[error("no migration from version {0}: use the build that stored it to continue")]
    NoMigration(u32),
    /// The stored JSON is not that step's state.
    #[error("the state of step `{step}` (version {version}) cannot be read: {reason}")]
    Unreadable {
        /// The stored step.
        step: String,
        /// The version that wrote it.
        version: u32,
        /// What serde said.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_errors_are_classed_by_kind() {
        let class = |kind| StepError::from(io::Error::from(kind)).class();
        assert_eq!(class(io::ErrorKind::ConnectionReset), ErrorClass::Transient);
        assert_eq!(class(io::ErrorKind::StorageFull), ErrorClass::NeedsUser);
        assert_eq!(class(io::ErrorKind::InvalidData), ErrorClass::Fatal);
        let failing = io::Error::from(rustix::io::Errno::IO);
        assert_eq!(StepError::from(failing).class(), ErrorClass::NeedsUser);
    }

    #[test]
    fn an_error_comes_through_a_writer_as_it_was() {
        let full = StepError::from(io::Error::from(io::ErrorKind::StorageFull)).context("x");
        let back = StepError::from(io::Error::other(full));
        assert_eq!(back.class(), ErrorClass::NeedsUser);
        assert_eq!(back.hint(), Some("free some space, then resume"));
        assert!(back.to_string().starts_with("x: "), "{back}");
    }

    #[test]
    fn a_message_names_its_causes_once() {
        let inner = io::Error::other(RestoreError::UnknownStep("walk".into()));
        let error = StepError::fatal(inner).context("opening");
        assert_eq!(
            error.to_string(),
            "opening: the stored step `walk` is unknown to this build"
        );
    }
}
