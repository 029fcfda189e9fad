//! Resolving deltas: which object each of them makes.
//!
//! From each whole object, all that is made of it, directly or along a chain, is made in one go:
//! depth first, each base once. Threads take whole objects in the pack's order. A delta that names
//! its base by id waits until an object of that id is met, wherever in the pack it is. What then
//! still waits has its base outside of the pack, or nowhere.
//!
//! An object's id is computed from its content. So a damaged pack, or one that lies, never makes an
//! object pass for another; all that it can do is to make one that nobody asked for.

mod outside;
mod tree;
mod worker;

use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
};

use super::{ReceiveError, table::Link, table::Table, table::UNKNOWN};
use crate::pack::source::{Kind, Oid};
pub(super) use outside::Outside;
use tree::Tree;
use worker::Worker;

/// What became of the deltas of a pack; the ids of the objects are in its table.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// The objects that deltas of the pack are made from and that lie outside, in the order of
    /// their ids.
    pub(super) outside: Vec<Oid>,
    /// What was the first thing to go wrong with a delta.
    pub(super) failed: Option<ReceiveError>,
    /// The deltas that make no object.
    pub(super) left: u64,
}

/// How resolving goes about.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    pub(super) threads: usize,
    /// Told of how many deltas are resolved.
    pub(super) progress: &'a (dyn Fn(u64) + Sync),
    pub(super) stopped: &'a AtomicBool,
}

/// What the threads share.
struct Shared<'a> {
    raw: &'a gix_pack::data::File,
    table: &'a Table,
    tree: Tree,
    how: How<'a>,
    results: Mutex<Results>,
    next: AtomicUsize,
}

struct Results {
    oids: Vec<Oid>,
    done: u64,
    outside: Vec<Oid>,
    failed: Option<ReceiveError>,
}

/// What the deltas of one tree stand on.
enum Root {
    Entry(u32, Kind),
    Outside(Oid),
}

/// Resolves the deltas of `table`, whose bytes are in `raw`; bases outside of the pack are looked up
/// in the object directory `objects`.
pub(super) fn resolve(
    raw: &gix_pack::data::File,
    table: &mut Table,
    objects: &Path,
    how: How<'_>,
) -> Result<Resolved, ReceiveError> {
    let oids = std::mem::take(&mut table.oids);
    let tree = Tree::of(table);
    let roots: Vec<Root> = (0..table.len())
        .filter_map(|entry| match table.link(entry) {
            Link::Whole(kind) if tree.may_have_children(entry) => Some(Root::Entry(entry, kind)),
            _ => None,
        })
        .collect();
    let results = Results {
        oids,
        done: 0,
        outside: Vec::new(),
        failed: None,
    };
    let shared = Shared {
        raw,
        table,
        tree,
        how,
        results: Mutex::new(results),
        next: AtomicUsize::new(0),
    };
    let mut ended = shared.run(&roots, None);
    let waiting = shared.tree.waiting();
    if ended.is_ok() && !waiting.is_empty() {
        let roots: Vec<Root> = waiting.into_iter().map(Root::Outside).collect();
        shared.next.store(0, SeqCst);
        ended = shared.run(&roots, Some(objects));
    }
    let results = shared.results.into_inner();
    let mut results = results.unwrap_or_else(PoisonError::into_inner);
    table.oids = results.oids;
    ended?;
    results.outside.sort_unstable();
    let left = table.oids.iter().filter(|oid| **oid == UNKNOWN).count();
    Ok(Resolved {
        outside: results.outside,
        failed: results.failed,
        left: left as u64,
    })
}

impl Shared<'_> {
    /// Goes through `roots` on all threads.
    fn run(&self, roots: &[Root], objects: Option<&Path>) -> Result<(), ReceiveError> {
        let work = || -> Result<(), ReceiveError> {
            let outside = objects.map(Outside::open).transpose()?;
            let mut worker = Worker::new(self, outside);
            while let Some(root) = roots.get(self.next.fetch_add(1, Relaxed)) {
                worker.grow(root)?;
            }
            worker.hand_over();
            Ok(())
        };
        let more = self.how.threads.clamp(1, roots.len().max(1)) - 1;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..more)
                .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok())
                .collect();
            let own = work();
            let others = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            others.fold(own, |ended, other| {
                ended.and(other.unwrap_or(Err(ReceiveError::Panicked)))
            })
        })
    }

    /// Takes what a thread has found out.
    fn take(&self, found: &mut Vec<(u32, Oid)>) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        for (entry, oid) in found.drain(..) {
            results.done += u64::from(results.oids[entry as usize] == UNKNOWN);
            results.oids[entry as usize] = oid;
        }
        let done = results.done;
        drop(results);
        (self.how.progress)(done);
    }

    fn oid(&self, entry: u32) -> Oid {
        let results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.oids[entry as usize]
    }

    fn note(&self, note: impl FnOnce(&mut Results)) {
        note(&mut self.results.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
