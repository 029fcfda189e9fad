//! What this repository has, told to a server until both know what they have in common.

use std::collections::{BinaryHeap, HashMap};
use std::path::Path;

use gix_hash::ObjectId;

use crate::transfer::connection::{ConnectionError, Haves};
use crate::transfer::refs::Objects;

/// The commits of a repository, the newest first, less those that the server is known to have too.
pub struct Here {
    objects: Objects,
    shallow: Vec<ObjectId>,
    met: HashMap<ObjectId, Mark>,
    /// What is to be told, by date.
    queue: BinaryHeap<(i64, ObjectId)>,
}

/// What is known of a commit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It is to be told, or was.
    Ours,
    /// It is to be told though the server is known to have it; what is older is not.
    Shared,
    /// The server has it, and all that is older: it is not told.
    Common,
}

impl Here {
    /// The history below `tips`, in the object directory `objects`. The server has those in `shared`,
    /// as its refs say.
    pub fn new(
        objects: &Path,
        tips: &[ObjectId],
        shared: &[ObjectId],
        shallow: Vec<ObjectId>,
    ) -> Result<Self, ConnectionError> {
        let opened = Objects::at(objects).map_err(|error| unread(&error))?;
        let mut it = Self {
            objects: opened,
            shallow,
            met: HashMap::new(),
            queue: BinaryHeap::new(),
        };
        for (oids, mark) in [(shared, Mark::Shared), (tips, Mark::Ours)] {
            for oid in oids {
                let commit = it.objects.commit(oid).map_err(|error| unread(&error))?;
                if let Some(commit) = commit {
                    it.meet(commit, mark)?;
                }
            }
        }
        Ok(it)
    }

    /// Notes a commit, if it is there and nothing is known of it.
    fn meet(&mut self, oid: ObjectId, mark: Mark) -> Result<(), ConnectionError> {
        if self.met.contains_key(&oid) {
            return Ok(());
        }
        let found = self
            .objects
            .ancestry(&oid)
            .map_err(|error| unread(&error))?;
        if let Some(commit) = found {
            self.met.insert(oid, mark);
            self.queue.push((commit.time, oid));
        }
        Ok(())
    }

    fn parents(&self, oid: &ObjectId) -> Result<Vec<ObjectId>, ConnectionError> {
        if self.shallow.contains(oid) {
            return Ok(Vec::new());
        }
        let found = self.objects.ancestry(oid).map_err(|error| unread(&error))?;
        Ok(found.map(|it| it.parents).unwrap_or_default())
    }

    /// The server has a commit: what of its history was met is not told any more.
    fn share(&mut self, oid: ObjectId) -> Result<(), ConnectionError> {
        let mut below = vec![oid];
        while let Some(oid) = below.pop() {
            match self.met.get(&oid) {
                Some(Mark::Common) => {}
                Some(_) => {
                    self.met.insert(oid, Mark::Common);
                    below.extend(self.parents(&oid)?);
                }
                None => self.meet(oid, Mark::Common)?,
            }
        }
        Ok(())
    }
}

impl Haves for Here {
    fn next(&mut self, most: usize) -> Result<Vec<ObjectId>, ConnectionError> {
        let mut told = Vec::new();
        while told.len() < most
            && let Some((_, oid)) = self.queue.pop()
        {
            let mark = self.met.get(&oid).copied().unwrap_or(Mark::Common);
            // When only what is common waits, there is nothing left to tell.
            if mark == Mark::Common {
                if !self
                    .queue
                    .iter()
                    .any(|it| self.met.get(&it.1) != Some(&Mark::Common))
                {
                    self.queue.clear();
                    break;
                }
            } else {
                told.push(oid);
            }
            for parent in self.parents(&oid)? {
                match mark {
                    Mark::Ours => self.meet(parent, Mark::Ours)?,
                    Mark::Shared | Mark::Common => self.share(parent)?,
                }
            }
        }
        Ok(told)
    }

    fn common(&mut self, oid: ObjectId) -> Result<(), ConnectionError> {
        for parent in self.parents(&oid)? {
            self.share(parent)?;
        }
        self.met.insert(oid, Mark::Common);
        Ok(())
    }
}

fn unread(error: &crate::transfer::refs::RefsError) -> ConnectionError {
    ConnectionError::History {
        reason: error.to_string(),
    }
}
