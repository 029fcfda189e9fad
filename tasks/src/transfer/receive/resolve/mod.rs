//! Resolving deltas: which object each of them makes.
//!
//! From each whole object, all that is made of it, directly or along a chain, is made in one go:
//! depth first, each base once. Threads take whole objects in the pack's order, and when there are
//! no more, branches of what the others have. A delta that names its base by id waits until an
//! object of that id is met, wherever in the pack it is. What then still waits has its base outside
//! of the pack, or nowhere.
//!
//! A thread keeps the bases on its way within a budget, and makes those that it had to give up again
//! when they are needed. Only one thread at a time holds more than that: a pack may be made to be
//! large in memory, but not as many times as there are threads.
//!
//! An object's id is computed from its content. So a damaged pack, or one that lies, never makes an
//! object pass for another; all that it can do is to make one that nobody asked for.

mod outside;
mod share;
mod tree;
mod worker;

use std::{
    path::Path,
    sync::{Mutex, PoisonError, atomic::AtomicBool},
};

use super::{ReceiveError, table::Link, table::Table, table::UNKNOWN};
use crate::pack::source::{Kind, Oid};
pub(super) use outside::Outside;
use share::{Guard, Job, Work};
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
    /// Who holds it may use much memory.
    heavy: Mutex<()>,
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
        heavy: Mutex::new(()),
    };
    let mut ended = shared.run(&roots, None);
    let waiting = shared.tree.waiting();
    if ended.is_ok() && !waiting.is_empty() {
        let roots: Vec<Root> = waiting.into_iter().map(Root::Outside).collect();
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
        let threads = self.how.threads.max(1);
        let work = Work::new(roots.len(), threads);
        let thread = || -> Result<(), ReceiveError> {
            let _guard = Guard(&work);
            let outside = objects.map(Outside::open).transpose()?;
            let mut worker = Worker::new(self, &work, outside);
            while let Some(job) = work.take() {
                match job {
                    Job::Root(root) => worker.grow(&roots[root])?,
                    Job::Part(part) => worker.go_on(part)?,
                }
            }
            worker.hand_over();
            Ok(())
        };
        std::thread::scope(|scope| {
            let start = |_| {
                let started = std::thread::Builder::new().spawn_scoped(scope, thread);
                started.inspect_err(|_| work.one_less()).ok()
            };
            let others: Vec<_> = (1..threads).filter_map(start).collect();
            let own = thread();
            let others = others.into_iter().map(std::thread::ScopedJoinHandle::join);
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
