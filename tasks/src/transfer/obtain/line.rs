//! What comes over the line, read by a thread of its own: a slice waits for it no longer than it
//! likes, and what it does with the bytes does not hold up the line.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use gix::bstr::BString;
use resume_runtime::{Blocking, Resumable, StepError};

use super::source::{Answer, MakeHaves};
use super::{Dial, Goal, Source};
use crate::transfer::RemoteRef;
use crate::transfer::connection::{ConnectionError, Haves, Request, ShallowChange};

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
        let (send, events) = sync_channel(WAITING);
        let (used, spare) = sync_channel(WAITING);
        let talk = Talk {
            dial: Arc::clone(&goal.server.dial),
            haves: goal.haves.clone().filter(|_| request.haves.is_empty()),
            request,
            interrupt: Arc::clone(interrupt),
            events: send,
            spare,
        };
        let work = move || {
            let last = match talk.run(source) {
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

/// What the thread does.
struct Talk {
    dial: Arc<Dial>,
    haves: Option<Arc<MakeHaves>>,
    request: Request,
    interrupt: Arc<AtomicBool>,
    events: SyncSender<Event>,
    spare: Receiver<Vec<u8>>,
}

impl Talk {
    fn run(
        &self,
        source: Option<Box<dyn Source>>,
    ) -> Result<Option<Box<dyn Source>>, ConnectionError> {
        let answer = match source {
            // A server may have closed what stood idle: that is no reason to wait.
            Some(source) => match self.ask(source) {
                Err(ConnectionError::Lost { .. }) => self.ask((self.dial)(&self.interrupt)?)?,
                answer => answer?,
            },
            None => self.ask((self.dial)(&self.interrupt)?)?,
        };
        let mut pack = answer.pack;
        self.tell(Event::Began(answer.shallow))?;
        loop {
            let mut piece = self.spare.try_recv().unwrap_or_default();
            piece.resize(PIECE, 0);
            match pack.read(&mut piece) {
                Ok(0) => return Ok(pack.back()),
                Ok(read) => piece.truncate(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ConnectionError::of_read(&error)),
            }
            self.tell(Event::Bytes(piece))?;
        }
    }

    fn ask(&self, source: Box<dyn Source>) -> Result<Answer, ConnectionError> {
        let mut haves = self.haves.as_ref().map(|make| make()).transpose()?;
        let haves: Option<&mut dyn Haves> = match &mut haves {
            Some(haves) => Some(&mut **haves),
            None => None,
        };
        source.fetch(&self.request, haves)
    }

    fn tell(&self, event: Event) -> Result<(), ConnectionError> {
        let told = self.events.send(event);
        told.map_err(|_| ConnectionError::Interrupted)
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
