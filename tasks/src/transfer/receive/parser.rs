//! Takes a pack apart while it comes, whatever the pieces that it comes in.

use gix_zlib::{Decompress, FlushDecompress, Status};
use sha1::{Digest as _, Sha1};

use super::{
    error::Fault,
    head::{Form, Head, LONGEST},
    table::{Link, Table, UNKNOWN},
};
use crate::pack::source::{Kind, Oid};

/// The length of a pack's header.
const HEADER: usize = 12;
/// The length of a pack's trailer.
pub(super) const TRAILER: usize = 20;
/// How much is inflated at once.
const PIECE: usize = 64 << 10;

const HASH_COLLISION: &str = "an object is a collision attack on SHA-1";
const BAD_ZLIB: &str = "the compressed content of an entry is damaged";
const TOO_LONG: &str = "an entry holds more than it states";
const TOO_SHORT: &str = "an entry holds less than it states";

/// What a pack is found to be so far.
pub(super) struct Parser {
    /// The entries that came whole.
    pub(super) table: Table,
    /// How many entries the header announces; none before it came.
    pub(super) announced: Option<u32>,
    /// The hash at the end, once all of the pack came and it was found right.
    pub(super) trailer: Option<Oid>,
    /// How many deltas there are.
    pub(super) deltas: u32,
    part: Part,
    /// The bytes that were taken.
    at: u64,
    /// The beginning of a header, or of the trailer.
    gathered: Vec<u8>,
    /// Of all bytes before the trailer. It only tells a whole pack from another, so it needs no guard
    /// against collisions; the objects' own hashes have one.
    hash: Sha1,
    inflate: Decompress,
    out: Vec<u8>,
}

/// What the next byte belongs to.
enum Part {
    /// The pack's header.
    Begin,
    /// An entry's header.
    Head,
    /// An entry's compressed content.
    Content(Content),
    /// The hash at the end.
    Trailer,
    /// Nothing.
    Behind,
}

struct Content {
    offset: u64,
    crc: crc32fast::Hasher,
    link: Link,
    size: u64,
    done: u64,
    /// Of a whole object.
    hasher: Option<gix_hash::Hasher>,
}

impl Parser {
    pub(super) fn new() -> Self {
        Self {
            table: Table::default(),
            announced: None,
            trailer: None,
            deltas: 0,
            part: Part::Begin,
            at: 0,
            gathered: Vec::with_capacity(LONGEST),
            hash: Sha1::new(),
            inflate: Decompress::new(),
            out: vec![0; PIECE],
        }
    }

