//! Making one frame, or the frames of one large entry.

use super::EncodeError;
use crate::{
    compress::{Compressor as _, ZstdCompressor, ZstdSettings},
    pack::{
        plan::{PlanFile, PlannedEntry},
        source::{Catalog, Reader, Sources},
    },
};

/// A finished frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its number.
    pub number: u32,
    /// The zstd frame.
    pub stored: Box<[u8]>,
    /// Its length in the stream.
    pub raw: u32,
    /// How many entries are complete with this frame.
    pub entries: u32,
    /// The hash of `stored`.
    pub blake3: [u8; 32],
}

/// Makes frames; one for each thread.
pub(super) struct Encoder<'a> {
    plan: &'a PlanFile,
    reader: Reader<'a>,
    zstd: ZstdCompressor,
    raw: Vec<u8>,
    stored: Vec<u8>,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(
        plan: &'a PlanFile,
        sources: &'a Sources,
        catalog: &'a Catalog,
        zstd: ZstdSettings,
    ) -> Result<Self, EncodeError> {
        Ok(Self {
            plan,
            reader: Reader::new(sources, catalog),
            zstd: ZstdCompressor::with(zstd)?,
            raw: Vec::new(),
            stored: Vec::new(),
        })
    }

    /// Makes the frame `number`, which is no piece of a large entry. `None` when `stopped` says so.
    pub(super) fn frame(
        &mut self,
        number: u32,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Option<Frame>, EncodeError> {
        let planned = self.plan.frames[number as usize];
        let ranks = planned.first..planned.first + planned.entries;
        let mut raw = std::mem::take(&mut self.raw);
        raw.clear();
        raw.reserve_exact(planned.raw as usize);
        for entry in self.plan.entries(ranks)? {
            if stopped() {
                return Ok(None);
            }
            let start = raw.len();
            self.payload(&entry, &mut raw)?;
            if raw.len() - start != entry.size as usize {
                return Err(self
                    .reader
                    .damaged(entry.id, "its size is not the planned one")
                    .into());
            }
        }
        let frame = self.finish(number, &raw, planned.entries);
        self.raw = raw;
        frame.map(Some)
    }

    fn payload(&mut self, entry: &PlannedEntry, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if entry.base == 0 && self.reader.is_delta(entry.id)? {
            // Its base is not in the pack.
            let mut whole = Vec::new();
            self.reader.object(entry.id, &mut whole)?;
            out.extend_from_slice(&whole);
        } else {
            self.reader.payload(entry.id, out)?;
        }
        Ok(())
    }

    /// Makes the frames of a large entry, from the piece `number` on; `deliver` may end it.
    pub(super) fn large(
        &mut self,
        number: u32,
        deliver: &mut dyn FnMut(Frame) -> bool,
        stopped: &dyn Fn() -> bool,
    ) -> Result<(), EncodeError> {
        let planned = self.plan.frames[number as usize];
        let ranks = planned.first..planned.first + 1;
        let entry = self.plan.entries(ranks)?[0];
        let size = self.plan.size_of(planned.first, &entry);
        let piece = self.plan.frame_size as usize;
        if entry.base == 0 && self.reader.is_delta(entry.id)? {
            let mut whole = Vec::new();
            self.reader.object(entry.id, &mut whole)?;
            if whole.len() as u64 != size {
                return Err(self
                    .reader
                    .damaged(entry.id, "its size is not the planned one")
                    .into());
            }
            let rest = whole.chunks(piece).skip(piece_number(planned.from, piece));
            for (number, raw) in (number..).zip(rest) {
                let last = u32::from(number_of_last(self.plan, number));
                let frame = self.finish(number, raw, last)?;
                if stopped() || !deliver(frame) {
                    break;
                }
            }
            return Ok(());
        }
        let (mut number, mut failed) = (number, None);
        // The reader and the compressor are both needed while a piece is delivered.
        let (plan, zstd, stored) = (self.plan, &mut self.zstd, &mut self.stored);
        self.reader
            .stream(entry.id, size, planned.from, piece, stopped, &mut |raw| {
                let last = u32::from(number_of_last(plan, number));
                match finish(zstd, stored, number, raw, last) {
                    Ok(frame) => {
                        number += 1;
                        deliver(frame)
                    }
                    Err(error) => {
                        failed = Some(error);
                        false
                    }
                }
            })?;
        failed.map_or(Ok(()), Err)
    }

    fn finish(&mut self, number: u32, raw: &[u8], entries: u32) -> Result<Frame, EncodeError> {
        finish(&mut self.zstd, &mut self.stored, number, raw, entries)
    }
}

/// Whether the large entry of frame `number` ends with it.
fn number_of_last(plan: &PlanFile, number: u32) -> bool {
    let next = plan.frames.get(number as usize + 1);
    next.is_none_or(|next| next.first != plan.frames[number as usize].first)
}

fn piece_number(from: u64, piece: usize) -> usize {
    usize::try_from(from / piece as u64).expect("an object in memory has fewer pieces")
}

fn finish(
    zstd: &mut ZstdCompressor,
    stored: &mut Vec<u8>,
    number: u32,
    raw: &[u8],
    entries: u32,
) -> Result<Frame, EncodeError> {
    zstd.compress(raw, stored)?;
    Ok(Frame {
        number,
        raw: u32::try_from(raw.len()).expect("at most the frame size"),
        entries,
        blake3: *blake3::hash(stored).as_bytes(),
        stored: stored.as_slice().into(),
    })
}
