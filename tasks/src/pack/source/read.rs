//! Inflating entries and resolving delta chains.

use gix_pack::data::decode::{entry::ResolvedBase, header};
use gix_zlib::{Decompress, FlushDecompress, Inflate, Status};

use super::{Catalog, Kind, Location, NONE, Oid, Pack, SourceError, Sources, hex, loose, shape};
use crate::pack::delta;

/// A copy instruction takes at least one byte, and copies less than 16 MiB.
const COPY_MAX: u64 = 1 << 24;

/// Reads entries and objects of one set of sources; one for each thread.
pub struct Reader<'a> {
    sources: &'a Sources,
    catalog: &'a Catalog,
    inflate: Inflate,
}

/// What a streamed entry is handed to, piece by piece; `false` ends the delivery.
pub type Delivery<'d> = &'d mut dyn FnMut(&[u8]) -> bool;

impl<'a> Reader<'a> {
    /// A reader of these sources.
    pub fn new(sources: &'a Sources, catalog: &'a Catalog) -> Self {
        Self {
            sources,
            catalog,
            inflate: Inflate::default(),
        }
    }

    /// The id of object number `id`.
    pub fn oid(&self, id: u32) -> Oid {
        self.catalog.oid(self.sources, id)
    }

    /// Appends the entry of `id` to `out`, inflated: the whole object, or its delta.
    pub fn payload(&mut self, id: u32, out: &mut Vec<u8>) -> Result<(), SourceError> {
        match self.catalog.location(id) {
            Location::Pack { pack, position } => self.entry(pack, position, out),
            Location::Loose(number) => self.loose(number, out),
            Location::EmptyTree => Ok(()),
        }
    }

    /// Puts the object `id` into `out`, resolved through its delta chain.
    pub fn object(&mut self, id: u32, out: &mut Vec<u8>) -> Result<(), SourceError> {
        out.clear();
        let Location::Pack { pack, position } = self.catalog.location(id) else {
            return self.payload(id, out);
        };
        let (pack, entry) = self.open(pack, position)?;
        let base = |oid: &gix_hash::oid, _: &mut Vec<u8>| {
            let Some(position) = pack.index.lookup(oid) else {
                return Ok(None);
            };
            pack.data
                .entry(pack.index.pack_offset_at_index(position))
                .map(|entry| Some(ResolvedBase::InPack(entry)))
        };
        let mut never = gix_pack::cache::Never;
        let made = pack
            .data
            .decode_entry(entry, out, &mut self.inflate, &base, &mut never)
            .map_err(|error| shape::damaged_entry(pack, position, error.to_string()))?;
        let size = usize::try_from(made.object_size).unwrap_or(usize::MAX);
        out.truncate(size);
        Ok(())
    }

    /// What the object `id` is, from the headers down its delta chain.
    pub fn kind(&mut self, id: u32) -> Result<Kind, SourceError> {
        let (pack, position) = match self.catalog.location(id) {
            Location::Pack { pack, position } => (pack, position),
            Location::Loose(number) => return Ok(self.sources.list.loose[number as usize].kind),
            Location::EmptyTree => return Ok(Kind::Tree),
        };
        let (pack, entry) = self.open(pack, position)?;
        let base = |oid: &gix_hash::oid| {
            let Some(position) = pack.index.lookup(oid) else {
                return Ok(None);
            };
            let entry = pack.data.entry(pack.index.pack_offset_at_index(position))?;
            Ok(Some(header::ResolvedBase::InPack(entry)))
        };
        let found = pack.data.decode_header(entry, &mut self.inflate, &base);
        let found =
            found.map_err(|error| shape::damaged_entry(pack, position, error.to_string()))?;
        Ok(found.kind.into())
    }

    /// Whether the entry of `id` is a delta.
    pub fn is_delta(&self, id: u32) -> Result<bool, SourceError> {
        match self.catalog.location(id) {
            Location::Pack { pack, position } => Ok(self.open(pack, position)?.1.header.is_delta()),
            _ => Ok(false),
        }
    }

