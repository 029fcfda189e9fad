//! The order of the pack's entries, and how each one is made; durable before the first of them.
//!
//! The file is little endian: eighteen bytes for each entry (object number, base, length, form and
//! kind), then sixteen for each chunk (first entry, number of entries, and their length). A chunk is
//! what a thread takes at a time; an entry that is large is a chunk of its own. The numbers of
//! entries and chunks are in the operation's state.

use std::{
    io::{self, Seek as _, SeekFrom},
    ops::Range,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::BundleError;
use crate::pack::{plan::ReadAt, source::Kind};

/// How the work is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// A chunk ends where it is this long, or has this many entries.
    pub(super) chunk: u64,
    pub(super) entries: u32,
    /// An entry this long is made piece by piece.
    pub(super) large: u64,
    /// The length of a piece.
    pub(super) piece: usize,
}

impl Sizes {
    pub(super) const USUAL: Self = Self {
        chunk: 1 << 20,
        entries: 4096,
        large: 8 << 20,
        piece: 1 << 20,
    };
    #[cfg(test)]
    pub(super) const SMALL: Self = Self {
        chunk: 1024,
        entries: 5,
        large: 3000,
        piece: 700,
    };
}

/// How an entry is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A copy of a whole object's entry.
    Whole,
    /// A copy of a delta whose base comes so many entries before.
    Before(u32),
    /// A copy of a delta whose base, the object of this number, comes later, or is with the reader.
    Elsewhere(u32),
    /// A whole object, deflated anew.
    Deflated,
}

/// An entry of the pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// The object's number.
    pub(super) id: u32,
    pub(super) kind: Kind,
    pub(super) form: Form,
    /// Of a copy, the length of the entry in its pack; otherwise the object's size.
    pub(super) length: u64,
}

impl Entry {
    const LEN: usize = 18;

    pub(super) fn encode(self) -> [u8; Self::LEN] {
        let (form, base) = match self.form {
            Form::Whole => (0, 0),
            Form::Before(distance) => (1, distance),
            Form::Elsewhere(base) => (2, base),
            Form::Deflated => (3, 0),
        };
        let mut out = [0; Self::LEN];
        out[..4].copy_from_slice(&self.id.to_le_bytes());
        out[4..8].copy_from_slice(&base.to_le_bytes());
        out[8..16].copy_from_slice(&self.length.to_le_bytes());
        out[16] = form;
        out[17] = self.kind.number();
        out
    }

    fn decode(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let base = u32_at(bytes, 4);
        Some(Self {
            id: u32_at(bytes, 0),
            kind: Kind::from_number(bytes[17])?,
            form: match bytes[16] {
                0 => Form::Whole,
                1 => Form::Before(base),
                2 => Form::Elsewhere(base),
                3 => Form::Deflated,
                _ => return None,
            },
            length: u64_at(bytes, 8),
        })
    }
}

/// What a thread takes at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) first: u32,
    pub(super) entries: u32,
    /// The lengths of its entries.
    pub(super) bytes: u64,
}

impl Chunk {
    const LEN: usize = 16;

    pub(super) fn encode(self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..4].copy_from_slice(&self.first.to_le_bytes());
        out[4..8].copy_from_slice(&self.entries.to_le_bytes());
        out[8..].copy_from_slice(&self.bytes.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8; Self::LEN]) -> Self {
        Self {
            first: u32_at(bytes, 0),
            entries: u32_at(bytes, 4),
            bytes: u64_at(bytes, 8),
        }
    }
}

/// What a layout amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) entries: u32,
    pub(super) chunks: u32,
    /// The lengths of all entries.
    pub(super) bytes: u64,
}

/// A layout, opened for reading; only the chunks are held in memory.
pub(super) struct Layout {
    file: Mutex<Box<dyn ReadAt>>,
    pub(super) chunks: Vec<Chunk>,
}

const MISFIT: BundleError = BundleError::Damaged("the stored plan does not fit the state");

impl Layout {
    /// Opens the layout in `file`, which amounts to `totals`.
    pub(super) fn open(file: impl ReadAt + 'static, totals: &Totals) -> Result<Self, BundleError> {
        let mut file: Box<dyn ReadAt> = Box::new(file);
        let entries = u64::from(totals.entries) * Entry::LEN as u64;
        let length = entries + u64::from(totals.chunks) * Chunk::LEN as u64;
        if file.seek(SeekFrom::End(0))? != length {
            return Err(MISFIT);
        }
        let mut bytes = vec![0; totals.chunks as usize * Chunk::LEN];
        read_at(&mut *file, &mut bytes, entries)?;
        let (rows, _) = bytes.as_chunks::<{ Chunk::LEN }>();
        let chunks: Vec<_> = rows.iter().map(Chunk::decode).collect();
        let mut next = 0;
        for chunk in &chunks {
            if chunk.first != next || chunk.entries == 0 {
                return Err(MISFIT);
            }
            next = chunk.first.checked_add(chunk.entries).ok_or(MISFIT)?;
        }
        if next != totals.entries {
            return Err(MISFIT);
        }
        Ok(Self {
            file: Mutex::new(file),
            chunks,
        })
    }

    /// The entries of a chunk.
    pub(super) fn entries(&self, chunk: usize) -> Result<Vec<Entry>, BundleError> {
        let chunk = self.chunks.get(chunk).ok_or(MISFIT)?;
        let mut bytes = vec![0; chunk.entries as usize * Entry::LEN];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let at = u64::from(chunk.first) * Entry::LEN as u64;
        read_at(&mut **file, &mut bytes, at)?;
        let (rows, _) = bytes.as_chunks::<{ Entry::LEN }>();
        let entries: Option<Vec<_>> = rows.iter().map(Entry::decode).collect();
        entries.ok_or(MISFIT)
    }

    /// The lengths of the entries of these chunks.
    pub(super) fn bytes(&self, chunks: Range<usize>) -> u64 {
        let chunks = self.chunks.get(chunks).unwrap_or_default();
        chunks.iter().map(|chunk| chunk.bytes).sum()
    }
}

fn read_at(file: &mut dyn ReadAt, out: &mut [u8], at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(out)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}
