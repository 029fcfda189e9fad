//! Appends encoded units to the pack, and their offsets and checksums to a table beside it.
//!
//! The table has a row per entry in rank order: u64 offset, u32 crc32, little endian. With it the
//! pack can be continued, and its index written.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use gix_hash::ObjectId;
use gix_pack::data::entry::Header;
use sha1::{Digest as _, Sha1};

use super::super::format::{FrameReader, Kind};
use super::RestoreError;
use super::encode::{Encoded, LEVEL, check_hash, object_hasher};
use super::source::Source;

/// The length of a row of the table.
pub const ROW_LEN: u64 = 12;

/// A pack that is being written: its end, its offsets, its running checksum.
///
/// Memory: 8 bytes per object.
pub struct PackWriter {
    offsets: Vec<u64>,
    end: u64,
    /// It only tells a pack that is whole from one that is not, so it needs no guard against
    /// collisions; the objects' own hashes have one.
    hasher: Sha1,
    buffer: Vec<u8>,
}

impl PackWriter {
    /// Begins a pack of `objects` entries.
    pub fn begin(objects: u32, pack: &mut impl Write) -> io::Result<Self> {
        let mut writer = Self {
            offsets: Vec::with_capacity(objects as usize),
            end: 0,
            hasher: Sha1::new(),
            buffer: Vec::new(),
        };
        let header = gix_pack::data::header::encode(gix_pack::data::Version::V2, objects);
        writer.emit(&header, pack)?;
        Ok(writer)
    }

