//! The pack as far as it is made: headers, offsets, and the running hash.

use std::io::{Read, Write};

use gix_hash::ObjectId;
use gix_pack::data::entry::Header;
use sha1::{Digest as _, Sha1};

use super::{
    BundleError,
    layout::{Entry, Form},
};
use crate::pack::source::{Kind, Oid};

/// Bytes are handed on once there are so many.
const ENOUGH: usize = 1 << 20;

/// A pack that is being written. It takes 8 bytes of memory an object.
///
/// The hash only tells a pack that is whole from one that is not, so it needs no guard against
/// collisions.
pub(super) struct PackWriter {
    /// Where the entries begin, counted from where the pack does.
    offsets: Vec<u64>,
    end: u64,
    hash: Sha1,
    buffer: Vec<u8>,
    /// How many of the offsets are in their file.
    written: usize,
}

impl PackWriter {
    /// Begins a pack of so many entries.
    pub(super) fn begin(entries: u32) -> Self {
        let mut writer = Self {
            offsets: Vec::with_capacity(entries as usize),
            end: 0,
            hash: Sha1::new(),
            buffer: Vec::with_capacity(2 * ENOUGH),
            written: 0,
        };
        let header = gix_pack::data::header::encode(gix_pack::data::Version::V2, entries);
        writer.push(&header);
        writer
    }

    /// Goes on with a pack of `entries` entries, of which `pack` is all there is, with `begun` of
    /// them begun; `offsets` says where.
    pub(super) fn resume(
        entries: u32,
        begun: usize,
        mut pack: impl Read,
        mut offsets: impl Read,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Self, BundleError> {
        const MISFIT: BundleError =
            BundleError::Damaged("the unfinished pack does not fit its offsets");
        let mut writer = Self::begin(entries);
        writer.buffer.clear();
        writer.end = 0;
        let mut piece = vec![0; ENOUGH];
        loop {
            if stopped() {
                return Err(BundleError::Stopped);
            }
            match pack.read(&mut piece)? {
                0 => break,
                n => {
                    writer.hash.update(&piece[..n]);
                    writer.end += n as u64;
                }
            }
        }
        piece.clear();
        offsets.read_to_end(&mut piece)?;
        let (rows, rest) = piece.as_chunks();
        let rows = rows.iter().map(|row| u64::from_le_bytes(*row));
        writer.offsets.extend(rows);
        let sorted = writer.offsets.is_sorted_by(|a, b| a < b);
        let within = writer.offsets.last().is_none_or(|at| *at < writer.end);
        if !rest.is_empty() || writer.offsets.len() != begun || !sorted || !within {
            return Err(MISFIT);
        }
        writer.written = begun;
        Ok(writer)
    }

    /// The length of the pack so far.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Begins the next entry; its compressed content, which inflates to `size` bytes, follows.
    pub(super) fn entry(
        &mut self,
        entry: &Entry,
        size: u64,
        oid: impl Fn(u32) -> Oid,
    ) -> Result<(), BundleError> {
        let rank = self.offsets.len();
        self.offsets.push(self.end);
        let header = self.header(entry, rank, oid)?;
        header.write_to(size, &mut self.buffer)?;
        self.end = self.offsets[rank] + header.size(size) as u64;
        Ok(())
    }

    /// The length of the header of the entry that was begun last.
    pub(super) fn header_len(
        &self,
        entry: &Entry,
        size: u64,
        oid: impl Fn(u32) -> Oid,
    ) -> Result<u64, BundleError> {
        let rank = self.offsets.len().saturating_sub(1);
        Ok(self.header(entry, rank, oid)?.size(size) as u64)
    }

    fn header(
        &self,
        entry: &Entry,
        rank: usize,
        oid: impl Fn(u32) -> Oid,
    ) -> Result<Header, BundleError> {
        Ok(match entry.form {
            Form::Before(distance) => {
                let base = rank.checked_sub(distance as usize);
                let base = base.and_then(|base| self.offsets.get(base));
                let base = base.filter(|_| distance > 0).ok_or(BundleError::Damaged(
                    "the stored plan names a base that is none",
                ))?;
                Header::OfsDelta {
                    base_distance: self.offsets[rank] - base,
                }
            }
            Form::Elsewhere(base) => Header::RefDelta {
                base_id: ObjectId::Sha1(oid(base)),
            },
            Form::Whole | Form::Deflated => match entry.kind {
                Kind::Commit => Header::Commit,
                Kind::Tree => Header::Tree,
                Kind::Blob => Header::Blob,
                Kind::Tag => Header::Tag,
            },
        })
    }

    /// Adds bytes to the pack.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.end += bytes.len() as u64;
    }

