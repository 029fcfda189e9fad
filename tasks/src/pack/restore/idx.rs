//! Writes the index of a restored pack, version 2, byte for byte as Git does.

use std::io::{self, Write};

use gix_hash::ObjectId;

use super::RestoreError;
use super::source::Source;
use super::writer::Row;

/// Offsets from here on stand in the table of large offsets.
const LARGE: u64 = 1 << 31;

/// Writes the index of the pack with this checksum; `rows` are its entries in rank order.
pub fn write(
    out: impl Write,
    source: &Source,
    rows: &[Row],
    checksum: ObjectId,
) -> Result<(), RestoreError> {
    if rows.len() != source.objects() as usize {
        return Err(RestoreError::Unfinished {
            reason: "the table has another number of entries",
        });
    }
    let error = |error| RestoreError::io("the restored pack's index")(error);
    let hasher = gix_hash::hasher(gix_hash::Kind::Sha1);
    let mut out = HashingWriter {
        inner: io::BufWriter::with_capacity(1 << 20, out),
        hasher,
    };
    out.write_all(b"\xfftOc\0\0\0\x02").map_err(error)?;
    let mut counts = [0u32; 256];
    for object in source.objects_by_oid() {
        counts[usize::from(object?.0.as_slice()[0])] += 1;
    }
    let mut sum = 0;
    for count in counts {
        sum += count;
        out.write_all(&sum.to_be_bytes()).map_err(error)?;
    }
    for object in source.objects_by_oid() {
        out.write_all(object?.0.as_slice()).map_err(error)?;
    }
    for object in source.objects_by_oid() {
        out.write_all(&rows[object?.1 as usize].crc32.to_be_bytes())
            .map_err(error)?;
    }
    let mut large = Vec::new();
    for object in source.objects_by_oid() {
        let offset = rows[object?.1 as usize].offset;
        let short = match u32::try_from(offset) {
            Ok(short) if offset < LARGE => short,
            _ => {
                large.push(offset);
                // At most 2^31 objects lie behind the first 2 GiB of a pack that fits on a disk.
                1 << 31 | u32::try_from(large.len() - 1).unwrap_or(u32::MAX)
            }
        };
        out.write_all(&short.to_be_bytes()).map_err(error)?;
    }
    for offset in large {
        out.write_all(&offset.to_be_bytes()).map_err(error)?;
    }
    out.write_all(checksum.as_slice()).map_err(error)?;
    let HashingWriter { mut inner, hasher } = out;
    let unfinished = |_| RestoreError::Unfinished {
        reason: "its index is a collision attack on SHA-1",
    };
    inner
        .write_all(hasher.try_finalize().map_err(unfinished)?.as_slice())
        .map_err(error)?;
    inner.flush().map_err(error)
}

struct HashingWriter<W> {
    inner: W,
    hasher: gix_hash::Hasher,
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
