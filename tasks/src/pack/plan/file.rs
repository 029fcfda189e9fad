//! The plan as a file, of which only the frames are held in memory.

use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::{Mutex, PoisonError},
};

use super::{PlanError, PlanSummary};
use crate::pack::{format, source::Kind};

pub(super) const HEADER_LEN: usize = 40;
const MAGIC: [u8; 8] = *b"mugplan1";

/// An entry of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedEntry {
    /// The object's number.
    pub id: u32,
    /// 0 for a whole object, [`EXTERNAL`](Self::EXTERNAL) for a base in an older layer; otherwise one
    /// more than how many entries before its base comes.
    pub base: u32,
    /// The entry's size; `u32::MAX` also for all larger ones, whose frames tell it.
    pub size: u32,
    /// The number of the object's kind.
    pub kind: u8,
}

impl PlannedEntry {
    /// The base lies in an older layer.
    pub const EXTERNAL: u32 = 1;

    pub(super) const LEN: usize = 13;

    pub(super) fn encode(self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..4].copy_from_slice(&self.id.to_le_bytes());
        out[4..8].copy_from_slice(&self.base.to_le_bytes());
        out[8..12].copy_from_slice(&self.size.to_le_bytes());
        out[12] = self.kind;
        out
    }

    fn decode(bytes: [u8; Self::LEN]) -> Self {
        Self {
            id: u32_at(&bytes, 0),
            base: u32_at(&bytes, 4),
            size: u32_at(&bytes, 8),
            kind: bytes[12],
        }
    }
}

/// A frame of the stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlannedFrame {
    /// The rank of its first entry.
    pub first: u32,
    /// The number of entries in it; 1 for a piece of a large entry.
    pub entries: u32,
    /// For a piece of a large entry where in the entry it begins.
    pub from: u64,
    /// Its length in the stream.
    pub raw: u32,
    /// The number of the kind of its objects.
    pub kind: u8,
    /// Whether it is a piece of a large entry.
    pub large: bool,
}

impl PlannedFrame {
    const LEN: usize = 24;

    pub(super) fn encode(self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..4].copy_from_slice(&self.first.to_le_bytes());
        out[4..8].copy_from_slice(&self.entries.to_le_bytes());
        out[8..16].copy_from_slice(&self.from.to_le_bytes());
        out[16..20].copy_from_slice(&self.raw.to_le_bytes());
        out[20] = self.kind;
        out[21] = u8::from(self.large);
        out
    }

    fn decode(bytes: [u8; Self::LEN]) -> Self {
        Self {
            first: u32_at(&bytes, 0),
            entries: u32_at(&bytes, 4),
            from: u64_at(&bytes, 8),
            raw: u32_at(&bytes, 16),
            kind: bytes[20],
            large: bytes[21] != 0,
        }
    }
}

const EXTERNAL_LEN: usize = 8;

/// The rank of an entry, and the number of its base.
pub(super) fn encode_external(rank: u32, base: u32) -> [u8; EXTERNAL_LEN] {
    let mut out = [0; EXTERNAL_LEN];
    out[..4].copy_from_slice(&rank.to_le_bytes());
    out[4..].copy_from_slice(&base.to_le_bytes());
    out
}

pub(super) fn write_header(
    out: &mut [u8; HEADER_LEN],
    summary: &PlanSummary,
    frame_size: u32,
    externals: usize,
) {
    let externals = u32::try_from(externals).expect("fewer than there are entries");
    out[..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&summary.entries.to_le_bytes());
    out[12..16].copy_from_slice(&summary.frames.to_le_bytes());
    out[16..24].copy_from_slice(&summary.stream.to_le_bytes());
    out[24..28].copy_from_slice(&frame_size.to_le_bytes());
    out[28..32].copy_from_slice(&externals.to_le_bytes());
}

/// What a plan can be read from.
pub trait ReadAt: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadAt for T {}

/// A plan, opened for reading.
pub struct PlanFile {
    file: Mutex<Box<dyn ReadAt>>,
    /// What the plan amounts to.
    pub summary: PlanSummary,
    /// The length of a full frame in the stream.
    pub frame_size: u32,
    /// The frames.
    pub frames: Vec<PlannedFrame>,
    /// The entries with bases in older layers, by rank, with the numbers of these bases.
    externals: Vec<(u32, u32)>,
}

