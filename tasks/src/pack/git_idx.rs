//! Writes the index of a Git pack, version 2, byte for byte as Git does.

use std::io::{self, Write};

use gix_hash::ObjectId;
use sha1::{Digest as _, Sha1};

use super::source::Oid;

/// Offsets from here on stand in the table of large offsets.
const LARGE: u64 = 1 << 31;

/// An object of a pack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) oid: Oid,
    /// The checksum of the entry's bytes.
    pub(crate) crc32: u32,
    /// Where the entry begins.
    pub(crate) offset: u64,
}

/// Writes the index of the pack with this hash at its end. `rows` gives its objects in the order of
/// their ids, and is asked for them several times.
pub(crate) fn write<E, I>(
    out: impl Write,
    rows: impl Fn() -> I,
    pack: ObjectId,
    error: impl Fn(io::Error) -> E,
) -> Result<(), E>
where
    I: Iterator<Item = Result<Row, E>>,
{
    let mut out = Hashing {
        inner: io::BufWriter::with_capacity(256 << 10, out),
        hash: Sha1::new(),
    };
    out.write_all(b"\xfftOc\0\0\0\x02").map_err(&error)?;
    let mut counts = [0_u32; 256];
    for row in rows() {
        counts[usize::from(row?.oid[0])] += 1;
    }
    let mut sum = 0;
    for count in counts {
        sum += count;
        out.write_all(&sum.to_be_bytes()).map_err(&error)?;
    }
    for row in rows() {
        out.write_all(&row?.oid).map_err(&error)?;
    }
    for row in rows() {
        let crc32 = row?.crc32;
        out.write_all(&crc32.to_be_bytes()).map_err(&error)?;
    }
    let mut large = Vec::new();
    for row in rows() {
        let offset = row?.offset;
        let short = match u32::try_from(offset) {
            Ok(short) if offset < LARGE => short,
            _ => {
                large.push(offset);
                // At most 2^31 objects lie behind the first 2 GiB of a pack that fits on a disk.
                1 << 31 | u32::try_from(large.len() - 1).unwrap_or(u32::MAX)
            }
        };
        out.write_all(&short.to_be_bytes()).map_err(&error)?;
    }
    for offset in large {
        out.write_all(&offset.to_be_bytes()).map_err(&error)?;
    }
    out.write_all(pack.as_slice()).map_err(&error)?;
    let Hashing { mut inner, hash } = out;
    inner.write_all(&hash.finalize()).map_err(&error)?;
    inner.flush().map_err(&error)
}

/// The hash only tells a damaged index, so it needs no guard against collisions.
struct Hashing<W> {
    inner: W,
    hash: Sha1,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
