//! Writes an index, in one pass over the file.

use std::io::{self, Write};
use std::path::Path;

use gix_hash::ObjectId;

use super::super::{FileDigest, FormatError, HashingWriter, MAX_FRAME_SIZE, VERSION, leb128};
use super::{Base, Entry, FrameRow, HASH_SHA1, MAGIC};

/// The zstd level of the columns.
const LEVEL: i32 = 3;

/// What an index is made from. The iterators may read files: the objects are asked for three times,
/// the entries once.
pub trait IndexSource {
    /// The number of objects.
    fn len(&self) -> u32;
    /// Whether there are no objects.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// All oids, ascending, with the rank of each.
    fn objects(&self) -> io::Result<impl Iterator<Item = io::Result<(ObjectId, u32)>>>;
    /// All entries, in rank order.
    fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<Entry>>>;
}

/// Writes the index of a layer to `out` and returns its length and digest; `path` is only named in
/// errors. `out` is flushed, not synced.
pub fn write_index(
    out: impl Write,
    path: &Path,
    frame_size: u32,
    frames: &[FrameRow],
    source: &impl IndexSource,
) -> Result<FileDigest, FormatError> {
    let io = |error| FormatError::io(path)(error);
    let wrong = |reason: &str| FormatError::inconsistent(path, reason);
    let columns = Columns::gather(source).map_err(io)?.map_err(wrong)?;
    if frame_size == 0 || frame_size > MAX_FRAME_SIZE {
        return Err(wrong("the frame size is out of bounds"));
    }
    if columns.stream != frames.iter().map(|frame| u64::from(frame.raw)).sum::<u64>() {
        return Err(wrong("the frames do not hold what the entries add up to"));
    }
    let mut out = HashingWriter::new(io::BufWriter::with_capacity(1 << 20, out));
    write_parts(&mut out, frame_size, frames, source, &columns)
        .map_err(io)?
        .map_err(wrong)?;
    let digest = out.digest();
    out.write_all(&digest.blake3.0).map_err(io)?;
    out.flush().map_err(io)?;
    Ok(out.digest())
}

type Checked<T> = Result<T, &'static str>;

fn write_parts(
    out: &mut impl Write,
    frame_size: u32,
    frames: &[FrameRow],
    source: &impl IndexSource,
    columns: &Columns,
) -> io::Result<Checked<()>> {
    let Ok(frame_count) = u32::try_from(frames.len()) else {
        return Ok(Err("there are too many frames"));
    };
    out.write_all(MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&[HASH_SHA1, 0, 0, 0])?;
    out.write_all(&u64::from(source.len()).to_le_bytes())?;
    out.write_all(&frame_count.to_le_bytes())?;
    out.write_all(
        &frames
            .last()
            .map_or(0, |frame| frame.file + 1)
            .to_le_bytes(),
    )?;
    out.write_all(&columns.external_count.to_le_bytes())?;
    out.write_all(&frame_size.to_le_bytes())?;
    for frame in frames {
        out.write_all(&frame.file.to_le_bytes())?;
        out.write_all(&frame.offset.to_le_bytes())?;
        out.write_all(&frame.stored.to_le_bytes())?;
        out.write_all(&frame.raw.to_le_bytes())?;
        out.write_all(&frame.blake3.0)?;
    }

    let (mut fanout, mut last, mut count) = ([0u32; 256], None, 0);
    for object in source.objects()? {
        let (oid, rank) = object?;
        if last.is_some_and(|last| last >= oid) || rank >= source.len() || count == source.len() {
            return Ok(Err("the objects are not in order"));
        }
        fanout[usize::from(oid.as_slice()[0])] += 1;
        last = Some(oid);
        count += 1;
    }
    if count != source.len() {
        return Ok(Err("there are fewer objects than announced"));
    }
    let mut sum = 0;
    for count in fanout {
        sum += count;
        out.write_all(&sum.to_le_bytes())?;
    }
    for object in source.objects()? {
        out.write_all(object?.0.as_slice())?;
    }
    for object in source.objects()? {
        out.write_all(&object?.1.to_le_bytes())?;
    }
    for column in [&columns.kinds, &columns.sizes, &columns.bases] {
        let stored = zstd::bulk::compress(column, LEVEL)?;
        out.write_all(&(column.len() as u64).to_le_bytes())?;
        out.write_all(&(stored.len() as u64).to_le_bytes())?;
        out.write_all(&stored)?;
    }
    out.write_all(&columns.externals)?;
    Ok(Ok(()))
}

/// The columns before compression: a few bytes per object.
#[derive(Default)]
struct Columns {
    kinds: Vec<u8>,
    sizes: Vec<u8>,
    bases: Vec<u8>,
    externals: Vec<u8>,
    external_count: u32,
    stream: u64,
}

impl Columns {
    fn gather(source: &impl IndexSource) -> io::Result<Checked<Self>> {
        let mut columns = Self::default();
        let mut rank = 0u32;
        for entry in source.entries()? {
            let Entry { kind, size, base } = entry?;
            if rank == source.len() {
                return Ok(Err("there are more entries than objects"));
            }
            columns.kinds.push(kind.number());
            leb128::write(&mut columns.sizes, size);
            let Some(stream) = columns.stream.checked_add(size) else {
                return Ok(Err("the stream is too long"));
            };
            columns.stream = stream;
            let code = match base {
                Base::Whole => 0,
                Base::External(oid) => {
                    columns.externals.extend_from_slice(oid.as_slice());
                    columns.external_count += 1;
                    1
                }
                Base::Distance(distance) if (1..=rank).contains(&distance) => {
                    u64::from(distance) + 1
                }
                Base::Distance(_) => return Ok(Err("a base lies outside of the layer")),
            };
            leb128::write(&mut columns.bases, code);
            rank += 1;
        }
        Ok(if rank == source.len() {
            Ok(columns)
        } else {
            Err("there are fewer entries than objects")
        })
    }
}
