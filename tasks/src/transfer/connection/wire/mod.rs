//! Bytes to and from a server.

mod daemon;
mod ended;
mod http;
mod process;
mod ssh;
mod stream;
mod watch;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gix::bstr::ByteSlice as _;

use super::address::Place;
use super::{Address, ConnectionError, Outgoing, Service, Settings, send};
pub(super) use ended::meaning as ended_by;
pub use http::Download;
use http::Http;
use stream::Stream;
pub(super) use watch::Watch;

/// A way to a server on which it can be asked something.
pub(super) enum Wire {
    /// Each question is a request of its own, and the server remembers nothing.
    Http(Box<Http>),
    /// One conversation.
    Stream(Box<Stream>),
}

impl Wire {
    /// Connects, and asks for what the service has to say at first.
    pub(super) fn open(
        address: &Address,
        service: Service,
        settings: &Settings,
        interrupt: &Arc<AtomicBool>,
    ) -> Result<Self, ConnectionError> {
        let watch = Watch::new(interrupt, settings.stall());
        Ok(match &address.place {
            Place::Http { base } => {
                let http = Http::open(base, address, service, settings, watch)?;
                Self::Http(Box::new(http))
            }
            Place::Git { host, port, path } => {
                let at = (host.as_str(), *port);
                let stream =
                    daemon::connect(address, at, path.as_bstr(), service, settings, watch)?;
                Self::Stream(Box::new(stream))
            }
            Place::Ssh { .. } => {
                Self::Stream(Box::new(ssh::connect(address, service, settings, watch)?))
            }
            Place::Local { path } => Self::Stream(Box::new(process::local(
                address, path, service, settings, watch,
            )?)),
        })
    }

    /// A conversation over what is open already.
    #[cfg(test)]
    pub(super) fn over(
        input: std::os::fd::OwnedFd,
        output: std::os::fd::OwnedFd,
        watch: Watch,
    ) -> Result<Self, ConnectionError> {
        Ok(Self::Stream(Box::new(Stream::new(
            input, output, None, watch,
        )?)))
    }

    /// Asks; what is read from here on is the answer.
    pub(super) fn ask(&mut self, question: Vec<u8>) -> Result<(), ConnectionError> {
        match self {
            Self::Http(http) => http.ask(question),
            Self::Stream(stream) => stream.write(&question),
        }
    }

    /// Asks, with a pack behind it.
    pub(super) fn send(
        &mut self,
        question: Vec<u8>,
        pack: Outgoing,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), ConnectionError> {
        match self {
            Self::Http(http) => http.send(question, pack, progress),
            Self::Stream(stream) => {
                stream.write(&question)?;
                send::copy(pack, progress, |block| stream.write(block))
            }
        }
    }

    /// Lets the server end by itself: its hooks may run still.
    pub(super) fn finish(&mut self) {
        if let Self::Stream(stream) = self {
            stream.finish();
        }
    }

    /// Reads what comes next; 0 at the end.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize, ConnectionError> {
        match self {
            Self::Http(http) => http.read(into),
            Self::Stream(stream) => stream.read(into),
        }
    }

    /// Why the end came while something was being waited for.
    pub(super) fn ended(&mut self, where_: &str) -> ConnectionError {
        match self {
            Self::Http(_) => ConnectionError::cut(where_),
            Self::Stream(stream) => stream.ended(where_),
        }
    }

    /// Whether the server forgets between questions.
    pub(super) const fn forgets(&self) -> bool {
        matches!(self, Self::Http(_))
    }
}
