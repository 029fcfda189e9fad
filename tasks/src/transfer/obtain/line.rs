//! What comes over the line, read by a thread of its own: a slice waits for it no longer than it
//! likes, and what it does with the bytes does not hold up the line.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use gix::bstr::BString;
use resume_runtime::{Blocking, Resumable, StepError};

use super::source::{Answer, MakeHaves, OpenFile, Wanted};
use super::{Dial, Goal, Source};
use crate::transfer::RemoteRef;
use crate::transfer::connection::{Bundles, ConnectionError, Haves, Request, ShallowChange};

/// How much is read at once.
const PIECE: usize = 64 << 10;
/// How many pieces may wait.
const WAITING: usize = 32;
/// How soon a pause is seen.
const TICK: Duration = Duration::from_millis(50);

/// What happens on the line.
pub(super) enum Event {
    /// A pack begins; this is where its history is cut off.
    Began(Vec<ShallowChange>),
    /// These bundles are offered.
    Offered(Bundles),
    /// A file begins, at this byte; this tells it from a later one.
    Opened(u64, Option<String>),
    /// The next bytes of it.
    Bytes(Vec<u8>),
    /// That was all of it; the connection, if it can be used again.
    Ended(Option<Box<dyn Source>>),
    /// Nothing more comes.
    Failed(ConnectionError),
}

/// A request that was sent, and its answer.
pub(super) struct Line {
    events: Receiver<Event>,
    used: SyncSender<Vec<u8>>,
}

impl Line {
    /// Sends a request, over a connection that is open or a new one.
    pub(super) fn ask(
        goal: &Goal,
        source: Option<Box<dyn Source>>,
        request: Request,
        interrupt: &Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let asking = Asking {
            dial: Arc::clone(&goal.server.dial),
            haves: goal.haves.clone().filter(|_| request.haves.is_empty()),
            request,
        };
        Self::start(interrupt, move |talk| asking.run(talk, source))
    }

    /// Asks which bundles are offered, over a connection that is open or a new one.
    pub(super) fn bundles(
        goal: &Goal,
        source: Option<Box<dyn Source>>,
        interrupt: &Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let dial = Arc::clone(&goal.server.dial);
        Self::start(interrupt, move |talk| {
            let mut source = match source {
                Some(source) => source,
                None => dial(&talk.interrupt)?,
            };
            talk.tell(Event::Offered(source.bundles()?))?;
            Ok(Some(source))
        })
    }

    /// Asks for a file, from the byte `from` on.
    pub(super) fn file(
        open: Arc<OpenFile>,
        uri: String,
        from: u64,
        validator: Option<String>,
        interrupt: &Arc<AtomicBool>,
    ) -> io::Result<Self> {
        Self::start(interrupt, move |talk| {
            let wanted = Wanted {
                uri: &uri,
                from,
                validator: validator.as_deref(),
            };
            let mut part = open(&wanted, &talk.interrupt)?;
            talk.tell(Event::Opened(part.from, part.validator.take()))?;
            talk.pass_on(&mut part.bytes)?;
            Ok(None)
        })
    }

    /// Has a thread talk.
    fn start(
        interrupt: &Arc<AtomicBool>,
        work: impl FnOnce(&Talk) -> Result<Option<Box<dyn Source>>, ConnectionError> + Send + 'static,
    ) -> io::Result<Self> {
        let (send, events) = sync_channel(WAITING);
        let (used, spare) = sync_channel(WAITING);
        let talk = Talk {
            interrupt: Arc::clone(interrupt),
            events: send,
            spare,
        };
        let work = move || {
            let last = match work(&talk) {
                Ok(source) => Event::Ended(source),
                Err(error) => Event::Failed(error),
            };
            // Nobody may listen any more.
            let _ = talk.events.send(last);
        };
        std::thread::Builder::new()
            .name("line".to_owned())
            .spawn(work)?;
        Ok(Self { events, used })
    }