    /// The size of the object that the delta `id` makes, from the delta's first bytes.
    pub fn size_after_delta(&mut self, id: u32) -> Result<u64, SourceError> {
        let Location::Pack { pack, position } = self.catalog.location(id) else {
            return Err(self.damaged(id, "only packs hold deltas"));
        };
        let (pack, entry) = self.open(pack, position)?;
        let mut head = [0; 32];
        self.inflate.reset();
        let input = rest_of(pack, entry.data_offset);
        let (_, _, n) = self
            .inflate
            .prefix(input, &mut head)
            .map_err(|error| shape::damaged_entry(pack, position, error.to_string()))?;
        let (_, size, _) = delta::sizes(&head[..n])
            .map_err(|why| shape::damaged_entry(pack, position, why.into()))?;
        if size > entry.decompressed_size.saturating_mul(COPY_MAX) {
            let why = "its delta states an impossible size";
            return Err(shape::damaged_entry(pack, position, why.into()));
        }
        Ok(size)
    }

    /// Delivers the entry of `id` from byte `from` on, in pieces of `piece` bytes (the last shorter).
    ///
    /// Memory stays at one piece, however large the entry is. `size` is the entry's size as planned;
    /// `stopped` ends the work between two pieces.
    pub fn stream(
        &mut self,
        id: u32,
        size: u64,
        from: u64,
        piece: usize,
        stopped: &dyn Fn() -> bool,
        deliver: Delivery<'_>,
    ) -> Result<(), SourceError> {
        let mut source = match self.catalog.location(id) {
            Location::Pack { pack, position } => {
                let (pack, entry) = self.open(pack, position)?;
                Piecewise::Pack {
                    pack,
                    position,
                    inflate: Box::new(Decompress::new()),
                    at: entry.data_offset,
                }
            }
            Location::Loose(number) => match self.loose_stream(number) {
                Ok(stream) => Piecewise::Loose(Box::new(stream)),
                Err(error) if error.is_gone() => {
                    let mut whole = Vec::new();
                    self.loose(number, &mut whole)?;
                    Piecewise::Memory(whole, 0)
                }
                Err(error) => return Err(error),
            },
            Location::EmptyTree => Piecewise::Memory(Vec::new(), 0),
        };
        let mut buffer = vec![0; piece];
        let mut done = 0;
        while done < size {
            let length = usize::try_from(size - done).map_or(piece, |left| left.min(piece));
            // What was delivered before is inflated again, in the same pieces, and dropped.
            if source.read(&mut buffer[..length])? != length {
                return Err(self.damaged(id, "its content is shorter than its header says"));
            }
            done += length as u64;
            if stopped() || (done > from && !deliver(&buffer[..length])) {
                return Ok(());
            }
        }
        source.finish()
    }

    fn entry(&mut self, pack: u16, position: u32, out: &mut Vec<u8>) -> Result<(), SourceError> {
        let (pack, entry) = self.open(pack, position)?;
        let damaged = |why: String| shape::damaged_entry(pack, position, why);
        let start = out.len();
        let length = usize::try_from(entry.decompressed_size)
            .ok()
            .filter(|length| out.try_reserve(*length).is_ok())
            .ok_or_else(|| damaged("it does not fit into memory".into()))?;
        out.resize(start + length, 0);
        pack.data
            .decompress_entry(&entry, &mut self.inflate, &mut out[start..])
            .map_err(|error| damaged(error.to_string()))?;
        Ok(())
    }

    fn open(
        &self,
        pack: u16,
        position: u32,
    ) -> Result<(&'a Pack, gix_pack::data::Entry), SourceError> {
        let pack = &self.sources.packs[usize::from(pack)];
        let damaged = |why: String| shape::damaged_entry(pack, position, why);
        let entry = pack
            .data
            .entry(pack.index.pack_offset_at_index(position))
            .map_err(|error| damaged(error.to_string()))?;
        pack.check_size(&entry).map_err(|why| damaged(why.into()))?;
        Ok((pack, entry))
    }

