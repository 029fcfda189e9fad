//! Which trees have most of what missing ones have: those before and behind them at the same paths.
//!
//! A server that leaves nothing out on request sends a tree with all that is below it, but for what
//! is below trees that it is told to be here. With its neighbours in the history told, a missing
//! tree costs what is new in it. A neighbour must have all trees below it, or a missing one of them
//! would be left out, too. Blobs that it lacks are known, and are asked for by themselves; where it
//! lacks most of them it is better not told at all.

use std::collections::HashSet;

use gix::hashtable::HashMap;
use gix_hash::ObjectId;

use super::{MissingError, Near, objects::Objects, plan};
use crate::pack::{scan::links, source::Kind};

/// What is noted of neighbours on a walk.
#[derive(Default)]
pub(super) struct Notes {
    /// The last tree at each path that is there.
    last: Vec<Option<ObjectId>>,
    /// The paths at which a tree is missing, and none has followed.
    open: HashSet<u32>,
    near: Vec<ObjectId>,
}

impl Notes {
    /// A tree is there, at this path.
    pub(super) fn there(&mut self, id: ObjectId, path: u32) {
        let at = path as usize;
        if self.last.len() <= at {
            self.last.resize(at + 1, None);
        }
        self.last[at] = Some(id);
        if self.open.remove(&path) {
            self.near.push(id);
        }
    }

    /// A tree is missing, at this path.
    pub(super) fn missing(&mut self, path: u32) {
        if self.open.insert(path)
            && let Some(before) = self.last.get(path as usize).copied().flatten()
        {
            self.near.push(before);
        }
    }

    /// The neighbours, or the largest parts of them that are of use.
    pub(super) fn end(
        self,
        objects: &mut Objects<'_>,
        which: Near,
    ) -> Result<Vec<ObjectId>, MissingError> {
        let (mut known, mut seen) = (HashMap::default(), gix::hashtable::HashSet::default());
        let (mut found, mut content) = (Vec::new(), Vec::new());
        let mut pending: Vec<ObjectId> = self.near.into_iter().rev().collect();
        while let Some(id) = pending.pop() {
            if found.len() >= plan::MOST_TOLD {
                break;
            }
            if !seen.insert(id) {
                continue;
            }
            match share(objects, id, &mut known)? {
                // What is not here of it is less than would come twice.
                Some((here, missing)) if which == Near::All || missing <= here => found.push(id),
                _ if objects.get(id, &mut content)?.is_some() => {
                    pending.extend(entries(&content).0);
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// How many of the blobs below a tree are here, and how many are not.
type Share = (u64, u64);

/// A tree that is looked into.
struct Open {
    id: ObjectId,
    /// The trees in it that are still to be counted.
    left: Vec<ObjectId>,
    share: Share,
}

/// Counts the blobs below a tree; none if a tree is missing there.
fn share(
    objects: &mut Objects<'_>,
    id: ObjectId,
    known: &mut HashMap<ObjectId, Option<Share>>,
) -> Result<Option<Share>, MissingError> {
    let (mut stack, mut next, mut content) = (Vec::<Open>::new(), Some(id), Vec::new());
    loop {
        if let Some(id) = next.take()
            && !known.contains_key(&id)
        {
            // Nothing makes a tree part of itself, so this is not met again until it is counted.
            known.insert(id, None);
            if matches!(objects.get(id, &mut content)?, Some(Kind::Tree)) {
                let (left, blobs) = entries(&content);
                let here = blobs.iter().filter(|id| objects.has(id)).count() as u64;
                let share = (here, blobs.len() as u64 - here);
                stack.push(Open { id, left, share });
            }
        }
        let Some(open) = stack.last_mut() else {
            return Ok(known.get(&id).copied().flatten());
        };
        let Some(child) = open.left.pop() else {
            known.insert(open.id, Some(open.share));
            stack.pop();
            continue;
        };
        match known.get(&child) {
            None => {
                // It is looked at again when it is counted.
                open.left.push(child);
                next = Some(child);
            }
            Some(Some((here, missing))) => {
                open.share.0 = open.share.0.saturating_add(*here);
                open.share.1 = open.share.1.saturating_add(*missing);
            }
            Some(None) => {
                stack.pop();
            }
        }
    }
}

/// The trees and the blobs in a tree.
fn entries(content: &[u8]) -> (Vec<ObjectId>, Vec<ObjectId>) {
    let (mut trees, mut blobs, mut at) = (Vec::new(), Vec::new(), 0);
    while at < content.len() {
        // A tree that makes no sense is told of where it is needed.
        let Ok(entry) = links::tree_entry(content, at) else {
            break;
        };
        at = entry.end;
        match entry.link {
            Some((id, Kind::Tree)) => trees.push(ObjectId::Sha1(id)),
            Some((id, _)) => blobs.push(ObjectId::Sha1(id)),
            None => {}
        }
    }
    (trees, blobs)
}
