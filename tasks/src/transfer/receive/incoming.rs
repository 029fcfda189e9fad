//! A pack on its way: a thread takes it apart while more of it comes.

use std::{
    fs::File,
    io::Read,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU32,
            Ordering::{Acquire, Relaxed, Release},
        },
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use super::{Fault, ReceiveError, parser::Parser, resolve::Resolved, table::Table};

/// How much goes to the thread at once.
const PIECE: usize = 256 << 10;
/// How many pieces may wait for the thread.
const WAITING: usize = 4;

/// Takes the bytes of one pack as they come, and takes them apart on a thread of its own.
///
/// It keeps 37 bytes for each object, and no content. Dropping it ends the thread.
#[derive(Debug)]
pub struct Incoming {
    pieces: SyncSender<Vec<u8>>,
    spare: Receiver<Vec<u8>>,
    filling: Vec<u8>,
    thread: JoinHandle<Parser>,
    seen: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    objects: AtomicU32,
    announced: AtomicU32,
    faulty: AtomicBool,
    fault: Mutex<Option<Fault>>,
}

/// How far a pack came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The objects that came whole.
    pub objects: u32,
    /// How many the pack says there will be; 0 before it said so.
    pub announced: u32,
}

impl Incoming {
    /// Waits for the first byte of a pack.
    pub fn new() -> Result<Self, ReceiveError> {
        let (pieces, coming) = sync_channel::<Vec<u8>>(WAITING);
        let (used, spare) = sync_channel(WAITING + 2);
        let seen = Arc::new(Shared::default());
        let shared = Arc::clone(&seen);
        let work = move || {
            let mut parser = Parser::new();
            while let Ok(mut piece) = coming.recv() {
                if !shared.faulty.load(Relaxed)
                    && let Err(fault) = parser.feed(&piece)
                {
                    *shared.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                    shared.faulty.store(true, Release);
                }
                shared.objects.store(parser.table.len(), Relaxed);
                shared
                    .announced
                    .store(parser.announced.unwrap_or(0), Relaxed);
                piece.clear();
                // Nobody may want it.
                let _ = used.try_send(piece);
            }
            parser
        };
        let thread = std::thread::Builder::new()
            .name("parse".to_owned())
            .spawn(work)
            .map_err(ReceiveError::io(Path::new("a thread")))?;
        Ok(Self {
            pieces,
            spare,
            filling: Vec::with_capacity(PIECE),
            thread,
            seen,
        })
    }

    /// Takes over a pack of which `raw`, a file, holds the first `len` bytes: reads them again.
    pub fn again(raw: &Path, len: u64, stopped: &AtomicBool) -> Result<Self, ReceiveError> {
        let mut incoming = Self::new()?;
        let mut file = File::open(raw).map_err(ReceiveError::io(raw))?.take(len);
        let mut buffer = vec![0; PIECE];
        let mut read = 0;
        while read < len {
            if stopped.load(Relaxed) {
                return Err(ReceiveError::Stopped);
            }
            match file.read(&mut buffer).map_err(ReceiveError::io(raw))? {
                0 => return Err(ReceiveError::Changed(raw.to_owned())),
                // What is wrong with it is said at the end.
                n if incoming.feed(&buffer[..n]).is_err() => break,
                n => read += n as u64,
            }
        }
        Ok(incoming)
    }

    /// Takes the next bytes. Waits where the thread cannot follow.
    ///
    /// A fault in them, or in bytes before, ends the pack: nothing that follows is looked at, and
    /// whoever receives it need not go on. It is told as soon as the thread has come to it.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), ReceiveError> {
        while !bytes.is_empty() {
            let taken = bytes.len().min(PIECE - self.filling.len());
            self.filling.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.filling.len() == PIECE {
                self.send()?;
            }
        }
        self.check()
    }

    fn send(&mut self) -> Result<(), ReceiveError> {
        let empty = || Vec::with_capacity(PIECE);
        let next = self.spare.try_recv().unwrap_or_else(|_| empty());
        let piece = std::mem::replace(&mut self.filling, next);
        self.pieces.send(piece).map_err(|_| ReceiveError::Panicked)
    }

    fn check(&self) -> Result<(), ReceiveError> {
        if !self.seen.faulty.load(Acquire) {
            return Ok(());
        }
        let fault = self.seen.fault.lock();
        match &*fault.unwrap_or_else(PoisonError::into_inner) {
            Some(fault) => Err(fault.clone().into()),
            None => Ok(()),
        }
    }

    /// How far the thread has come.
    pub fn seen(&self) -> Seen {
        Seen {
            objects: self.seen.objects.load(Relaxed),
            announced: self.seen.announced.load(Relaxed),
        }
    }

    /// There are no more bytes: waits until the thread has looked at all of them.
    pub fn end(mut self) -> Result<Parsed, ReceiveError> {
        self.send()?;
        drop(self.pieces);
        let parser = self.thread.join().map_err(|_| ReceiveError::Panicked)?;
        let mut fault = self
            .seen
            .fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let fault = fault.take();
        let resolved = None;
        Ok(Parsed {
            parser,
            fault,
            resolved,
        })
    }
}

/// What came of a pack: all of it, or its beginning.
pub struct Parsed {
    pub(super) parser: Parser,
    pub(super) fault: Option<Fault>,
    pub(super) resolved: Option<Resolved>,
}

impl Parsed {
    /// Whether all of it came, and has the hash that its end says.
    pub const fn is_whole(&self) -> bool {
        self.fault.is_none() && self.parser.trailer.is_some()
    }

    /// What is wrong with it; nothing is wrong with a pack that was cut off.
    pub const fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// How far it came.
    pub fn seen(&self) -> Seen {
        Seen {
            objects: self.parser.table.len(),
            announced: self.parser.announced.unwrap_or(0),
        }
    }

    /// How many of the objects are deltas, which are still to be resolved.
    pub const fn deltas(&self) -> u32 {
        self.parser.deltas
    }

    pub(super) const fn table(&self) -> &Table {
        &self.parser.table
    }
}

impl std::fmt::Debug for Parsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parsed")
            .field("seen", &self.seen())
            .field("whole", &self.is_whole())
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}
