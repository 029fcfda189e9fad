//! The packets that the protocol is made of: four hex digits of length, and that many bytes.

use gix_hash::ObjectId;

use super::message::cleaned;
use super::wire::{Wire, ended_by};
use super::{ConnectionError, Outgoing};

/// The longest packet there can be.
const LONGEST: usize = 65_520;
/// Room for one packet, and for much of the next ones.
const ROOM: usize = 256 << 10;

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// Bytes.
    Data(&'a [u8]),
    /// `0000`.
    Flush,
    /// `0001`.
    Delimiter,
    /// `0002`.
    ResponseEnd,
}

impl<'a> Packet<'a> {
    /// The line in it, without its end.
    pub(super) fn line(self) -> Option<&'a [u8]> {
        match self {
            Self::Data(data) => Some(data.strip_suffix(b"\n").unwrap_or(data)),
            _ => None,
        }
    }
}

/// Reads packets off a wire.
pub(super) struct Packets {
    pub(super) wire: Wire,
    /// As it may be shown.
    address: String,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// Where the last packet with data is.
    last: std::ops::Range<usize>,
}

impl Packets {
    pub(super) fn new(wire: Wire, address: String) -> Self {
        Self {
            wire,
            address,
            buffer: vec![0; ROOM],
            at: 0,
            end: 0,
            last: 0..0,
        }
    }

    /// What the last packet had in it.
    pub(super) fn last(&self) -> &[u8] {
        &self.buffer[self.last.clone()]
    }

    /// Asks; the packets from here on are of the answer.
    pub(super) fn ask(&mut self, question: Vec<u8>) -> Result<(), ConnectionError> {
        if self.wire.forgets() {
            (self.at, self.end) = (0, 0);
        }
        self.wire.ask(question)
    }

    /// Sends a question with a pack behind it.
    pub(super) fn send(
        &mut self,
        question: Vec<u8>,
        pack: Outgoing,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), ConnectionError> {
        (self.at, self.end) = (0, 0);
        self.wire.send(question, pack, progress)
    }

    /// Lets the server end by itself.
    pub(super) fn finish(&mut self) {
        self.wire.finish();
    }