    /// Goes on with a pack of which `pack` and `table` are all bytes so far; `first_rank` is the
    /// entry to come next.
    pub fn resume(
        first_rank: u32,
        mut pack: impl Read,
        table: impl Read,
    ) -> Result<Self, RestoreError> {
        let unfinished = |reason| RestoreError::Unfinished { reason };
        let mut hasher = Sha1::new();
        let (mut end, mut buffer) = (0, vec![0; 1 << 20]);
        loop {
            match pack.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    hasher.update(&buffer[..n]);
                    end += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(RestoreError::io("the unfinished pack")(error)),
            }
        }
        let offsets: Vec<u64> = read_table(table)?
            .into_iter()
            .map(|row| row.offset)
            .collect();
        if offsets.len() != first_rank as usize {
            return Err(unfinished("the table has another number of entries"));
        }
        if end < 12
            || !offsets.is_sorted_by(|a, b| a < b)
            || offsets.last().is_some_and(|last| *last >= end)
        {
            return Err(unfinished("the offsets do not lie within the pack"));
        }
        buffer.clear();
        Ok(Self {
            offsets,
            end,
            hasher,
            buffer,
        })
    }

    /// The number of entries so far.
    pub fn entries(&self) -> usize {
        self.offsets.len()
    }

    /// The length of the pack so far.
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// Appends a unit to the pack and gives the rows to append to the table. `interrupted` is asked
    /// now and then while a large object is written; what was written of it must then be dropped.
    pub fn append(
        &mut self,
        source: &Source,
        encoded: &Encoded,
        pack: &mut impl Write,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Vec<u8>, RestoreError> {
        let pack_error = |error| RestoreError::io("the unfinished pack")(error);
        let mut rows = Vec::with_capacity(encoded.entries.len() * 12);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut start = 0;
        for entry in &encoded.entries {
            let offset = self.end + buffer.len() as u64;
            let from = buffer.len();
            header(
                entry.kind,
                entry.base.map(|base| offset - self.offsets[base as usize]),
            )
            .write_to(entry.size, &mut buffer)
            .map_err(pack_error)?;
            buffer.extend_from_slice(&encoded.bytes[start..entry.end]);
            start = entry.end;
            self.offsets.push(offset);
            let crc = if encoded.streamed {
                self.stream(source, encoded.unit, &buffer, pack, interrupted)?
            } else {
                crc32fast::hash(&buffer[from..])
            };
            rows.extend_from_slice(&offset.to_le_bytes());
            rows.extend_from_slice(&crc.to_le_bytes());
        }
        if !encoded.streamed {
            self.emit(&buffer, pack).map_err(pack_error)?;
        }
        self.buffer = buffer;
        Ok(rows)
    }

    /// Writes the checksum at the end and returns it.
    pub fn finish(self, pack: &mut impl Write) -> Result<ObjectId, RestoreError> {
        let checksum = ObjectId::Sha1(self.hasher.finalize().into());
        pack.write_all(checksum.as_slice())
            .map_err(RestoreError::io("the unfinished pack"))?;
        Ok(checksum)
    }

    fn emit(&mut self, bytes: &[u8], pack: &mut impl Write) -> io::Result<()> {
        pack.write_all(bytes)?;
        self.hasher.update(bytes);
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Writes a single large object: `head`, then its frames one by one through deflate and hash.
    fn stream(
        &mut self,
        source: &Source,
        unit: usize,
        head: &[u8],
        pack: &mut impl Write,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<u32, RestoreError> {
        let pack_error = |error| RestoreError::io("the unfinished pack")(error);
        let Some(entry) = source.entries(unit).next() else {
            return Ok(0);
        };
        let expected = source.oid(entry.rank)?;
        let mut object = object_hasher(entry.kind, entry.size);
        let mut sink = Sink {
            writer: self,
            pack,
            crc: crc32fast::Hasher::new(),
        };
        sink.write_all(head).map_err(pack_error)?;
        let mut deflate = ZlibEncoder::new(sink, Compression::new(LEVEL));
        let (layer, group) = source.unit(unit);
        let (mut reader, mut raw) = (FrameReader::new(), Vec::new());
        let first = group.first_frame as usize;
        for frame in &layer.index().frames()[first..first + group.frames as usize] {
            if interrupted() {
                return Err(RestoreError::Interrupted);
            }
            raw.clear();
            reader.read(layer, frame, &mut raw)?;
            object.update(&raw);
            deflate.write_all(&raw).map_err(pack_error)?;
        }
        let sink = deflate.finish().map_err(pack_error)?;
        check_hash(object, expected)?;
        Ok(sink.crc.finalize())
    }
}

impl std::fmt::Debug for PackWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackWriter")
            .field("entries", &self.offsets.len())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// Where a streamed entry's bytes go.
struct Sink<'a, W> {
    writer: &'a mut PackWriter,
    pack: &'a mut W,
    crc: crc32fast::Hasher,
}

impl<W: Write> Write for Sink<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.emit(bytes, self.pack)?;
        self.crc.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn header(kind: Kind, base_distance: Option<u64>) -> Header {
    match (base_distance, kind) {
        (Some(base_distance), _) => Header::OfsDelta { base_distance },
        (None, Kind::Commit) => Header::Commit,
        (None, Kind::Tree) => Header::Tree,
        (None, Kind::Blob) => Header::Blob,
        (None, Kind::Tag) => Header::Tag,
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The entry's offset in the pack.
    pub offset: u64,
    /// The checksum of its bytes in the pack.
    pub crc32: u32,
}

/// Reads a whole table.
pub fn read_table(mut table: impl Read) -> Result<Vec<Row>, RestoreError> {
    let (mut rows, mut buffer) = (Vec::new(), Vec::new());
    loop {
        buffer.clear();
        let read = table.by_ref().take(ROW_LEN << 16).read_to_end(&mut buffer);
        if read.map_err(RestoreError::io("the unfinished pack's table"))? == 0 {
            return Ok(rows);
        }
        let (full, rest) = buffer.as_chunks::<12>();
        if !rest.is_empty() {
            return Err(RestoreError::Unfinished {
                reason: "the table ends within a row",
            });
        }
        rows.extend(full.iter().map(|[a, b, c, d, e, f, g, h, crc @ ..]| Row {
            offset: u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
            crc32: u32::from_le_bytes(*crc),
        }));
    }
}
