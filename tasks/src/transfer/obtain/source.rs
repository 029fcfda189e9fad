//! Where objects come from: a server, or in tests a script.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gix::bstr::BString;

use crate::transfer::RemoteRef;
use crate::transfer::connection::{
    Bundles, ConnectionError, Haves, Pack, Request, Session, ShallowChange,
};
use crate::transfer::missing::plan::Abilities;

/// An open connection to what has objects.
pub trait Source: Send {
    /// What it can do.
    fn abilities(&self) -> Abilities;

    /// Its refs whose names begin with one of these prefixes.
    fn refs(&mut self, prefixes: &[BString]) -> Result<Vec<RemoteRef>, ConnectionError>;

    /// Whether it offers bundles.
    fn offers_bundles(&self) -> bool {
        false
    }

    /// The bundles that it offers.
    fn bundles(&mut self) -> Result<Bundles, ConnectionError> {
        Ok(Bundles::default())
    }

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

/// A file that a server names, from some byte on.
pub struct Wanted<'a> {
    /// Where it is, in the server's words. It may be a secret.
    pub uri: &'a str,
    /// The first byte that is wanted.
    pub from: u64,
    /// What an earlier [`Part`] gave.
    pub validator: Option<&'a str>,
}

/// A file that comes.
pub struct Part {
    /// The byte that it comes from: the one that was wanted, or the first, where the file is another
    /// one by now or the server sends no parts.
    pub from: u64,
    /// What tells this file from a later one.
    pub validator: Option<String>,
    /// The bytes. An error of reading them is one that [`ConnectionError::of_read`] understands.
    pub bytes: Box<dyn Read + Send>,
}

/// Asks for a file; the flag ends that early.
pub type OpenFile =
    dyn Fn(&Wanted<'_>, &Arc<AtomicBool>) -> Result<Part, ConnectionError> + Send + Sync;

/// Finds out what is on both sides; made where the line is.
pub type MakeHaves = dyn Fn() -> Result<Box<dyn Haves>, ConnectionError> + Send + Sync;

impl Source for Session {
    fn abilities(&self) -> Abilities {
        Self::abilities(self)
    }

    fn refs(&mut self, prefixes: &[BString]) -> Result<Vec<RemoteRef>, ConnectionError> {
        Self::refs(self, prefixes)
    }

    fn offers_bundles(&self) -> bool {
        Self::offers_bundles(self)
    }

    fn bundles(&mut self) -> Result<Bundles, ConnectionError> {
        Ok(Self::bundles(self)?.unwrap_or_default())
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