    /// The next packet. A packet in which the server says that it fails is an error.
    pub(super) fn next(&mut self, where_: &str) -> Result<Packet<'_>, ConnectionError> {
        let Some((start, length)) = self.length(where_)? else {
            return Err(self.wire.ended(where_));
        };
        self.found(start, length)
    }

    fn found(&self, start: usize, length: Length) -> Result<Packet<'_>, ConnectionError> {
        Ok(match length {
            Length::Flush => Packet::Flush,
            Length::Delimiter => Packet::Delimiter,
            Length::ResponseEnd => Packet::ResponseEnd,
            Length::Data(length) => {
                let data = &self.buffer[start..start + length];
                if let Some(said) = data.strip_prefix(b"ERR ") {
                    return Err(refusal(&self.address, said));
                }
                Packet::Data(data)
            }
        })
    }

    /// Steps into the next packet if it is one of the first side-band, without waiting for all
    /// of it: how many bytes it has, which [`raw`](Self::raw) gives as they come. None for any
    /// other, which is left to [`next`](Self::next).
    pub(super) fn enter(&mut self, where_: &str) -> Result<Option<usize>, ConnectionError> {
        match self.announced(where_)? {
            Some(Length::Data(bytes @ 1..)) => {
                if !self.fill(5, where_)? {
                    return Err(self.wire.ended(where_));
                }
                if self.buffer[self.at + 4] != 1 {
                    return Ok(None);
                }
                self.at += 5;
                Ok(Some(bytes - 1))
            }
            _ => Ok(None),
        }
    }

    /// Steps over the next packet, which lies in the buffer then; none at the end.
    fn length(&mut self, where_: &str) -> Result<Option<(usize, Length)>, ConnectionError> {
        let Some(length) = self.announced(where_)? else {
            return Ok(None);
        };
        let Length::Data(bytes) = length else {
            self.at += 4;
            return Ok(Some((self.at, length)));
        };
        if !self.fill(4 + bytes, where_)? {
            return Err(self.wire.ended(where_));
        }
        let start = self.at + 4;
        self.at = start + bytes;
        self.last = start..self.at;
        Ok(Some((start, length)))
    }

    /// What the next four bytes say; none at the end.
    fn announced(&mut self, where_: &str) -> Result<Option<Length>, ConnectionError> {
        if !self.fill(4, where_)? {
            return Ok(None);
        }
        let digits = &self.buffer[self.at..self.at + 4];
        let length = std::str::from_utf8(digits).ok();
        // A sign would be taken for part of a number.
        let length = length.filter(|it| it.bytes().all(|it| it.is_ascii_hexdigit()));
        let length = length.and_then(|it| usize::from_str_radix(it, 16).ok());
        match length {
            Some(0) => Ok(Some(Length::Flush)),
            Some(1) => Ok(Some(Length::Delimiter)),
            Some(2) => Ok(Some(Length::ResponseEnd)),
            Some(length @ 4..=LONGEST) => Ok(Some(Length::Data(length - 4))),
            _ => {
                let what = format!("'{}' where a length should be", cleaned(digits));
                Err(ConnectionError::protocol(what))
            }
        }
    }

    /// Has at least so many bytes in the buffer. `false`: the end came before the first of them.
    fn fill(&mut self, wanted: usize, where_: &str) -> Result<bool, ConnectionError> {
        while self.end - self.at < wanted {
            if self.at > 0 && self.at + wanted > self.buffer.len() {
                self.buffer.copy_within(self.at..self.end, 0);
                (self.at, self.end) = (0, self.end - self.at);
            }
            if self.at == self.end {
                (self.at, self.end) = (0, 0);
            }
            let read = self.wire.read(&mut self.buffer[self.end..])?;
            if read == 0 {
                if self.at == self.end {
                    return Ok(false);
                }
                return Err(self.wire.ended(where_));
            }
            self.end += read;
        }
        Ok(true)
    }

    /// Bytes as they come: what an old server sends as a pack, or of the packet that was
    /// [entered](Self::enter). 0 at the end.
    pub(super) fn raw(&mut self, into: &mut [u8]) -> Result<usize, ConnectionError> {
        if self.at < self.end {
            let take = into.len().min(self.end - self.at);
            into[..take].copy_from_slice(&self.buffer[self.at..self.at + take]);
            self.at += take;
            return Ok(take);
        }
        self.wire.read(into)
    }
}

#[derive(Clone, Copy)]
enum Length {
    Data(usize),
    Flush,
    Delimiter,
    ResponseEnd,
}

/// A packet with this in it.
pub(super) fn of(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 4);
    write(&mut out, data);
    out
}

/// Appends a packet with this in it, which is never near the longest.
pub(super) fn write(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(format!("{:04x}", data.len() + 4).as_bytes());
    out.extend_from_slice(data);
}

/// The same for a line.
pub(super) fn write_line(out: &mut Vec<u8>, line: impl AsRef<[u8]>) {
    let line = line.as_ref();
    out.extend_from_slice(format!("{:04x}", line.len() + 5).as_bytes());
    out.extend_from_slice(line);
    out.push(b'\n');
}

/// What a server means by an error that it says.
pub(super) fn refusal(address: &str, said: &[u8]) -> ConnectionError {
    let said = cleaned(said);
    let said = said.trim().to_owned();
    let text = said.to_lowercase();
    if text.contains("not our ref") || text.contains("unadvertised object") {
        let words = said.rsplit(|c: char| !c.is_ascii_hexdigit());
        let mut oid = words.filter_map(|it| ObjectId::from_hex(it.as_bytes()).ok());
        return ConnectionError::UnknownWant {
            oid: oid.next(),
            said,
        };
    }
    if text.contains("filter") && (text.contains("not supported") || text.contains("allows max")) {
        return ConnectionError::FilterRefused { said };
    }
    if text.contains("filter-spec") || text.contains("unknown object filter") {
        return ConnectionError::FilterRefused { said };
    }
    ended_by(address, &said).unwrap_or(ConnectionError::Refused { said })
}