    /// What happens next; nothing for now, if it takes long.
    pub(super) fn next(&self) -> Option<Event> {
        match self.events.recv_timeout(TICK) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            // It panicked, or so it seems.
            Err(RecvTimeoutError::Disconnected) => Some(Event::Failed(ConnectionError::Lost {
                reason: "whoever read from it is gone".to_owned(),
            })),
        }
    }

    /// Takes a piece back that was used.
    pub(super) fn used(&self, piece: Vec<u8>) {
        let _ = self.used.try_send(piece);
    }
}

/// What a thread talks through to whoever listens.
struct Talk {
    interrupt: Arc<AtomicBool>,
    events: SyncSender<Event>,
    spare: Receiver<Vec<u8>>,
}

impl Talk {
    /// Passes bytes on as they come, to their end.
    fn pass_on(&self, bytes: &mut dyn io::Read) -> Result<(), ConnectionError> {
        loop {
            let mut piece = self.spare.try_recv().unwrap_or_default();
            piece.resize(PIECE, 0);
            match bytes.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(read) => piece.truncate(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ConnectionError::of_read(&error)),
            }
            self.tell(Event::Bytes(piece))?;
        }
    }

    fn tell(&self, event: Event) -> Result<(), ConnectionError> {
        let told = self.events.send(event);
        told.map_err(|_| ConnectionError::Interrupted)
    }
}

/// A request for a pack.
struct Asking {
    dial: Arc<Dial>,
    haves: Option<Arc<MakeHaves>>,
    request: Request,
}

impl Asking {
    fn run(
        &self,
        talk: &Talk,
        source: Option<Box<dyn Source>>,
    ) -> Result<Option<Box<dyn Source>>, ConnectionError> {
        let answer = match source {
            // A server may have closed what stood idle: that is no reason to wait.
            Some(source) => match self.ask(source) {
                Err(ConnectionError::Lost { .. }) => self.ask((self.dial)(&talk.interrupt)?)?,
                answer => answer?,
            },
            None => self.ask((self.dial)(&talk.interrupt)?)?,
        };
        let mut pack = answer.pack;
        talk.tell(Event::Began(answer.shallow))?;
        talk.pass_on(&mut pack)?;
        Ok(pack.back())
    }

    fn ask(&self, source: Box<dyn Source>) -> Result<Answer, ConnectionError> {
        let mut haves = self.haves.as_ref().map(|make| make()).transpose()?;
        let haves: Option<&mut dyn Haves> = match &mut haves {
            Some(haves) => Some(&mut **haves),
            None => None,
        };
        source.fetch(&self.request, haves)
    }
}

/// An open connection, and the server's refs.
pub type Listed = (Box<dyn Source>, Vec<RemoteRef>);

/// Connects and lists the server's refs. None if a pause was asked for before that was done.
pub fn list<M: Resumable>(
    b: &Blocking<M>,
    dial: &Arc<Dial>,
    prefixes: Vec<BString>,
) -> Result<Option<Listed>, ListError> {
    let (send, result) = sync_channel(1);
    let (dial, interrupt) = (Arc::clone(dial), Arc::clone(b.interrupt()));
    let work = move || {
        let listed = dial(&interrupt).and_then(|mut source| {
            let refs = source.refs(&prefixes)?;
            Ok((source, refs))
        });
        let _ = send.send(listed);
    };
    let thread = std::thread::Builder::new().name("line".to_owned());
    thread
        .spawn(work)
        .map_err(|error| ListError::Step(error.into()))?;
    loop {
        if b.pause_requested() {
            return Ok(None);
        }
        match result.recv_timeout(TICK) {
            Ok(Ok(listed)) => return Ok(Some(listed)),
            Ok(Err(error)) if error.is_interrupted() => return Ok(None),
            Ok(Err(error)) => return Err(error.into()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(ListError::Step(StepError::fatal(
                    "the thread that lists refs panicked; this is a defect",
                )));
            }
        }
    }
}

/// Why refs were not listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The server.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// Anything else.
    #[error(transparent)]
    Step(StepError),
}
