//! Which commits the other side does not have, and in which order they are sent.

use std::collections::BinaryHeap;

use gix::hashtable::{HashMap, HashSet};
use gix_hash::ObjectId;

use super::{error::PackError, store::Store};
use crate::pack::source::Kind;

/// A commit that is to be sent.
#[derive(Clone, Debug)]
struct Node {
    parents: Vec<ObjectId>,
    /// The other side has it.
    known: bool,
    /// It waits for its turn.
    queued: bool,
    /// It is in the order.
    placed: bool,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Queued {
    date: i64,
    id: ObjectId,
}

/// Commits by what is known of them.
struct Walk<'a> {
    store: &'a Store,
    shallow: &'a HashSet<ObjectId>,
    nodes: HashMap<ObjectId, Node>,
    queue: BinaryHeap<Queued>,
    /// How many wait that the other side is not known to have.
    open: usize,
    buffer: Vec<u8>,
}

/// The commits below `tips` that are not below `known`, each after its parents.
///
/// The first parent comes first, so that at any place few commits of what came before have no child
/// among them: one, and one more for each branch that is not merged yet. What is `known` and not
/// there is passed over; at the `shallow` commits the history ends.
pub(crate) fn missing(
    store: &Store,
    tips: &[ObjectId],
    known: &[ObjectId],
    shallow: &HashSet<ObjectId>,
    stopped: &dyn Fn() -> bool,
) -> Result<Vec<ObjectId>, PackError> {
    let mut walk = Walk {
        store,
        shallow,
        nodes: HashMap::default(),
        queue: BinaryHeap::new(),
        open: 0,
        buffer: Vec::new(),
    };
    for id in known {
        if let Some((commit, Kind::Commit)) = store.peel(id).unwrap_or_default() {
            walk.meet(commit, true, true)?;
        }
    }
    let mut heads = Vec::with_capacity(tips.len());
    for id in tips {
        match store.peel(id)? {
            Some((commit, Kind::Commit)) => {
                walk.meet(commit, false, false)?;
                heads.push(commit);
            }
            Some(_) => {}
            None => return Err(PackError::Missing { id: *id }),
        }
    }
    let mut count = 0_u32;
    while walk.open > 0
        && let Some(Queued { id, .. }) = walk.queue.pop()
    {
        count += 1;
        if count.is_multiple_of(1 << 10) && stopped() {
            return Err(PackError::Stopped);
        }
        walk.step(id)?;
    }
    walk.order(&heads)
}

impl Walk<'_> {
    /// A commit is met; `maybe` it is not there.
    fn meet(&mut self, id: ObjectId, known: bool, maybe: bool) -> Result<(), PackError> {
        if self.nodes.contains_key(&id) {
            if known {
                self.spread(id)?;
            }
            return Ok(());
        }
        let Some(mut commit) = self.store.commit(&id, &mut self.buffer)? else {
            return if maybe {
                Ok(())
            } else {
                Err(PackError::Missing { id })
            };
        };
        if self.shallow.contains(&id) {
            commit.parents.clear();
        }
        let node = Node {
            parents: commit.parents,
            known,
            queued: true,
            placed: false,
        };
        self.nodes.insert(id, node);
        let date = commit.date;
        self.queue.push(Queued { date, id });
        self.open += usize::from(!known);
        Ok(())
    }

    /// A commit that was met turns out to be known, and with it what it descends from.
    fn spread(&mut self, id: ObjectId) -> Result<(), PackError> {
        let mut rest = vec![id];
        while let Some(id) = rest.pop() {
            match self.nodes.get_mut(&id) {
                Some(node) if node.known => {}
                Some(node) => {
                    node.known = true;
                    if node.queued {
                        self.open -= 1;
                    } else {
                        // It was passed: its date is younger than that of a child.
                        rest.extend_from_slice(&node.parents);
                    }
                }
                None => self.meet(id, true, true)?,
            }
        }
        Ok(())
    }

    /// A commit's turn: its parents are met.
    fn step(&mut self, id: ObjectId) -> Result<(), PackError> {
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        node.queued = false;
        let known = node.known;
        self.open -= usize::from(!known);
        for parent in node.parents.clone() {
            self.meet(parent, known, known)?;
        }
        Ok(())
    }

    /// The order: depth first, by an own stack, since histories are deep.
    fn order(mut self, heads: &[ObjectId]) -> Result<Vec<ObjectId>, PackError> {
        let mut order = Vec::new();
        let mut stack = Vec::new();
        for head in heads {
            stack.push((*head, 0));
            while let Some((id, next)) = stack.pop() {
                let Some(node) = self.nodes.get_mut(&id) else {
                    return Err(PackError::Missing { id });
                };
                if node.placed || node.known {
                    continue;
                }
                if let Some(parent) = node.parents.get(next) {
                    let parent = *parent;
                    stack.push((id, next + 1));
                    stack.push((parent, 0));
                } else {
                    node.placed = true;
                    order.push(id);
                }
            }
        }
        Ok(order)
    }
}
