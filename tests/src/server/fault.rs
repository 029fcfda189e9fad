//! How an answer goes wrong.

use super::Kind;

/// What is done to one answer. Places are counted in bytes from the start of the
/// body (of the whole connection for `git://`), or of the pack in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Closes the connection instead of answering.
    HangUp,
    /// Answers with this status and these further headers, and a line of text.
    Status(u16, Vec<(String, String)>),
    /// Closes the connection after so many bytes of the body.
    Cut(u64),
    /// Closes it after so many bytes of the pack.
    CutPack(u64),
    /// Closes it within the length of the first packet that begins at or after
    /// this place of the body.
    CutLength(u64),
    /// Closes it when all but the last so many bytes were sent.
    CutEnd(u64),
    /// Sends so many bytes of the body, then no more until it is let go.
    Hold(u64),
    /// Sends so many bytes of the pack, then no more until it is let go.
    HoldPack(u64),
    /// Sends at most so many bytes a second.
    Throttle(u64),
    /// Turns over the bits of the byte of the pack at this place.
    Corrupt(u64),
    /// After so many bytes of the pack, when a packet ends, sends zeros as more of
    /// the pack, without an end.
    Endless(u64),
    /// Sends these bytes as the pack, whatever was asked for.
    Pack(Vec<u8>),
    /// Sends these bytes as the body.
    Body(Vec<u8>),
}

impl Fault {
    /// A status without further headers.
    pub fn status(code: u16) -> Self {
        Self::Status(code, Vec::new())
    }

    /// A status that says when to come again, in seconds.
    pub fn busy(code: u16, seconds: u32) -> Self {
        Self::Status(code, vec![("Retry-After".into(), seconds.to_string())])
    }
}

/// Which answers a fault is done to.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    kind: Kind,
    /// How many are let pass first.
    pass: usize,
    /// How many it is done to.
    left: usize,
    fault: Fault,
}

impl Rule {
    /// For the `count` answers of this kind after the next `pass`.
    pub(super) const fn new(kind: Kind, pass: usize, count: usize, fault: Fault) -> Self {
        Self {
            kind,
            pass,
            left: count,
            fault,
        }
    }

    /// What to do to the next answer of this kind.
    pub(super) fn apply(&mut self, kind: Kind) -> Option<Fault> {
        if kind != self.kind || self.left == 0 {
            return None;
        }
        if self.pass > 0 {
            self.pass -= 1;
            return None;
        }
        self.left -= 1;
        Some(self.fault.clone())
    }
}
