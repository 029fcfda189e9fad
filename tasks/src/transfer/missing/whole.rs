//! Whether all that is there is whole, found out by a scan of all of it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use gix_hash::ObjectId;

use super::{MissingError, Start};
use crate::pack::{
    scan::{Scan, ScanError, Universe},
    source::{Oid, SourceList, Sources},
};

/// Whether everything that any object refers to is there and of the right kind, and the tips are
/// there too: then nothing is missing below them.
///
/// False says nothing about the tips: what is missing or damaged may be out of their reach.
pub(super) fn is_whole(
    objects: &Path,
    start: &Start,
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
    stopped: &AtomicBool,
) -> Result<bool, MissingError> {
    let scanned = scan(objects, start, threads, progress, stopped);
    if stopped.load(Relaxed) {
        return Err(MissingError::Stopped);
    }
    // What cannot be read may not be needed either, or is told better by the walk.
    Ok(scanned.unwrap_or(false))
}

fn scan(
    objects: &Path,
    start: &Start,
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
    stopped: &AtomicBool,
) -> Result<bool, ScanError> {
    let mut list = SourceList::find(objects)?;
    list.shallow = start.shallow.iter().filter_map(plain).collect();
    let universe = Universe::read(Arc::new(Sources::open(list, None)?))?;
    let there = |tip: &Oid| universe.catalog.find(&universe.sources, tip).is_some();
    if !start.tips.iter().filter_map(plain).all(|tip| there(&tip))
        || universe.shape.damaged().next().is_some()
    {
        return Ok(false);
    }
    let scan = Scan::without_names(&universe);
    let enough = |done| {
        progress(done);
        scan.has_faults()
    };
    let next = scan.run(&universe, 0, threads, stopped, &enough)?;
    Ok(next == scan.len() && !scan.has_faults())
}

fn plain(id: &ObjectId) -> Option<Oid> {
    match id {
        ObjectId::Sha1(id) => Some(*id),
        _ => None,
    }
}
