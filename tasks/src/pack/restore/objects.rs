//! Rebuilds objects from payloads: the chain of bases that the present entry stands on.
//!
//! Entries come depth first, so the base of an entry is nearly always among the last rebuilt
//! objects that are its ancestors. They are kept as a stack, within a budget; what fell off it, or
//! lies in another unit or layer, is rebuilt from its frames.

use super::super::delta;
use super::super::format::{FrameReader, Kind};
use super::RestoreError;
use super::source::{NOWHERE, Source, SourceEntry};

const TOO_LARGE: &str = "it has more than 2 GiB, which is too much to rebuild in memory";
/// The largest object that is rebuilt in memory. Git makes no deltas of files this large by default.
const LARGEST: u64 = 2 << 30;
/// The bytes of rebuilt bases that a thread keeps.
const STACK_BYTES: usize = 48 << 20;
/// The bytes of other units that a thread keeps.
const UNIT_BYTES: usize = 24 << 20;

/// Why an object can't be rebuilt although nothing is wrong with its own frame.
pub(in crate::pack) const BASE_LOST: &str = "the frame of a base of it can't be read";

/// The bases of one thread. With each goes a note, if whoever rebuilds them wants one.
pub(in crate::pack) struct Bases<N = ()> {
    reader: FrameReader,
    stack: Vec<Object<N>>,
    /// Units that bases were read from, the latest last.
    units: Vec<(usize, Vec<u8>)>,
    /// Units that can't be read: once is enough to find that out.
    lost: Vec<usize>,
    /// Buffers to use again.
    spare: Vec<Vec<u8>>,
}

/// A rebuilt object; the bytes are gone if the budget took them.
struct Object<N> {
    rank: u32,
    kind: Kind,
    bytes: Option<Vec<u8>>,
    note: Option<N>,
}

