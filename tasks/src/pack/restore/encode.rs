//! Turns a unit into entries of a Git pack, and checks every object of it.

use std::sync::Arc;

use flate2::{Compress, Compression, FlushCompress};
use gix_hash::ObjectId;

use super::super::format::Kind;
use super::super::ordered::Ordered;
use super::RestoreError;
use super::objects::Bases;
use super::source::{Source, SourceEntry};

/// The zlib level of restored packs: the fastest one that still finds matches.
pub(super) const LEVEL: u32 = 1;

/// A unit's entries, deflated; only their headers are missing, which depend on offsets.
#[derive(Debug)]
pub struct Encoded {
    /// The unit.
    pub unit: usize,
    pub(super) entries: Vec<EncodedEntry>,
    pub(super) bytes: Vec<u8>,
    /// A single large object that the writer is to deflate piece by piece; `bytes` is empty.
    pub(super) streamed: bool,
}

/// An entry of [`Encoded`].
#[derive(Clone, Copy, Debug)]
pub(super) struct EncodedEntry {
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) base: Option<u32>,
    /// The end of its deflated payload.
    pub(super) end: usize,
}

/// Encodes units, one after the other; each thread has its own.
pub struct Encoder {
    source: Arc<Source>,
    bases: Bases,
    deflate: Compress,
    raw: Vec<u8>,
}

impl Encoder {
    /// An encoder of the units of `source`.
    pub fn new(source: Arc<Source>) -> Self {
        let deflate = Compress::new(Compression::new(LEVEL), true);
        Self {
            source,
            bases: Bases::new(),
            deflate,
            raw: Vec::new(),
        }
    }

    /// Encodes `unit`; every object in it is rebuilt, hashed and compared with the index.
    pub fn encode(&mut self, unit: usize) -> Result<Encoded, RestoreError> {
        let source = Arc::clone(&self.source);
        let (_, group) = source.unit(unit);
        let mut encoded = Encoded {
            unit,
            entries: Vec::with_capacity(group.entries as usize),
            bytes: Vec::new(),
            streamed: false,
        };
        if group.is_large() {
            let alone = source
                .entries(unit)
                .find(|entry| entry.base.is_none() && !source.is_base(entry.rank));
            if let Some(SourceEntry {
                kind, size, base, ..
            }) = alone
            {
                encoded.entries.push(EncodedEntry {
                    kind,
                    size,
                    base,
                    end: 0,
                });
                encoded.streamed = true;
                return Ok(encoded);
            }
        }
        let mut raw = std::mem::take(&mut self.raw);
        self.bases.read_unit(&source, unit, &mut raw)?;
        encoded.bytes.reserve(raw.len() / 2);
        let mut rest = raw.as_slice();
        for entry in source.entries(unit) {
            let size = usize::try_from(entry.size).unwrap_or(usize::MAX);
            // The groups were dealt out by these sizes when the index was opened.
            let (payload, behind) = rest.split_at(size.min(rest.len()));
            rest = behind;
            self.check(&entry, payload)?;
            self.deflate(payload, &mut encoded.bytes);
            encoded.entries.push(EncodedEntry {
                kind: entry.kind,
                size: entry.size,
                base: entry.base,
                end: encoded.bytes.len(),
            });
        }
        // A large unit's buffer is not kept for the small ones after it.
        self.raw = if group.is_large() { Vec::new() } else { raw };
        Ok(encoded)
    }

    fn check(&mut self, entry: &SourceEntry, payload: &[u8]) -> Result<(), RestoreError> {
        let source = &self.source;
        let expected = source.oid(entry.rank)?;
        let Some(base) = entry.base else {
            check_object(entry.kind, payload, expected)?;
            if source.is_base(entry.rank) {
                let copy = self.bases.copy(payload);
                self.bases.keep(entry, copy, None);
            }
            return Ok(());
        };
        let object = self
            .bases
            .rebuild(source, entry, base, payload, |_, _, _| {})?;
        check_object(entry.kind, &object, expected)?;
        if source.is_base(entry.rank) {
            self.bases.keep(entry, object, None);
        } else {
            self.bases.recycle(object);
        }
        Ok(())
    }

    fn deflate(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        self.deflate.reset();
        loop {
            let done = usize::try_from(self.deflate.total_in())
                .unwrap_or(payload.len())
                .min(payload.len());
            let rest = &payload[done..];
            // Incompressible bytes can grow by more than zlib's own bound at the fast levels.
            out.reserve(rest.len() + rest.len() / 4 + 128);
            match self.deflate.compress_vec(rest, out, FlushCompress::Finish) {
                Ok(flate2::Status::StreamEnd) => return,
                Ok(_) => {}
                Err(error) => unreachable!("deflate takes any bytes: {error}"),
            }
        }
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

/// Compares an object with its name.
pub(in crate::pack) fn check_object(
    kind: Kind,
    bytes: &[u8],
    expected: ObjectId,
) -> Result<(), RestoreError> {
    let mut hasher = object_hasher(kind, bytes.len() as u64);
    hasher.update(bytes);
    check_hash(hasher, expected)
}

/// A hasher that has seen the header of an object.
pub(in crate::pack) fn object_hasher(kind: Kind, size: u64) -> gix_hash::Hasher {
    let mut hasher = gix_hash::hasher(gix_hash::Kind::Sha1);
    hasher.update(&gix_object::encode::loose_header(kind.into(), size));
    hasher
}

pub(in crate::pack) fn check_hash(
    hasher: gix_hash::Hasher,
    expected: ObjectId,
) -> Result<(), RestoreError> {
    match hasher.try_finalize() {
        Ok(found) if found == expected => Ok(()),
        Ok(found) => Err(RestoreError::WrongObject { expected, found }),
        Err(_) => Err(RestoreError::Collision { oid: expected }),
    }
}

/// Encodes units in several threads and hands them out in order.
pub struct Units {
    ordered: Ordered<Result<Encoded, RestoreError>>,
}

impl Units {
    /// Starts on all units of `source` from `first` on.
    pub fn start(source: &Arc<Source>, first: usize, threads: usize) -> Self {
        let worker = || {
            let mut encoder = Encoder::new(Arc::clone(source));
            move |unit| encoder.encode(unit)
        };
        let threads = threads.max(1);
        Self {
            ordered: Ordered::start(first..source.units(), threads, threads * 2 + 2, worker),
        }
    }

    /// The next unit; `None` behind the last.
    pub fn next_unit(&mut self) -> Option<Result<Encoded, RestoreError>> {
        self.ordered.next()
    }
}

impl std::fmt::Debug for Units {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Units").finish_non_exhaustive()
    }
}