    /// How many bytes were taken.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    /// Takes the next bytes. After a fault nothing more is to be taken.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = match self.part {
                Part::Begin => self.begin(rest)?,
                Part::Head => self.head(rest)?,
                Part::Content(_) => self.content(rest)?,
                Part::Trailer => self.end(rest)?,
                Part::Behind => return Err(self.fault("bytes follow the end of the pack")),
            };
            rest = &rest[taken..];
            self.at += taken as u64;
        }
        Ok(())
    }

    const fn fault(&self, why: &'static str) -> Fault {
        Fault { at: self.at, why }
    }

    /// Adds to what was gathered until that has `len` bytes; how many were added.
    fn gather(&mut self, bytes: &[u8], len: usize) -> usize {
        let taken = bytes.len().min(len - self.gathered.len());
        self.gathered.extend_from_slice(&bytes[..taken]);
        taken
    }

    fn begin(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let taken = self.gather(bytes, HEADER);
        let known = self.gathered.len().min(4);
        if self.gathered[..known] != b"PACK"[..known] {
            return Err(self.fault("it is no pack"));
        }
        if let [_, _, _, _, v @ .., a, b, c, d] = &self.gathered[..]
            && self.gathered.len() == HEADER
        {
            if *v != [0, 0, 0, 2] && *v != [0, 0, 0, 3] {
                return Err(self.fault("its version is neither 2 nor 3"));
            }
            self.announced = Some(u32::from_be_bytes([*a, *b, *c, *d]));
            self.hash.update(&self.gathered);
            self.gathered.clear();
            self.next_entry();
        }
        Ok(taken)
    }

    fn next_entry(&mut self) {
        let done = self.announced == Some(self.table.len());
        self.part = if done { Part::Trailer } else { Part::Head };
    }

    fn head(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let before = self.gathered.len();
        let head = if before == 0 {
            Head::decode(bytes)
        } else {
            self.gather(bytes, LONGEST);
            Head::decode(&self.gathered)
        };
        let offset = self.at - before as u64;
        let fault = |why| Fault { at: offset, why };
        let Some(head) = head.map_err(fault)? else {
            // Less than the longest header, as that would have been enough.
            if before == 0 {
                self.gathered.extend_from_slice(bytes);
            }
            return Ok(bytes.len());
        };
        let taken = head.len - before;
        let mut crc = crc32fast::Hasher::new();
        for part in [&self.gathered[..before], &bytes[..taken]] {
            crc.update(part);
            self.hash.update(part);
        }
        self.gathered.clear();
        self.table.grow(self.announced.unwrap_or(0));
        let mut hasher = None;
        let link = match head.form {
            Form::Whole(kind) => {
                hasher = Some(object_hasher(kind, head.size));
                Link::Whole(kind)
            }
            Form::Before(distance) => {
                let base = offset.checked_sub(distance).filter(|_| distance > 0);
                let base = base.and_then(|base| self.table.at(base));
                Link::Entry(base.ok_or_else(|| fault("a delta's base is no entry"))?)
            }
            Form::Of(id) => {
                let base = u32::try_from(self.table.bases.len()).unwrap_or(u32::MAX);
                self.table.bases.push((id, self.table.len()));
                Link::Object(base)
            }
        };
        self.inflate.reset();
        self.part = Part::Content(Content {
            offset,
            crc,
            link,
            size: head.size,
            done: 0,
            hasher,
        });
        Ok(taken)
    }

    fn content(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let Part::Content(content) = &mut self.part else {
            return Ok(0);
        };
        let fault = |why| Fault {
            at: content.offset,
            why,
        };
        let mut taken = 0;
        let ended = loop {
            let (in_before, out_before) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(&bytes[taken..], &mut self.out, FlushDecompress::None)
                .map_err(|_| fault(BAD_ZLIB))?;
            // Neither is more than the slice that was given.
            let read = usize::try_from(self.inflate.total_in() - in_before).unwrap_or(0);
            let made = usize::try_from(self.inflate.total_out() - out_before).unwrap_or(0);
            taken += read;
            content.done += made as u64;
            if content.done > content.size {
                return Err(fault(TOO_LONG));
            }
            if let Some(hasher) = &mut content.hasher {
                hasher.update(&self.out[..made]);
            }
            if status == Status::StreamEnd {
                break true;
            }
            // What does not fill the buffer is all that these bytes give.
            if taken == bytes.len() && made < self.out.len() {
                break false;
            }
            if read == 0 && made == 0 {
                return Err(fault(BAD_ZLIB));
            }
        };
        self.hash.update(&bytes[..taken]);
        content.crc.update(&bytes[..taken]);
        if !ended {
            return Ok(taken);
        }
        if content.done < content.size {
            return Err(fault(TOO_SHORT));
        }
        let oid = match content.hasher.take().map(gix_hash::Hasher::try_finalize) {
            None => {
                self.deltas += 1;
                UNKNOWN
            }
            Some(Ok(gix_hash::ObjectId::Sha1(oid))) => oid,
            Some(_) => return Err(fault(HASH_COLLISION)),
        };
        let crc = content.crc.clone().finalize();
        let (offset, link) = (content.offset, content.link);
        let end = self.at + taken as u64;
        self.table.push(offset, end, crc, link, oid);
        self.next_entry();
        Ok(taken)
    }

    fn end(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let taken = self.gather(bytes, TRAILER);
        if let Ok(trailer) = Oid::try_from(&self.gathered[..]) {
            let found: Oid = std::mem::take(&mut self.hash).finalize().into();
            if found != trailer {
                return Err(self.fault("its content does not have the hash at its end"));
            }
            self.trailer = Some(trailer);
            self.part = Part::Behind;
        }
        Ok(taken)
    }
}

/// A hasher that has seen the header of an object.
pub(super) fn object_hasher(kind: Kind, size: u64) -> gix_hash::Hasher {
    let mut hasher = gix_hash::hasher(gix_hash::Kind::Sha1);
    hasher.update(&gix_object::encode::loose_header(kind.into(), size));
    hasher
}
