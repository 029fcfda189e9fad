//! Why there is no commit.

use std::io;
use std::path::PathBuf;

use resume_runtime::StepError;

/// Why a commit is not made, or a branch does not get it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Nobody is configured.
    #[error("no name and email are configured for the {role} of a commit")]
    Nobody {
        /// Author or committer.
        role: &'static str,
    },
    /// A time in the environment or the configuration is no time.
    #[error("the date of the {role} is not understood: {reason}")]
    Date {
        /// Author or committer.
        role: &'static str,
        /// Why.
        reason: String,
    },
    /// The program that signs did not.
    #[error("the commit could not be signed with `{program}`: {reason}")]
    Sign {
        /// The program.
        program: String,
        /// What it said.
        reason: String,
    },
    /// A part of the repository can't be read or written.
    #[error("{reason}")]
    Repository {
        /// Which one, and why.
        reason: String,
    },
    /// The branch, or `HEAD`, is not where it was.
    #[error("{name} was moved by somebody else: it is at {found}, not at {expected}")]
    Moved {
        /// The ref.
        name: String,
        /// Where it is.
        found: String,
        /// Where it was.
        expected: String,
    },
    /// Another process holds the lock on a ref.
    #[error("another process has locked {name} ('{}')", lock.display())]
    Locked {
        /// The ref.
        name: String,
        /// The lock.
        lock: PathBuf,
    },
    /// A file can't be read or written.
    #[error("'{}'", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

impl CommitError {
    pub(crate) fn repository(error: impl std::fmt::Display) -> Self {
        Self::Repository {
            reason: error.to_string(),
        }
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

impl From<CommitError> for StepError {
    fn from(error: CommitError) -> Self {
        use CommitError as E;
        match error {
            E::Io { path, source } => match source.downcast::<Self>() {
                Ok(error) => error,
                Err(error) => Self::from(error).context(format!("'{}'", path.display())),
            },
            error @ E::Nobody { .. } => Self::needs_user(
                error,
                "`git config user.name \"Your Name\"` and `git config user.email you@example.com`, \
                 then continue",
            ),
            error @ E::Date { .. } => Self::needs_user(error, "correct it, then continue"),
            error @ E::Sign { .. } => {
                Self::needs_user(error, "see to the key and the program, then continue")
            }
            error @ E::Moved { .. } => Self::needs_user(
                error,
                "move it back and continue, or give the operation up with `--abort`",
            ),
            error @ E::Locked { .. } => Self::needs_user(
                error,
                "wait for that process; if there is none any more, remove the file, then continue",
            ),
            error @ E::Repository { .. } => Self::fatal(error),
        }
    }
}
