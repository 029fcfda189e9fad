//! Where objects come from: a server, or in tests a script.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gix::bstr::BString;

use crate::transfer::RemoteRef;
use crate::transfer::connection::{ConnectionError, Haves, Pack, Request, Session, ShallowChange};
use crate::transfer::missing::plan::Abilities;

/// An open connection to what has objects.
pub trait Source: Send {
    /// What it can do.
    fn abilities(&self) -> Abilities;

    /// Its refs whose names begin with one of these prefixes.
    fn refs(&mut self, prefixes: &[BString]) -> Result<Vec<RemoteRef>, ConnectionError>;

    /// Asks for a pack, without what `haves` finds out to be on both sides.
    fn fetch(
        self: Box<Self>,
        request: &Request,
        haves: Option<&mut dyn Haves>,
    ) -> Result<Answer, ConnectionError>;
}

/// What comes.
pub struct Answer {
    /// Where history is cut off.
    pub shallow: Vec<ShallowChange>,
    /// The pack.
    pub pack: Box<dyn Coming>,
}

/// A pack that comes. An error of reading it is one that [`ConnectionError::of_read`] understands.
pub trait Coming: Read + Send {
    /// The connection again, when the pack was read to its end and another can be asked for.
    fn back(self: Box<Self>) -> Option<Box<dyn Source>>;
}

/// Connects to it; the flag ends that early.
pub type Dial = dyn Fn(&Arc<AtomicBool>) -> Result<Box<dyn Source>, ConnectionError> + Send + Sync;

/// Finds out what is on both sides; made where the line is.
pub type MakeHaves = dyn Fn() -> Result<Box<dyn Haves>, ConnectionError> + Send + Sync;

impl Source for Session {
    fn abilities(&self) -> Abilities {
        Self::abilities(self)
    }

    fn refs(&mut self, prefixes: &[BString]) -> Result<Vec<RemoteRef>, ConnectionError> {
        Self::refs(self, prefixes)
    }

    fn fetch(
        self: Box<Self>,
        request: &Request,
        haves: Option<&mut dyn Haves>,
    ) -> Result<Answer, ConnectionError> {
        let reply = match haves {
            Some(haves) => self.negotiate(request, haves)?,
            None => Self::fetch(*self, request)?,
        };
        Ok(Answer {
            shallow: reply.shallow,
            pack: Box::new(reply.pack),
        })
    }
}

impl Coming for Pack {
    fn back(self: Box<Self>) -> Option<Box<dyn Source>> {
        self.into_session()
            .map(|session| Box::new(session) as Box<dyn Source>)
    }
}
