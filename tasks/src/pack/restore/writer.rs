//! Appends encoded units to the pack, and their offsets and checksums to a table beside it.
//!
//! The table has a row per entry in rank order: u64 offset, u32 crc32, little endian. With it the
//! pack can be continued, and its index written.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use gix_hash::ObjectId;

use super::super::format::FrameReader;
use super::super::git_pack::{Form, GitPack, Unfit};
use super::RestoreError;
use super::encode::{Encoded, LEVEL, check_hash, object_hasher};
use super::source::Source;

/// The length of a row of the table.
pub const ROW_LEN: u64 = 12;

/// A pack that is being written.
pub struct PackWriter {
    pack: GitPack,
}

impl PackWriter {
    /// Begins a pack of `objects` entries.
    pub fn begin(objects: u32, pack: &mut impl Write) -> io::Result<Self> {
        let mut begun = GitPack::begin(objects);
        begun.flush(pack)?;
        Ok(Self { pack: begun })
    }

    /// Goes on with a pack of which `pack` and `table` are all bytes so far; `first_rank` is the
    /// entry to come next.
    pub fn resume(
        first_rank: u32,
        pack: impl Read,
        table: impl Read,
    ) -> Result<Self, RestoreError> {
        let unfinished = |reason| RestoreError::Unfinished { reason };
        let offsets: Vec<u64> = read_table(table)?
            .into_iter()
            .map(|row| row.offset)
            .collect();
        if offsets.len() != first_rank as usize {
            return Err(unfinished("the table has another number of entries"));
        }
        let pack = GitPack::resume(offsets, pack, &|| false).map_err(|unfit| match unfit {
            Unfit::Io(error) => pack_error(error),
            Unfit::Offsets => unfinished("the offsets do not lie within the pack"),
            Unfit::Stopped => RestoreError::Interrupted,
        })?;
        Ok(Self { pack })
    }

    /// The number of entries so far.
    pub fn entries(&self) -> usize {
        self.pack.offsets().len()
    }

    /// The length of the pack so far.
    pub fn bytes(&self) -> u64 {
        self.pack.end()
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
        let mut rows = Vec::with_capacity(encoded.entries.len() * 12);
        let mut start = 0;
        for entry in &encoded.entries {
            let (offset, from) = (self.pack.end(), self.pack.pending().len());
            let form = match entry.base {
                Some(base) => Form::Before(base as usize),
                None => Form::Whole(entry.kind),
            };
            let header = self.pack.entry(form, entry.size);
            header.ok_or(RestoreError::Unfinished {
                reason: "it has no such base",
            })?;
            let crc = if encoded.streamed {
                self.stream(source, encoded.unit, pack, interrupted)?
            } else {
                self.pack.push(&encoded.bytes[start..entry.end]);
                start = entry.end;
                crc32fast::hash(&self.pack.pending()[from..])
            };
            rows.extend_from_slice(&offset.to_le_bytes());
            rows.extend_from_slice(&crc.to_le_bytes());
        }
        self.pack.flush(pack).map_err(pack_error)?;
        Ok(rows)
    }

    /// Writes the checksum at the end and returns it.
    pub fn finish(self, pack: &mut impl Write) -> Result<ObjectId, RestoreError> {
        let checksum = self.pack.finish();
        pack.write_all(checksum.as_slice()).map_err(pack_error)?;
        Ok(checksum)
    }

    /// Writes a single large object behind its header: its frames one by one through deflate and
    /// hash.
    fn stream(
        &mut self,
        source: &Source,
        unit: usize,
        pack: &mut impl Write,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<u32, RestoreError> {
        let Some(entry) = source.entries(unit).next() else {
            return Ok(0);
        };
        let expected = source.oid(entry.rank)?;
        let mut object = object_hasher(entry.kind, entry.size);
        let mut crc = crc32fast::Hasher::new();
        crc.update(self.pack.pending());
        let sink = Sink {
            writer: &mut self.pack,
            pack,
            crc,
        };
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

fn pack_error(error: io::Error) -> RestoreError {
    RestoreError::io("the unfinished pack")(error)
}

impl std::fmt::Debug for PackWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackWriter")
            .field("entries", &self.entries())
            .field("end", &self.bytes())
            .finish_non_exhaustive()
    }
}

/// Where a streamed entry's bytes go.
struct Sink<'a, W> {
    writer: &'a mut GitPack,
    pack: &'a mut W,
    crc: crc32fast::Hasher,
}

impl<W: Write> Write for Sink<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.push(bytes);
        self.crc.update(bytes);
        if self.writer.is_full() {
            self.writer.flush(self.pack)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
