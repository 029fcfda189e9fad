//! Why a server can't be talked to, by what can be done about it.

use std::io;
use std::time::Duration;

use gix_hash::ObjectId;
use resume_runtime::{ErrorClass, StepError};

/// Why a server could not be reached, or did not give what was asked for. What servers say is in
/// it without control characters, and never a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// It is no address.
    #[error("'{given}' is not an address of a repository: {reason}")]
    Address {
        /// What was given, without a password.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is an address of a kind that is not supported, or not allowed here.
    #[error("{what}")]
    Unsupported {
        /// What is not supported, and what is.
        what: String,
    },
    /// The configuration has something that can't be used.
    #[error("{key} in the configuration can't be used: {reason}")]
    Configuration {
        /// The key.
        key: String,
        /// What is wrong with its value.
        reason: String,
    },
    /// There is no way to the server at the moment.
    #[error("could not connect to {host}: {reason}")]
    Unreachable {
        /// The server.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// The connection was there, and is no more.
    #[error("the connection was lost: {reason}")]
    Lost {
        /// What was seen of it.
        reason: String,
    },
    /// Nothing came for too long.
    #[error("the connection is stalled: nothing came for {} s", after.as_secs_f32())]
    Stalled {
        /// How long it was waited.
        after: Duration,
    },
    /// The server has too much to do.
    #[error("the server is busy (status {status}){}", again(*retry_after))]
    Busy {
        /// 429 or 503.
        status: u32,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The server failed.
    #[error("the server failed (status {status})")]
    Failed {
        /// 500, 502 or 504.
        status: u32,
    },
    /// The server failed while it made the pack.
    #[error("the server gave up: {said}")]
    GaveUp {
        /// What it said.
        said: String,
    },
    /// Who asks is not let in.
    #[error("{address} does not let you in: {reason}")]
    Denied {
        /// The address.
        address: String,
        /// What was tried, or what the server said.
        reason: String,
    },
    /// The server can't prove who it is.
    #[error("could not make sure that {host} is who it says: {reason}")]
    Certificate {
        /// The server.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// There is no repository.
    #[error("there is no repository at {address}: {reason}")]
    NotFound {
        /// The address.
        address: String,
        /// What the server said.
        reason: String,
    },
    /// HTTP gave a status that nothing can be made of.
    #[error("{address} answered with status {status}")]
    Status {
        /// The address.
        address: String,
        /// The status.
        status: u32,
    },
    /// An object was asked for that the server does not have, or does not give.
    #[error("the server does not give an object that was asked for: {said}")]
    UnknownWant {
        /// The object, where the server names it.
        oid: Option<ObjectId>,
        /// What it said.
        said: String,
    },
    /// The server does not leave out what it was asked to leave out.
    #[error("the server refuses the filter: {said}")]
    FilterRefused {
        /// What it said.
        said: String,
    },
    /// The server said no.
    #[error("the server refused: {said}")]
    Refused {
        /// What it said.
        said: String,
    },
    /// The server lacks an ability that is needed.
    #[error("the server can't {what}")]
    Unable {
        /// What it can't do.
        what: String,
    },
    /// The history that is here can't be read.
    #[error("the history of this repository can't be read: {reason}")]
    History {
        /// Why.
        reason: String,
    },
    /// The pack that is to be sent can't be read.
    #[error("the pack to send can't be read: {reason}")]
    Pack {
        /// Why.
        reason: String,
    },
    /// The objects have names of another kind.
    #[error(
        "the repository uses {format}, which is not supported yet; use git for repositories of this format"
    )]
    ObjectFormat {
        /// The kind.
        format: String,
    },
    /// What came does not follow the protocol.
    #[error("the server does not speak Git's protocol: {what}")]
    Protocol {
        /// What came.
        what: String,
    },
    /// The interrupt flag was raised.
    #[error("interrupted")]
    Interrupted,
}

/// What a server says of when to come again.
fn again(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| {
        format!("; it asks to come again in {} s", after.as_secs())
    })
}

impl ConnectionError {
    /// What can be done about it.
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::Unreachable { .. }
            | Self::Lost { .. }
            | Self::Stalled { .. }
            | Self::Busy { .. }
            | Self::Failed { .. }
            | Self::GaveUp { .. }
            | Self::Interrupted => ErrorClass::Transient,
            Self::Denied { .. } | Self::Certificate { .. } | Self::Configuration { .. } => {
                ErrorClass::NeedsUser
            }
            _ => ErrorClass::Fatal,
        }
    }

    /// How long the server asks to be left alone.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether it is only that the interrupt flag was raised.
    pub const fn is_interrupted(&self) -> bool {
        matches!(self, Self::Interrupted)
    }

    /// What an error means that came out of reading a pack.
    pub fn of_read(error: &io::Error) -> Self {
        let own = error.get_ref().and_then(|it| it.downcast_ref::<Self>());
        own.cloned().unwrap_or_else(|| Self::Lost {
            reason: error.to_string(),
        })
    }

    /// What to do next.
    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Denied { .. } => {
                "see that git's credential helpers or ssh have what it takes to log in, then resume"
            }
            Self::Certificate { .. } => {
                "see http.sslCAInfo in git's configuration and the date of this machine, then resume"
            }
            Self::Configuration { .. } => "change it, then resume",
            Self::NotFound { .. } => "see that the address is right and that you may read it",
            _ => return None,
        })
    }

    /// Something that is not of the protocol.
    pub(super) fn protocol(what: impl Into<String>) -> Self {
        Self::Protocol { what: what.into() }
    }

    /// The end of the stream where more should come.
    pub(super) fn cut(where_: &str) -> Self {
        Self::Lost {
            reason: format!("it ended {where_}"),
        }
    }
}

impl From<ConnectionError> for io::Error {
    fn from(error: ConnectionError) -> Self {
        let kind = match &error {
            ConnectionError::Stalled { .. } => io::ErrorKind::TimedOut,
            ConnectionError::Lost { .. } => io::ErrorKind::ConnectionReset,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl From<ConnectionError> for StepError {
    fn from(error: ConnectionError) -> Self {
        let hint = error.hint();
        let class = error.class();
        match (class, hint) {
            (ErrorClass::NeedsUser, hint) => {
                Self::needs_user(error, hint.unwrap_or("see to it, then resume"))
            }
            (ErrorClass::Transient, _) => Self::transient(error),
            (_, Some(hint)) => Self::fatal(error).with_hint(hint),
            _ => Self::fatal(error),
        }
    }
}
