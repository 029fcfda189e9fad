//! Scanning commits, tags and trees, slice by slice.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use resume_runtime::{Blocking, Resumable, StepError};
use serde::{Deserialize, Serialize};

use super::{Found, SCAN, read, sources};
use crate::pack::{
    scan::{Scan, ScanError, Universe},
    source::SourceError,
};

/// The first slice of a process; each is twice as long as the one before.
///
/// A slice costs the time and space of its export. Short ones at first let a process that does not
/// live long leave something behind; long ones later keep the cost small.
pub(crate) const FIRST_SLICE: Duration = Duration::from_millis(150);
const LONGEST_SLICE: Duration = Duration::from_secs(2);

/// How far the scan is.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// The first delta tree that is not in the exported slices.
    #[serde(rename = "cursor")]
    next: u64,
    /// The number of objects in them.
    objects: u64,
}

impl Cursor {
    /// Whether nothing is in the exported slices.
    pub(crate) const fn is_start(self) -> bool {
        self.next == 0
    }
}

/// How to scan.
#[derive(Clone, Copy)]
pub(crate) struct How {
    pub(crate) threads: usize,
    /// How long the first slice of this process is.
    pub(crate) first: Duration,
    /// A scan that has not begun: with names, or without.
    pub(crate) begin: fn(&Universe) -> Scan,
}

/// The objects, and what was found and not exported: what a process keeps from slice to slice.
pub(crate) struct Scanned {
    universe: Universe,
    scan: Scan,
    slice: Duration,
}

/// What a slice comes to.
pub(crate) enum Slice {
    /// There is more to scan.
    More(Cursor),
    /// All is scanned; whether that is in the exported slices, not only in this process's memory.
    Complete(bool),
}

/// Scans on from `cursor`, in a process that has found `local` before, if anything.
pub(crate) fn slice<M: Resumable>(
    b: &mut Blocking<M>,
    local: Option<Scanned>,
    mut cursor: Cursor,
    how: How,
) -> Found<(Scanned, Slice), ScanError> {
    let mut local = match local {
        Some(local) => local,
        None => match universe(b)? {
            Ok(universe) => Scanned {
                scan: (how.begin)(&universe),
                universe,
                slice: how.first,
            },
            Err(error) => return Ok(Err(error.into())),
        },
    };
    let total = Scan::objects(&local.universe);
    let (start, before, progress) = (Instant::now(), cursor.objects, b.progress().clone());
    progress.set_bytes(0, None);
    let scanned_now = AtomicU64::new(0);
    let enough = |done| {
        scanned_now.fetch_max(done, Ordering::Relaxed);
        progress.set_items(before + done, Some(total));
        start.elapsed() >= local.slice
    };
    let from = cursor.next;
    let scanned = local
        .scan
        .run(&local.universe, from, how.threads, b.interrupt(), &enough);
    match scanned {
        Ok(next) => cursor.next = next,
        Err(error) => return Ok(Err(error)),
    }
    cursor.objects += scanned_now.into_inner();
    let complete = cursor.next == local.scan.len();
    // A scan that is complete within one slice stays in memory: it is not worth writing.
    let exported = !(complete && from == 0);
    if exported {
        let mut bytes = Vec::new();
        local.scan.export(&mut bytes);
        b.append_file(SCAN)?.append(&bytes)?;
    }
    local.slice = LONGEST_SLICE.min(2 * local.slice);
    let slice = if complete {
        Slice::Complete(exported)
    } else {
        Slice::More(cursor)
    };
    Ok(Ok((local, slice)))
}

/// The objects and the complete scan; none where only a process that is gone had it in memory.
pub(crate) fn scanned<M: Resumable>(
    b: &mut Blocking<M>,
    local: Option<Scanned>,
    exported: bool,
    how: How,
) -> Found<Option<(Universe, Scan)>, ScanError> {
    if !exported {
        return Ok(Ok(local.map(|local| (local.universe, local.scan))));
    }
    let universe = match local {
        Some(local) => local.universe,
        None => match universe(b)? {
            Ok(universe) => universe,
            Err(error) => return Ok(Err(error.into())),
        },
    };
    let slices = read(b, SCAN)?;
    let scan = (how.begin)(&universe);
    Ok(scan.absorb(&slices).map(|()| Some((universe, scan))))
}

/// The objects of the sources.
fn universe<M: Resumable>(b: &mut Blocking<M>) -> Result<Result<Universe, SourceError>, StepError> {
    Ok(sources(b)?.and_then(Universe::read))
}
