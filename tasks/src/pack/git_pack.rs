//! A Git pack that is being written: headers, offsets, and the running hash.
//!
//! Entries are added in memory and handed on when there is enough. Where each one begins is
//! known, so that deltas can name their base by its distance; whoever keeps the offsets can go on
//! with the pack in another process, which reads once what is there to have the hash.

use std::io::{self, Read, Write};

use gix_hash::ObjectId;
use gix_pack::data::entry::Header;
use sha1::{Digest as _, Sha1};

use super::source::{Kind, Oid};

/// Bytes are handed on once there are so many.
const ENOUGH: usize = 1 << 20;
/// The length of a pack's header.
const HEADER_LEN: u64 = 12;

/// A pack that is being written. It takes 8 bytes of memory an object.
pub(crate) struct GitPack {
    /// Where the entries begin.
    offsets: Vec<u64>,
    end: u64,
    /// It only tells a pack that is whole from one that is not, so it needs no guard against
    /// collisions; the objects' own hashes have one.
    hash: Sha1,
    buffer: Vec<u8>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// A whole object.
    Whole(Kind),
    /// A delta against the entry of this rank, which comes before.
    Before(usize),
    /// A delta against the object with this id, which may be anywhere.
    Of(Oid),
}

/// Why a pack cannot be gone on with.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It cannot be read.
    Io(io::Error),
    /// The offsets are not those of its entries.
    Offsets,
    /// The reading was stopped.
    Stopped,
}

impl GitPack {
    /// Begins a pack of so many entries.
    pub(crate) fn begin(entries: u32) -> Self {
        let mut pack = Self {
            offsets: Vec::with_capacity(entries as usize),
            end: 0,
            hash: Sha1::new(),
            buffer: Vec::with_capacity(2 * ENOUGH),
        };
        let header = gix_pack::data::header::encode(gix_pack::data::Version::V2, entries);
        pack.push(&header);
        pack
    }

    /// Goes on with a pack, of which `pack` is all there is; its entries begin at `offsets`.
    pub(crate) fn resume(
        offsets: Vec<u64>,
        mut pack: impl Read,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Self, Unfit> {
        let (mut hash, mut end) = (Sha1::new(), 0);
        let mut buffer = vec![0; ENOUGH];
        loop {
            if stopped() {
                return Err(Unfit::Stopped);
            }
            match pack.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    hash.update(&buffer[..n]);
                    end += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Unfit::Io(error)),
            }
        }
        let first = offsets.first().is_none_or(|at| *at == HEADER_LEN);
        let within = offsets.last().is_none_or(|at| *at < end);
        if end < HEADER_LEN || !first || !within || !offsets.is_sorted_by(|a, b| a < b) {
            return Err(Unfit::Offsets);
        }
        buffer.clear();
        Ok(Self {
            offsets,
            end,
            hash,
            buffer,
        })
    }

    /// Where the entries begin.
    pub(crate) fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    /// The length of the pack so far.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// Begins the next entry, whose compressed content, to be pushed, inflates to `size` bytes. Gives
    /// the length of the entry's header; `None` where the base is none.
    pub(crate) fn entry(&mut self, form: Form, size: u64) -> Option<u64> {
        self.offsets.push(self.end);
        let header = self.header(form)?;
        let mut bytes = Vec::with_capacity(32);
        // Into memory.
        header.write_to(size, &mut bytes).ok()?;
        self.push(&bytes);
        Some(bytes.len() as u64)
    }

    /// The length of the header of the entry that was begun last.
    pub(crate) fn header_len(&self, form: Form, size: u64) -> Option<u64> {
        Some(self.header(form)?.size(size) as u64)
    }

    fn header(&self, form: Form) -> Option<Header> {
        Some(match form {
            Form::Before(rank) => {
                let (last, before) = self.offsets.split_last()?;
                let base_distance = last - before.get(rank)?;
                Header::OfsDelta { base_distance }
            }
            Form::Of(oid) => Header::RefDelta {
                base_id: ObjectId::Sha1(oid),
            },
            Form::Whole(Kind::Commit) => Header::Commit,
            Form::Whole(Kind::Tree) => Header::Tree,
            Form::Whole(Kind::Blob) => Header::Blob,
            Form::Whole(Kind::Tag) => Header::Tag,
        })
    }

    /// Adds bytes to the pack.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.end += bytes.len() as u64;
    }

    /// What was added and not handed on.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.buffer
    }

    /// Whether there is enough to hand on.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= ENOUGH
    }

    /// Hands on what was added to the pack.
    pub(crate) fn flush(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.hash.update(&self.buffer);
        out.write_all(&self.buffer)?;
        self.buffer.clear();
        // A large entry's buffer is not kept for the small ones after it.
        self.buffer.shrink_to(16 * ENOUGH);
        Ok(())
    }

    /// The hash of the pack, for its end; all of it must have been handed on.
    pub(crate) fn finish(self) -> ObjectId {
        ObjectId::Sha1(self.hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]
    use super::*;

    const FORMS: [Form; 3] = [Form::Whole(Kind::Blob), Form::Of([7; 20]), Form::Before(0)];

    /// Adds the forms from `first` on; what is handed on.
    fn write(pack: &mut GitPack, first: usize) -> Vec<u8> {
        for form in &FORMS[first..] {
            let length = pack.entry(*form, 200).unwrap();
            assert_eq!(pack.header_len(*form, 200), Some(length));
            pack.push(b"content");
        }
        let mut out = Vec::new();
        pack.flush(&mut out).unwrap();
        out
    }

    #[test]
    fn a_pack_that_is_taken_over_ends_in_the_same_bytes() {
        let mut pack = GitPack::begin(3);
        let bytes = write(&mut pack, 0);
        assert_eq!(pack.end(), bytes.len() as u64);
        let offsets = pack.offsets().to_vec();
        let hash = pack.finish();
        let resume = |begun: usize, end: u64| {
            let there = &bytes[..usize::try_from(end).unwrap()];
            GitPack::resume(offsets[..begun].to_vec(), there, &|| false)
        };
        for begun in 0..3 {
            let end = offsets[begun];
            let mut resumed = resume(begun, end).unwrap();
            let rest = write(&mut resumed, begun);
            assert_eq!(rest, bytes[usize::try_from(end).unwrap()..], "{begun}");
            assert_eq!(resumed.offsets(), offsets);
            assert_eq!(resumed.finish(), hash);
        }
        assert!(
            matches!(resume(3, 12), Err(Unfit::Offsets)),
            "beyond the end"
        );
        assert!(matches!(resume(0, 11), Err(Unfit::Offsets)), "no header");
        let stopped = GitPack::resume(Vec::new(), &bytes[..], &|| true);
        assert!(matches!(stopped, Err(Unfit::Stopped)));
    }

    #[test]
    fn an_entry_has_no_base_that_does_not_come_before_it() {
        let mut pack = GitPack::begin(2);
        assert_eq!(pack.entry(Form::Before(0), 1), None);
        let mut pack = GitPack::begin(2);
        write(&mut pack, 0);
        assert_eq!(pack.entry(Form::Before(3), 1), None);
    }
}
