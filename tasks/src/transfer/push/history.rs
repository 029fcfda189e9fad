//! Which commits the other side does not have, and in which order they are sent; and whether one
//! commit descends from another.

use std::collections::BinaryHeap;

use gix::hashtable::{HashMap, HashSet};
use gix_hash::ObjectId;

use super::{error::PackError, store::Store};
use crate::pack::source::Kind;

/// So many commits are looked at beyond the oldest one that would be sent.
const FURTHER: u32 = 5;

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
    /// The date of the oldest one that had its turn without being known.
    oldest: i64,
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
        oldest: i64::MAX,
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
    let mut further = FURTHER;
    while let Some(Queued { date, id }) = walk.queue.pop() {
        // All that is left is known; it may still tell that what was passed is known, too: where both
        // are of one second, or a clock went wrong. So it is followed back to the oldest commit that
        // would be sent, and a little further.
        if walk.open == 0 && date < walk.oldest {
            if further == 0 {
                break;
            }
            further -= 1;
        }
        count += 1;
        if count.is_multiple_of(1 << 10) && stopped() {
            return Err(PackError::Stopped);
        }
        walk.step(id, date)?;
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
    fn step(&mut self, id: ObjectId, date: i64) -> Result<(), PackError> {
        let Some(node) = self.nodes.get_mut(&id) else {
            return Ok(());
        };
        node.queued = false;
        let known = node.known;
        if !known {
            self.open -= 1;
            self.oldest = self.oldest.min(date);
        }
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

/// What is above a commit, as far as it was found out.
#[derive(Default)]
struct Above {
    parents: Vec<ObjectId>,
    date: i64,
    /// One of the commits that are asked about is.
    from: bool,
    /// The commit that is looked for is.
    to: bool,
    queued: bool,
}

impl Above {
    /// Nothing is found out behind it.
    const fn is_between(&self) -> bool {
        self.from != self.to
    }
}

/// Whether one of the commits `from`, or what these tags lead to, is the commit `to` or descends
/// from it. Unlike [`missing`] it is right whatever the dates are: these only say who comes first.
pub(crate) fn reaches(
    store: &Store,
    from: &[ObjectId],
    to: ObjectId,
    shallow: &HashSet<ObjectId>,
) -> Result<bool, PackError> {
    let mut nodes: HashMap<ObjectId, Above> = HashMap::default();
    let (mut queue, mut buffer) = (BinaryHeap::new(), Vec::new());
    // How many wait that are above one side only: above both, all is known.
    let mut open = 0_usize;
    let commit = |id: &ObjectId| match store.peel(id) {
        Ok(Some((commit, Kind::Commit))) => Some(commit),
        _ => None,
    };
    let Some(to) = commit(&to) else {
        return Ok(false);
    };
    let from = from.iter().filter_map(commit);
    let mut rest: Vec<(ObjectId, bool, bool)> = from.map(|id| (id, true, false)).collect();
    rest.push((to, false, true));
    loop {
        for (id, from, to) in rest.drain(..) {
            if !nodes.contains_key(&id)
                && let Some(commit) = store.commit(&id, &mut buffer)?
            {
                let cut = shallow.contains(&id);
                let above = Above {
                    parents: if cut { Vec::new() } else { commit.parents },
                    date: commit.date,
                    ..Above::default()
                };
                nodes.insert(id, above);
            }
            let Some(node) = nodes.get_mut(&id) else {
                continue;
            };
            if (!from || node.from) && (!to || node.to) {
                continue;
            }
            open -= usize::from(node.queued && node.is_between());
            (node.from, node.to) = (node.from || from, node.to || to);
            open += usize::from(node.is_between());
            if !std::mem::replace(&mut node.queued, true) {
                let date = node.date;
                queue.push(Queued { date, id });
            }
        }
        if nodes.get(&to).is_none_or(|it| it.from) {
            return Ok(nodes.contains_key(&to));
        }
        let Some(Queued { id, .. }) = queue.pop().filter(|_| open > 0) else {
            return Ok(false);
        };
        if let Some(node) = nodes.get_mut(&id) {
            node.queued = false;
            open -= usize::from(node.is_between());
            let (from, to) = (node.from, node.to);
            rest.extend(node.parents.iter().map(|it| (*it, from, to)));
        }
    }
}