impl<N> Bases<N> {
    pub(in crate::pack) fn new() -> Self {
        Self {
            reader: FrameReader::new(),
            stack: Vec::new(),
            units: Vec::new(),
            lost: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Reads all frames of `unit` into `raw`.
    pub(in crate::pack) fn read_unit(
        &mut self,
        source: &Source,
        unit: usize,
        raw: &mut Vec<u8>,
    ) -> Result<(), RestoreError> {
        let (layer, group) = source.unit(unit);
        raw.clear();
        // A few frames can claim to hold any number of bytes.
        if group.is_large() && group.bytes > LARGEST {
            return Err(delta_error(source, source.first_rank(unit), TOO_LARGE));
        }
        let first = group.first_frame as usize;
        for frame in &layer.index().frames()[first..first + group.frames as usize] {
            self.reader.read(layer, frame, raw)?;
        }
        Ok(())
    }

    /// The object that the delta `payload` of `entry` makes of its base `base`, in a buffer that is
    /// to be given to [`keep`](Self::keep) or [`recycle`](Self::recycle). `copied` is told of each
    /// range that was taken over from the base.
    pub(in crate::pack) fn rebuild(
        &mut self,
        source: &Source,
        entry: &SourceEntry,
        base: u32,
        payload: &[u8],
        copied: impl FnMut(usize, usize, usize),
    ) -> Result<Vec<u8>, RestoreError> {
        let base = self.find(source, base)?;
        let mut out = self.spare.pop().unwrap_or_default();
        let object = &self.stack[base];
        if object.kind != entry.kind {
            return Err(RestoreError::WrongKind {
                oid: source.oid(entry.rank)?,
            });
        }
        let bytes = object.bytes.as_deref().unwrap_or_default();
        match rebuild(bytes, payload, &mut out, copied) {
            Ok(()) => Ok(out),
            Err(error) => Err(delta_error(source, entry.rank, error)),
        }
    }

    /// The note on the base that was asked for last; none if it was rebuilt without one.
    pub(in crate::pack) fn note(&self) -> Option<&N> {
        self.stack.last()?.note.as_ref()
    }

    /// Keeps an object, rebuilt on top of the last base that was asked for, as the base of what
    /// follows, with a note.
    pub(in crate::pack) fn keep(&mut self, entry: &SourceEntry, bytes: Vec<u8>, note: Option<N>) {
        if entry.base.is_none() {
            self.clear();
        }
        self.push(entry, bytes, note);
    }

    /// A buffer that is not needed any more.
    pub(in crate::pack) fn recycle(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < 4 && bytes.capacity() <= 4 << 20 {
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    /// A buffer with a copy of `bytes`.
    pub(in crate::pack) fn copy(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(bytes);
        copy
    }

    /// Puts the object `rank` on top of the stack and gives its place.
    fn find(&mut self, source: &Source, rank: u32) -> Result<usize, RestoreError> {
        let at = self.stack.iter().rposition(|object| object.rank == rank);
        if let Some(at) = at.filter(|at| self.stack[*at].bytes.is_some()) {
            while self.stack.len() > at + 1 {
                self.pop();
            }
            return Ok(at);
        }
        self.clear();
        if rank == NOWHERE {
            return Err(RestoreError::NoBase);
        }
        let mut chain = vec![rank];
        let mut next = Some(rank);
        while let Some(rank) = next {
            next = Self::locate(source, rank)?.0.base;
            if next == Some(NOWHERE) {
                return Err(RestoreError::NoBase);
            }
            chain.extend(next);
        }
        for rank in chain.into_iter().rev() {
            let (entry, range) = Self::locate(source, rank)?;
            if entry.size > LARGEST {
                return Err(delta_error(source, rank, TOO_LARGE));
            }
            let mut out = self.spare.pop().unwrap_or_default();
            out.clear();
            let unit = self.load(source, rank)?;
            let payload = &self.units[unit].1[range];
            match self.stack.last() {
                Some(base) if entry.base.is_some() => {
                    if base.kind != entry.kind {
                        return Err(RestoreError::WrongKind {
                            oid: source.oid(rank)?,
                        });
                    }
                    let bytes = base.bytes.as_deref().unwrap_or_default();
                    rebuild(bytes, payload, &mut out, |_, _, _| {})
                        .map_err(|error| delta_error(source, rank, error))?;
                }
                _ => out.extend_from_slice(payload),
            }
            self.push(&entry, out, None);
        }
        Ok(self.stack.len() - 1)
    }

    /// The entry `rank` and where its payload is in its unit.
    fn locate(
        source: &Source,
        rank: u32,
    ) -> Result<(SourceEntry, std::ops::Range<usize>), RestoreError> {
        let mut start = 0;
        for entry in source.entries(source.unit_of(rank)) {
            let size = usize::try_from(entry.size);
            let size = size.map_err(|_| delta_error(source, rank, TOO_LARGE))?;
            if entry.rank == rank {
                return Ok((entry, start..start + size));
            }
            start += size;
        }
        Err(RestoreError::MissingBase {
            base: source.oid(rank)?,
        })
    }

    /// The place of the unit of `rank` among the kept units.
    fn load(&mut self, source: &Source, rank: u32) -> Result<usize, RestoreError> {
        let unit = source.unit_of(rank);
        if self.lost.contains(&unit) {
            return Err(delta_error(source, rank, BASE_LOST));
        }
        if let Some(at) = self.units.iter().position(|(kept, _)| *kept == unit) {
            let kept = self.units.remove(at);
            self.units.push(kept);
        } else {
            let coming = usize::try_from(source.unit(unit).1.bytes).unwrap_or(usize::MAX);
            let mut kept = coming.saturating_add(self.units.iter().map(|(_, raw)| raw.len()).sum());
            let mut raw = Vec::new();
            while kept > UNIT_BYTES && !self.units.is_empty() {
                raw = self.units.remove(0).1;
                kept -= raw.len();
            }
            if let Err(error) = self.read_unit(source, unit, &mut raw) {
                self.lost.push(unit);
                return Err(error);
            }
            self.units.push((unit, raw));
        }
        Ok(self.units.len() - 1)
    }

    fn push(&mut self, entry: &SourceEntry, bytes: Vec<u8>, note: Option<N>) {
        self.stack.push(Object {
            rank: entry.rank,
            kind: entry.kind,
            bytes: Some(bytes),
            note,
        });
        let mut kept: usize = self
            .stack
            .iter()
            .filter_map(|object| Some(object.bytes.as_ref()?.len()))
            .sum();
        // The top is the base of what comes next; the bottom is needed again last.
        let last = self.stack.len() - 1;
        for object in &mut self.stack[..last] {
            if kept <= STACK_BYTES {
                break;
            }
            kept -= object.bytes.take().map_or(0, |bytes| bytes.len());
            object.note = None;
        }
    }

    fn pop(&mut self) {
        if let Some(bytes) = self.stack.pop().and_then(|object| object.bytes) {
            self.recycle(bytes);
        }
    }

    fn clear(&mut self) {
        while !self.stack.is_empty() {
            self.pop();
        }
    }
}

/// Replaces `out` by what `delta` makes of `base`.
fn rebuild(
    base: &[u8],
    delta: &[u8],
    out: &mut Vec<u8>,
    copied: impl FnMut(usize, usize, usize),
) -> Result<(), &'static str> {
    out.clear();
    // Before memory is taken for it.
    if delta::sizes(delta)?.1 > LARGEST {
        return Err(TOO_LARGE);
    }
    delta::apply(base, delta, out, copied)
}

fn delta_error(source: &Source, rank: u32, reason: &'static str) -> RestoreError {
    match source.oid(rank) {
        Ok(oid) => RestoreError::Delta { oid, reason },
        Err(error) => error.into(),
    }
}
