//! What a server sends when it is asked for objects.

use std::io;

use gix_hash::ObjectId;

use super::message::{Lines, cleaned};
use super::packet::{Packet, refusal};
use super::{ConnectionError, Session};

const WITHIN: &str = "within the pack";

/// Where the history that is here ends, or no longer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShallowChange {
    /// The parents of this commit are not sent.
    Shallow(ObjectId),
    /// The parents of this commit are sent from now on.
    Unshallow(ObjectId),
}

/// The answer to a request.
#[derive(Debug)]
pub struct Reply {
    /// What changes in where the history ends.
    pub shallow: Vec<ShallowChange>,
    /// What both sides have.
    pub common: Vec<ObjectId>,
    /// The pack, as it comes.
    pub pack: Pack,
}

/// The bytes of a pack, as they come. An error of reading it is a [`ConnectionError`] inside; see
/// [`ConnectionError::of_read`]. It may be dropped at any time.
pub struct Pack {
    session: Session,
    form: Form,
    /// How many bytes of the current packet are still to come.
    left: usize,
    done: bool,
    lines: Lines,
}

/// How the pack is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In packets, with messages between them.
    Banded,
    /// As it is, up to the end of the connection.
    Bare,
}

impl Pack {
    pub(super) fn new(session: Session) -> Self {
        let banded = session.version() == 2
            || session.has("side-band-64k").is_some()
            || session.has("side-band").is_some();
        Self {
            session,
            form: if banded { Form::Banded } else { Form::Bare },
            left: 0,
            done: false,
            lines: Lines::default(),
        }
    }

    /// The session again, when the pack has been read to its end and the server takes another
    /// request.
    pub fn into_session(self) -> Option<Session> {
        (self.done && self.session.goes_on()).then_some(self.session)
    }

    /// Reads more of the pack; 0 at its end.
    pub fn next(&mut self, into: &mut [u8]) -> Result<usize, ConnectionError> {
        if into.is_empty() || self.done {
            return Ok(0);
        }
        if self.form == Form::Bare {
            let read = self.session.packets.raw(into)?;
            self.done = read == 0;
            return Ok(read);
        }
        // What has come of a packet is handed on at once: should the line break, it is kept.
        while self.left == 0 {
            if let Some(bytes) = self.session.packets.enter(WITHIN)? {
                self.left = bytes;
                continue;
            }
            match self.session.packets.next(WITHIN)? {
                Packet::Data(_) => self.said()?,
                Packet::Flush => {
                    self.done = true;
                    self.lines.finish(&self.session.sink);
                    // The end of the answer is the end of the request.
                    if self.session.packets.wire.forgets() {
                        self.session.packets.raw(&mut [0])?;
                    }
                    return Ok(0);
                }
                Packet::Delimiter | Packet::ResponseEnd => {
                    return Err(ConnectionError::protocol("a delimiter within a pack"));
                }
            }
        }
        let most = into.len().min(self.left);
        let read = self.session.packets.raw(&mut into[..most])?;
        if read == 0 {
            return Err(self.session.packets.wire.ended(WITHIN));
        }
        self.left -= read;
        Ok(read)
    }

    /// Takes apart the packet that is in the buffer, which is no part of the pack.
    fn said(&mut self) -> Result<(), ConnectionError> {
        match self.session.packets.last().split_first() {
            Some((2, said)) => self.lines.take(said, &self.session.sink),
            Some((3, said)) => {
                let said = said.trim_ascii();
                return Err(match refusal(self.session.address(), said) {
                    ConnectionError::Refused { said } => ConnectionError::GaveUp { said },
                    other => other,
                });
            }
            // Only to say that it is still there.
            None => {}
            Some((band, _)) => {
                let what = format!("the band {} within a pack", cleaned(&[*band]));
                return Err(ConnectionError::protocol(what));
            }
        }
        Ok(())
    }
}

impl io::Read for Pack {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(self.next(into)?)
    }
}

impl std::fmt::Debug for Pack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pack")
            .field("of", &self.session.address())
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
