//! An entry that is too large to be made at once: piece by piece, with commits in between.

use std::{
    io::{self, Write},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::Duration,
};

use flate2::{Compression, write::ZlibEncoder};

use super::{
    BundleError,
    layout::{Entry, Form},
    raw::{BAD_CHECKSUM, Raw},
    ready::{LEVEL, Stock},
};
use crate::pack::source::Reader;

/// How long a piece is waited for before the pause flag is looked at again.
const PATIENCE: Duration = Duration::from_millis(20);

/// A large entry in the making.
pub(super) struct Large {
    entry: Entry,
    content: Content,
}

/// Its compressed content.
enum Content {
    /// What a pack has, up to `at`; with the checksum of that.
    Copied { at: usize, crc: crc32fast::Hasher },
    /// What a thread deflates.
    Deflated(Receiver<Result<Piece, BundleError>>),
}

struct Piece {
    bytes: Vec<u8>,
    /// How much of the object is in all pieces so far.
    read: u64,
    last: bool,
}

/// What a step of the work gives.
pub(super) struct Progress {
    /// The next bytes of the compressed content.
    pub(super) bytes: Vec<u8>,
    /// How much of the entry's length is done.
    pub(super) done: u64,
    /// Whether this was all.
    pub(super) last: bool,
}

impl Large {
    /// The size that the entry inflates to.
    pub(super) fn size(stock: &Stock, entry: &Entry) -> Result<u64, BundleError> {
        match entry.form {
            Form::Deflated => Ok(entry.length),
            _ => Ok(Raw::find(&stock.sources, &stock.catalog, entry)?.size()),
        }
    }

    /// Goes on behind the first `from` bytes of the compressed content.
    pub(super) fn start(stock: &Stock, entry: Entry, from: u64) -> Result<Self, BundleError> {
        let content = if entry.form == Form::Deflated {
            let (sender, receiver) = sync_channel(2);
            let stock = stock.clone();
            std::thread::Builder::new()
                .name("bundle-large".into())
                .spawn(move || {
                    let mut sink = Sink {
                        sender: &sender,
                        skip: from,
                        bytes: Vec::new(),
                        read: 0,
                        piece: stock.sizes.piece,
                    };
                    if let Err(error) = deflate(&stock, &entry, &mut sink) {
                        // Nobody may be there to hear it.
                        let _ = sender.send(Err(error));
                    }
                })?;
            Content::Deflated(receiver)
        } else {
            let raw = Raw::find(&stock.sources, &stock.catalog, &entry)?;
            if raw.crc32().is_none() {
                raw.check().map_err(|why| stock.damaged(&entry, &why))?;
            }
            let at = usize::try_from(from)
                .ok()
                .filter(|at| *at <= raw.data().len())
                .ok_or(BundleError::Damaged("more is done of an entry than it has"))?;
            let mut crc = crc32fast::Hasher::new();
            let before = raw.bytes().len() - raw.data().len() + at;
            crc.update(&raw.bytes()[..before]);
            Content::Copied { at, crc }
        };
        Ok(Self { entry, content })
    }

    /// The next piece; none where it takes long.
    pub(super) fn next(&mut self, stock: &Stock) -> Result<Option<Progress>, BundleError> {
        match &mut self.content {
            Content::Deflated(pieces) => match pieces.recv_timeout(PATIENCE) {
                Ok(piece) => piece.map(|piece| {
                    Some(Progress {
                        bytes: piece.bytes,
                        done: piece.read,
                        last: piece.last,
                    })
                }),
                Err(RecvTimeoutError::Timeout) => Ok(None),
                Err(RecvTimeoutError::Disconnected) => Err(BundleError::Panicked),
            },
            Content::Copied { at, crc } => {
                let raw = Raw::find(&stock.sources, &stock.catalog, &self.entry)?;
                let data = &raw.data()[*at..];
                let bytes = &data[..data.len().min(stock.sizes.piece)];
                crc.update(bytes);
                *at += bytes.len();
                let last = bytes.len() == data.len();
                if last
                    && raw
                        .crc32()
                        .is_some_and(|crc32| crc.clone().finalize() != crc32)
                {
                    return Err(stock.damaged(&self.entry, BAD_CHECKSUM));
                }
                let header = (raw.bytes().len() - raw.data().len()) as u64;
                Ok(Some(Progress {
                    bytes: bytes.to_vec(),
                    done: header + *at as u64,
                    last,
                }))
            }
        }
    }
}

/// Deflates an object from its beginning, always in the same pieces, so that the bytes are the same.
fn deflate(stock: &Stock, entry: &Entry, sink: &mut Sink<'_>) -> Result<(), BundleError> {
    let mut reader = Reader::new(&stock.sources, &stock.catalog);
    let mut zlib = ZlibEncoder::new(sink, Compression::new(LEVEL));
    let mut failed = None;
    let mut deliver = |raw: &[u8]| {
        zlib.get_mut().read += raw.len() as u64;
        failed = zlib.write_all(raw).err();
        failed.is_none()
    };
    if reader.is_delta(entry.id)? {
        let mut whole = Vec::new();
        reader.object(entry.id, &mut whole)?;
        if whole.len() as u64 != entry.length {
            return Err(stock.damaged(entry, "its size is not the planned one"));
        }
        whole.chunks(stock.sizes.piece).all(deliver);
    } else {
        let piece = stock.sizes.piece;
        reader.stream(entry.id, entry.length, 0, piece, &|| false, &mut deliver)?;
    }
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(zlib.finish()?.send(true)?),
    }
}

/// Takes compressed bytes, and hands them on in pieces.
struct Sink<'a> {
    sender: &'a SyncSender<Result<Piece, BundleError>>,
    /// What is in the bundle already.
    skip: u64,
    bytes: Vec<u8>,
    read: u64,
    piece: usize,
}

impl Sink<'_> {
    fn send(&mut self, last: bool) -> io::Result<()> {
        let piece = Piece {
            bytes: std::mem::take(&mut self.bytes),
            read: self.read,
            last,
        };
        let sent = self.sender.send(Ok(piece));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let skipped = usize::try_from(self.skip).map_or(bytes.len(), |n| n.min(bytes.len()));
        self.skip -= skipped as u64;
        self.bytes.extend_from_slice(&bytes[skipped..]);
        if self.bytes.len() >= self.piece {
            self.send(false)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
