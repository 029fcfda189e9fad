//! From where to look, and what is found.

use std::{path::Path, sync::atomic::AtomicBool};

use gix_hash::ObjectId;

use super::{MissingError, history, objects::Objects, trees, whole};

/// From where to look for what is missing.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// What must be there, with all that it refers to.
    pub tips: Vec<ObjectId>,
    /// What is known to be there with all that it refers to: a fetch's local refs.
    pub complete: Vec<ObjectId>,
    /// The commits whose parents are cut off.
    pub shallow: Vec<ObjectId>,
    /// Whether blobs may be missing: the remote has promised them.
    pub promised: bool,
    /// Which trees to tell that have most of what missing ones have.
    pub near: Near,
}

/// Which neighbours of missing trees are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Near {
    /// None.
    #[default]
    No,
    /// Those of whose blobs most are there: the others come with what is missing, as deltas of it.
    Full,
    /// All, so that as little as can be comes twice.
    All,
}

/// What is missing, each object once, in the order in which to ask for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// Annotated tags, and tips: nobody says of what kind a tip is that is not there.
    pub others: Vec<ObjectId>,
    /// Commits, by the date of what refers to them, newest first.
    pub commits: Vec<ObjectId>,
    /// Commits that are there and have a parent that is missing.
    pub edges: Vec<ObjectId>,
    /// From these all commits that were met and are there are reached without passing an edge: tips,
    /// and parents of edges. None where no commit, tag or tip is missing.
    pub heads: Vec<ObjectId>,
    /// Trees: first the root trees, in the order of the history, newest first; then the others.
    pub trees: Vec<ObjectId>,
    /// How many of the trees are root trees.
    pub roots: usize,
    /// Blobs, by file name, then by path, then in the order of the history.
    pub blobs: Vec<ObjectId>,
    /// The last root trees before the first gap, in the order of the history: they are there with all
    /// that they refer to, and have much of what the trees behind the gap have.
    pub whole: Vec<ObjectId>,
    /// Trees that are there with all trees below them, and have most of what missing ones have; none
    /// where [`Start::near`] does not ask for it.
    pub near: Vec<ObjectId>,
}

impl Missing {
    /// Whether nothing is missing.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many objects are missing, as far as can be seen: what is there below an object that is
    /// missing nobody knows.
    pub const fn len(&self) -> usize {
        self.others.len() + self.commits.len() + self.trees.len() + self.blobs.len()
    }
}

/// Finds what is missing below the tips of `start`, in the object directory `objects` and its
/// alternates.
///
/// `progress` is told now and then how many objects were looked at. `stopped` ends it with
/// [`MissingError::Stopped`] once it is true.
pub fn missing(
    objects: &Path,
    start: &Start,
    threads: usize,
    progress: &(dyn Fn(u64) + Sync),
    stopped: &AtomicBool,
) -> Result<Missing, MissingError> {
    let mut reading = Objects::open(objects, progress, stopped)?;
    // Where much is known to be whole or may be missing, a scan of everything tells nothing.
    let scan = start.complete.is_empty() && !start.promised && reading.has_all(&start.tips)?;
    if scan && whole::is_whole(objects, start, threads, progress, stopped)? {
        return Ok(Missing::default());
    }
    let mut found = Missing::default();
    let pending = history::walk(&mut reading, start, &mut found)?;
    trees::walk(&mut reading, pending, start, &mut found)?;
    if found.is_empty() {
        found.whole.clear();
    }
    if found.commits.is_empty() && found.others.is_empty() {
        found.heads.clear();
    }
    Ok(found)
}
