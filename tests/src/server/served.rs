//! What a server remembers of a request.

use super::question::Question;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What the server can do, and with the old protocols its refs.
    Info,
    /// The refs.
    Refs,
    /// Objects. A connection by `git://` as a whole is one of these.
    Fetch,
    /// Another command of the protocol.
    Other,
    /// A plain file.
    File,
}

/// One request and its answer, by the server's own count.
#[derive(Clone, Debug)]
pub struct Served {
    /// What it was for.
    pub kind: Kind,
    /// Its path, with the query.
    pub path: String,
    /// What `Git-Protocol` said.
    pub protocol: Option<String>,
    /// The user who named a password.
    pub user: Option<String>,
    /// What was asked for, when it was objects.
    pub question: Question,
    /// Bytes of its body as it came.
    pub received: u64,
    /// The status of the answer; 0 until there is one, or when there is none.
    pub status: u16,
    /// Bytes of the answer's body that were sent.
    pub sent: u64,
    /// Bytes of the pack among them.
    pub pack: u64,
    /// Whether all of the answer was sent.
    pub whole: bool,
}

impl Served {
    pub(super) fn new(kind: Kind, path: String) -> Self {
        Self {
            kind,
            path,
            protocol: None,
            user: None,
            question: Question::default(),
            received: 0,
            status: 0,
            sent: 0,
            pack: 0,
            whole: false,
        }
    }
}

/// A request that brings a pack, by the server's own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body {
    /// Its bytes that came.
    pub bytes: u64,
    /// Whether these are all.
    pub whole: bool,
}