impl PlanFile {
    /// Opens the plan in `file`, and checks that its frames fit its entries and each other.
    pub fn open(file: impl ReadAt + 'static) -> Result<Self, PlanError> {
        let mut file: Box<dyn ReadAt> = Box::new(file);
        let mut header = [0; HEADER_LEN];
        read_at(&mut *file, &mut header, 0)?;
        if header[..8] != MAGIC {
            return Err(PlanError::Damaged("it is not a plan"));
        }
        let summary = PlanSummary {
            entries: u32_at(&header, 8),
            frames: u32_at(&header, 12),
            stream: u64_at(&header, 16),
        };
        let frame_size = u32_at(&header, 24);
        let externals = u32_at(&header, 28);
        let entries_end = entry_offset(summary.entries);
        let frames_end = entries_end + u64::from(summary.frames) * PlannedFrame::LEN as u64;
        let length = frames_end + u64::from(externals) * EXTERNAL_LEN as u64;
        if file.seek(SeekFrom::End(0))? != length {
            return Err(PlanError::Damaged("it has not the length it states"));
        }
        let mut bytes = vec![0; summary.frames as usize * PlannedFrame::LEN];
        read_at(&mut *file, &mut bytes, entries_end)?;
        let (rows, _) = bytes.as_chunks::<{ PlannedFrame::LEN }>();
        let frames: Vec<_> = rows.iter().map(|row| PlannedFrame::decode(*row)).collect();
        let mut bytes = vec![0; externals as usize * EXTERNAL_LEN];
        read_at(&mut *file, &mut bytes, frames_end)?;
        let (rows, _) = bytes.as_chunks::<EXTERNAL_LEN>();
        let externals = rows.iter().map(|row| (u32_at(row, 0), u32_at(row, 4)));
        let fits = |frame: &PlannedFrame| {
            frame.raw > 0
                && frame.raw <= frame_size
                && u64::from(frame.first) + u64::from(frame.entries) <= u64::from(summary.entries)
                && Kind::from_number(frame.kind).is_some()
        };
        let stream: u64 = frames.iter().map(|frame| u64::from(frame.raw)).sum();
        if frame_size > format::MAX_FRAME_SIZE
            || !frames.iter().all(fits)
            || stream != summary.stream
        {
            return Err(PlanError::Damaged("its frames do not fit its entries"));
        }
        Ok(Self {
            file: Mutex::new(file),
            summary,
            frame_size,
            frames,
            externals: externals.collect(),
        })
    }

    /// The number of the base, in an older layer, of the entry of this rank.
    pub fn external(&self, rank: u32) -> Option<u32> {
        let at = self.externals.binary_search_by_key(&rank, |row| row.0);
        at.ok().map(|at| self.externals[at].1)
    }

    /// The entries of the given ranks.
    pub fn entries(&self, ranks: std::ops::Range<u32>) -> Result<Vec<PlannedEntry>, PlanError> {
        let ranks = ranks.start..ranks.end.min(self.summary.entries);
        let mut bytes = vec![0; ranks.len() * PlannedEntry::LEN];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        read_at(&mut **file, &mut bytes, entry_offset(ranks.start))?;
        let (rows, _) = bytes.as_chunks::<{ PlannedEntry::LEN }>();
        Ok(rows.iter().map(|row| PlannedEntry::decode(*row)).collect())
    }

    /// The size of the entry of this rank, also where 32 bits do not hold it.
    pub fn size_of(&self, rank: u32, entry: &PlannedEntry) -> u64 {
        if entry.size < u32::MAX {
            return u64::from(entry.size);
        }
        let first = self.frames.partition_point(|frame| frame.first < rank);
        self.frames[first..]
            .iter()
            .take_while(|frame| frame.first == rank)
            .map(|frame| u64::from(frame.raw))
            .sum()
    }
}

fn read_at(file: &mut dyn ReadAt, out: &mut [u8], at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(out)
}

fn entry_offset(rank: u32) -> u64 {
    HEADER_LEN as u64 + u64::from(rank) * PlannedEntry::LEN as u64
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}