    /// Whether there is enough to hand on.
    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= ENOUGH
    }

    /// Hands on what was added to the pack.
    pub(super) fn flush(&mut self, pack: &mut impl Write) -> std::io::Result<()> {
        self.hash.update(&self.buffer);
        pack.write_all(&self.buffer)?;
        self.buffer.clear();
        // A large entry's buffer is not kept for the small ones after it.
        self.buffer.shrink_to(16 * ENOUGH);
        Ok(())
    }

    /// The offsets that are not in their file, as bytes.
    pub(super) fn take_offsets(&mut self) -> Vec<u8> {
        let new = &self.offsets[self.written..];
        let bytes = new.iter().flat_map(|at| at.to_le_bytes()).collect();
        self.written = self.offsets.len();
        bytes
    }

    /// The hash of the pack, for its end; all of it must have been handed on.
    pub(super) fn finish(self) -> ObjectId {
        ObjectId::Sha1(self.hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]
    use super::*;

    fn entry(form: Form) -> Entry {
        Entry {
            id: 0,
            kind: Kind::Blob,
            form,
            length: 1,
        }
    }

    /// Three entries, the last a delta of the first; the pack and its offsets.
    fn write(writer: &mut PackWriter, first: usize) -> (Vec<u8>, Vec<u8>) {
        let forms = [Form::Whole, Form::Deflated, Form::Before(2)];
        for form in &forms[first..] {
            writer.entry(&entry(*form), 200, |_| [0; 20]).unwrap();
            writer.push(b"content");
        }
        let mut pack = Vec::new();
        writer.flush(&mut pack).unwrap();
        (pack, writer.take_offsets())
    }

    #[test]
    fn a_pack_that_is_taken_over_ends_in_the_same_bytes() {
        let mut writer = PackWriter::begin(3);
        let (pack, offsets) = write(&mut writer, 0);
        assert_eq!(writer.end(), pack.len() as u64);
        let hash = writer.finish();
        assert_eq!(offsets.len(), 24);
        let resume = |begun: usize, end: usize| {
            PackWriter::resume(3, begun, &pack[..end], &offsets[..8 * begun], &|| false)
        };
        for begun in 0..3 {
            let end = match begun {
                0 => 12,
                1 => 21,
                _ => 30,
            };
            let mut resumed = resume(begun, end).unwrap();
            let (rest, more) = write(&mut resumed, begun);
            assert_eq!(rest, pack[end..], "{begun}");
            assert_eq!(more, offsets[8 * begun..]);
            assert_eq!(resumed.finish(), hash);
        }
        assert!(resume(3, 12).is_err(), "an offset beyond the end");
        let short = PackWriter::resume(3, 2, &pack[..30], &offsets[..8], &|| false);
        assert!(short.is_err(), "an offset is missing");
    }

    #[test]
    fn a_base_that_cannot_be_is_damage() {
        let mut writer = PackWriter::begin(1);
        for distance in [0, 1] {
            let made = writer.entry(&entry(Form::Before(distance)), 1, |_| [0; 20]);
            assert!(matches!(made, Err(BundleError::Damaged(_))));
            writer.offsets.clear();
        }
    }
}