    fn loose(&self, number: u32, out: &mut Vec<u8>) -> Result<(), SourceError> {
        let start = out.len();
        match self.loose_stream(number) {
            Ok(mut stream) => {
                let mut piece = vec![0; 64 * 1024];
                loop {
                    match stream.read(&mut piece)? {
                        0 => break,
                        n => out.extend_from_slice(&piece[..n]),
                    }
                }
                stream.finish()
            }
            Err(error) if error.is_gone() => {
                let planned = &self.sources.list.loose[number as usize];
                let mut whole = Vec::new();
                let kind = self.sources.read_current(&planned.oid, &mut whole)?;
                if kind != planned.kind || whole.len() as u64 != planned.size {
                    return Err(SourceError::Loose {
                        id: hex(&planned.oid),
                        why: "it is now another object in a pack".into(),
                    });
                }
                out.truncate(start);
                out.append(&mut whole);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn loose_stream(&self, number: u32) -> Result<loose::Stream, SourceError> {
        let planned = &self.sources.list.loose[number as usize];
        let directory = &self.sources.list.directories[usize::from(planned.directory)];
        let stream = loose::Stream::open(directory, &planned.oid)?;
        if stream.kind != planned.kind || stream.size != planned.size {
            return Err(SourceError::Loose {
                id: hex(&planned.oid),
                why: "its header changed".into(),
            });
        }
        Ok(stream)
    }

    /// The error for an entry of `id` that is not what it should be.
    pub fn damaged(&self, id: u32, why: &str) -> SourceError {
        match self.catalog.location(id) {
            Location::Pack { pack, position } => shape::damaged_entry(
                &self.sources.packs[usize::from(pack)],
                position,
                why.to_owned(),
            ),
            _ => SourceError::Loose {
                id: hex(&self.oid(id)),
                why: why.to_owned(),
            },
        }
    }

    /// The number of the object with this id, [`NONE`] if there is none.
    pub fn find(&self, oid: &Oid) -> u32 {
        self.catalog.find(self.sources, oid).unwrap_or(NONE)
    }
}

fn rest_of(pack: &Pack, offset: u64) -> &[u8] {
    pack.data
        .entry_slice(offset..pack.data.pack_end() as u64)
        .unwrap_or_default()
}

/// An entry that is inflated a piece at a time.
enum Piecewise<'a> {
    Pack {
        pack: &'a Pack,
        position: u32,
        inflate: Box<Decompress>,
        at: u64,
    },
    Loose(Box<loose::Stream>),
    Memory(Vec<u8>, usize),
}

impl Piecewise<'_> {
    /// Fills `out`; fewer bytes only where the entry ends.
    fn read(&mut self, out: &mut [u8]) -> Result<usize, SourceError> {
        match self {
            Self::Loose(stream) => stream.read(out),
            Self::Memory(bytes, at) => {
                let n = (bytes.len() - *at).min(out.len());
                out[..n].copy_from_slice(&bytes[*at..*at + n]);
                *at += n;
                Ok(n)
            }
            Self::Pack {
                pack,
                position,
                inflate,
                at,
            } => {
                let mut filled = 0;
                while filled < out.len() {
                    let (in_before, out_before) = (inflate.total_in(), inflate.total_out());
                    let status = inflate
                        .decompress(
                            rest_of(pack, *at),
                            &mut out[filled..],
                            FlushDecompress::None,
                        )
                        .map_err(|error| {
                            shape::damaged_entry(pack, *position, error.to_string())
                        })?;
                    let consumed = inflate.total_in() - in_before;
                    let written = inflate.total_out() - out_before;
                    *at += consumed;
                    filled += usize::try_from(written).expect("a step lies within the buffer");
                    if status == Status::StreamEnd || (consumed == 0 && written == 0) {
                        break;
                    }
                }
                Ok(filled)
            }
        }
    }

    fn finish(&mut self) -> Result<(), SourceError> {
        match self {
            Self::Loose(stream) => stream.finish(),
            Self::Memory(..) => Ok(()),
            Self::Pack { .. } => {
                let more = self.read(&mut [0])?;
                let Self::Pack { pack, position, .. } = self else {
                    return Ok(());
                };
                if more == 0 {
                    Ok(())
                } else {
                    Err(shape::damaged_entry(
                        pack,
                        *position,
                        "its content is longer than its header says".into(),
                    ))
                }
            }
        }
    }
}
