//! Making the plan from the order.

use std::io::Write;

use super::{
    PlanError,
    file::{HEADER_LEN, PlannedEntry, PlannedFrame, encode_external, write_header},
    order::order,
};
use crate::pack::{
    scan::{Reach, Set, Universe},
    source::{Kind, NONE, Reader},
};

/// What a plan amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanSummary {
    /// The number of entries, one for each object.
    pub entries: u32,
    /// The number of frames.
    pub frames: u32,
    /// The length of the stream.
    pub stream: u64,
}

/// Writes the plan for what `reach` holds to `out`, and says what it amounts to.
///
/// A delta whose base is not planned stays a delta where `held`, what older layers have, has the
/// base; otherwise it becomes whole.
///
/// Once `stopped` is true it ends with [`PlanError::Stopped`], and nothing is written.
pub fn write_plan(
    universe: &Universe,
    reach: &Reach,
    held: Option<&Set>,
    frame_size: u32,
    out: &mut impl Write,
    stopped: &dyn Fn() -> bool,
) -> Result<PlanSummary, PlanError> {
    let order = order(universe, reach);
    let entries = u32::try_from(order.len()).map_err(|_| PlanError::TooLarge)?;
    let mut ranks = vec![NONE; universe.catalog.len() as usize];
    for (rank, id) in (0..).zip(&order) {
        ranks[*id as usize] = rank;
    }
    let mut reader = Reader::new(&universe.sources, &universe.catalog);
    let mut cutter = Cutter::new(frame_size);
    let mut body = Vec::with_capacity(order.len() * PlannedEntry::LEN);
    let mut externals = Vec::new();
    for (rank, &id) in (0..).zip(&order) {
        if rank % 4096 == 0 && stopped() {
            return Err(PlanError::Stopped);
        }
        let (base, size) = match universe.shape.base(id) {
            None => (0, universe.shape.size(id)),
            Some(base) if reach.has(base) => {
                // A base's rank is smaller: its delta tree follows it.
                (rank - ranks[base as usize] + 1, universe.shape.size(id))
            }
            Some(base) if held.is_some_and(|held| held.has(base)) => {
                externals.push((rank, base));
                (PlannedEntry::EXTERNAL, universe.shape.size(id))
            }
            Some(_) => (0, reader.size_after_delta(id)?),
        };
        let entry = PlannedEntry {
            id,
            base,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            kind: universe.shape.kind(id).number(),
        };
        body.extend(entry.encode());
        cutter.entry(rank, universe.shape.kind(id), size)?;
    }
    let (frames, stream) = cutter.finish();
    let summary = PlanSummary {
        entries,
        frames: u32::try_from(frames.len()).map_err(|_| PlanError::TooLarge)?,
        stream,
    };
    let mut header = [0; HEADER_LEN];
    write_header(&mut header, &summary, frame_size, externals.len());
    out.write_all(&header)?;
    out.write_all(&body)?;
    for frame in frames {
        out.write_all(&frame.encode())?;
    }
    for (rank, base) in externals {
        out.write_all(&encode_external(rank, base))?;
    }
    Ok(summary)
}

/// Cuts the stream into frames.
struct Cutter {
    size: u64,
    frames: Vec<PlannedFrame>,
    open: PlannedFrame,
    stream: u64,
}

impl Cutter {
    fn new(frame_size: u32) -> Self {
        Self {
            size: u64::from(frame_size),
            frames: Vec::new(),
            open: PlannedFrame::default(),
            stream: 0,
        }
    }

    fn entry(&mut self, rank: u32, kind: Kind, size: u64) -> Result<(), PlanError> {
        self.stream = self.stream.checked_add(size).ok_or(PlanError::TooLarge)?;
        let kind = kind.number();
        let open = u64::from(self.open.raw);
        if open > 0 && (kind != self.open.kind || open + size > self.size) {
            self.close(rank);
        }
        if size > self.size {
            self.large(rank, kind, size)?;
        } else {
            // Empty entries take part in a frame, but do not begin one.
            self.open.kind = kind;
            self.open.raw += u32::try_from(size).map_err(|_| PlanError::TooLarge)?;
            self.open.entries += 1;
        }
        Ok(())
    }

    fn large(&mut self, rank: u32, kind: u8, size: u64) -> Result<(), PlanError> {
        let mut from = 0;
        while from < size {
            let raw = (size - from).min(self.size);
            self.frames.push(PlannedFrame {
                first: rank,
                entries: 1,
                from,
                raw: u32::try_from(raw).map_err(|_| PlanError::TooLarge)?,
                kind,
                large: true,
            });
            from += raw;
        }
        self.open = PlannedFrame {
            first: rank + 1,
            ..PlannedFrame::default()
        };
        Ok(())
    }

    fn close(&mut self, next: u32) {
        let fresh = PlannedFrame {
            first: next,
            ..PlannedFrame::default()
        };
        self.frames.push(std::mem::replace(&mut self.open, fresh));
    }

    fn finish(mut self) -> (Vec<PlannedFrame>, u64) {
        if self.open.raw > 0 {
            self.close(NONE);
        }
        (self.frames, self.stream)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]
    use super::*;

    /// The frames for entries of these kinds and sizes, as `(first, entries, from, raw)`.
    fn cut(entries: &[(Kind, u64)]) -> Vec<(u32, u32, u64, u32)> {
        let mut cutter = Cutter::new(100);
        for (rank, (kind, size)) in (0..).zip(entries) {
            cutter.entry(rank, *kind, *size).unwrap();
        }
        let (frames, stream) = cutter.finish();
        assert_eq!(stream, entries.iter().map(|(_, size)| size).sum::<u64>());
        assert_eq!(stream, frames.iter().map(|f| u64::from(f.raw)).sum::<u64>());
        let row = |f: &PlannedFrame| (f.first, f.entries, f.from, f.raw);
        frames.iter().map(row).collect()
    }

    #[test]
    fn frames_are_cut_before_they_overflow_and_where_the_kind_changes() {
        use Kind::{Blob, Commit, Tree};
        let entries = [
            (Commit, 40),
            (Commit, 60),
            (Commit, 1),
            (Tree, 5),
            (Blob, 100),
            (Blob, 1),
        ];
        assert_eq!(
            cut(&entries),
            [
                (0, 2, 0, 100),
                (2, 1, 0, 1),
                (3, 1, 0, 5),
                (4, 1, 0, 100),
                (5, 1, 0, 1)
            ]
        );
    }

    #[test]
    fn a_large_entry_has_its_frames_to_itself() {
        use Kind::Blob;
        assert_eq!(
            cut(&[(Blob, 7), (Blob, 250), (Blob, 8)]),
            [
                (0, 1, 0, 7),
                (1, 1, 0, 100),
                (1, 1, 100, 100),
                (1, 1, 200, 50),
                (2, 1, 0, 8)
            ]
        );
    }

    #[test]
    fn empty_entries_never_make_a_frame() {
        use Kind::{Blob, Tree};
        assert_eq!(cut(&[(Tree, 0), (Blob, 0)]), []);
        assert_eq!(cut(&[(Tree, 0), (Blob, 3), (Blob, 0)]), [(0, 3, 0, 3)]);
        assert_eq!(
            cut(&[(Blob, 101), (Blob, 0)]),
            [(0, 1, 0, 100), (0, 1, 100, 1)]
        );
        assert_eq!(cut(&[]), []);
    }
}
