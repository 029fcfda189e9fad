//! A commit that is too large for one increment goes in parts: its blobs first, then its trees, each
//! behind what it has, and the commit last, as any other.
//!
//! So that the server keeps a part, it is put into a tree of its own, and that into a commit, which a
//! temporary ref names. The order is always the same, so it is enough that the ref says of which
//! commit it is and how many objects of it are there.

use gix::hashtable::{HashMap, HashSet};
use gix::objs::{TreeRefIter, compute_hash};
use gix_hash::ObjectId;

use super::{
    contents::{Contents, Extra, Item},
    error::PackError,
    store::Store,
};
use crate::pack::source::Kind;

/// What the server has of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// How many of its objects.
    pub(crate) objects: usize,
    /// What the temporary ref names.
    pub(crate) at: ObjectId,
}

/// The order in which the objects of one commit go, as places in `items`. Whatever it is cut at, what
/// comes before needs nothing of what comes after.
pub(super) fn order(items: &[Item], store: &Store) -> Result<Vec<usize>, PackError> {
    let of = |kind| {
        let found = items.iter().enumerate().filter(move |it| it.1.kind == kind);
        found.map(|(place, _)| place)
    };
    let mut order: Vec<usize> = of(Kind::Blob).collect();
    let mut trees: HashMap<ObjectId, usize> = of(Kind::Tree).map(|it| (items[it].id, it)).collect();
    let (mut stack, mut buffer) = (Vec::new(), Vec::new());
    for first in of(Kind::Tree) {
        stack.push((first, false));
        while let Some((place, open)) = stack.pop() {
            let id = items[place].id;
            if open {
                order.push(place);
            } else if trees.remove(&id).is_some() {
                stack.push((place, true));
                store.read(&id, &mut buffer)?;
                for entry in TreeRefIter::from_bytes(&buffer, id.kind()) {
                    let entry = entry.map_err(|error| PackError::unreadable(&id, &error))?;
                    let below = trees.get(entry.oid).filter(|_| entry.mode.is_tree());
                    stack.extend(below.map(|it| (*it, false)));
                }
            }
        }
    }
    order.extend(of(Kind::Commit));
    Ok(order)
}

/// Leaves out what of a commit's objects, in `order`, the server has.
pub(super) fn leave_out(contents: &mut Contents, order: &[usize], sent: Sent) {
    // The commit itself is never in a part, whatever a server says.
    let (_, others) = order.split_last().unwrap_or((&0, &[]));
    let sent = others.iter().take(sent.objects);
    let known: HashSet<ObjectId> = sent.map(|it| contents.items[*it].id).collect();
    contents.leave_out(0, &known);
}

/// Reduces the contents, one commit's, to the next part: what weighs no more than `budget`, at most
/// `most` objects, and at least one. `None` where nothing can be split off; otherwise, how many
/// objects of the commit are there then, and what holds them.
pub(super) fn next(
    contents: &mut Contents,
    store: &Store,
    of: ObjectId,
    before: Option<Sent>,
    budget: u64,
    most: usize,
) -> Result<Option<Sent>, PackError> {
    let order = order(&contents.items, store)?;
    let Some((_, others)) = order.split_last().filter(|it| !it.1.is_empty()) else {
        return Ok(None);
    };
    let mut weight = 0;
    let fits = others.iter().take(most).take_while(|it| {
        weight += contents.items[**it].weight;
        weight <= budget
    });
    let count = fits.count().max(1);
    let take: HashSet<ObjectId> = order[..count]
        .iter()
        .map(|it| contents.items[*it].id)
        .collect();
    contents.items.retain(|it| take.contains(&it.id));
    contents.weight = contents.items.iter().map(|it| it.weight).sum();
    let objects = before.map_or(0, |it| it.objects) + count;
    let tree = tree(&contents.items)?;
    let commit = commit(tree.id, of, objects, before.map(|it| it.at))?;
    let at = commit.id;
    contents.extra = vec![commit, tree];
    Ok(Some(Sent { objects, at }))
}

/// A tree that has these objects, by their numbers.
fn tree(items: &[Item]) -> Result<Extra, PackError> {
    let mut content = Vec::with_capacity(items.len() * 34);
    for (number, item) in items.iter().enumerate() {
        let mode = if item.kind == Kind::Tree {
            "40000"
        } else {
            "100644"
        };
        content.extend_from_slice(format!("{mode} {number:06x}\0").as_bytes());
        content.extend_from_slice(item.id.as_slice());
    }
    made(Kind::Tree, content)
}

fn commit(
    tree: ObjectId,
    of: ObjectId,
    objects: usize,
    before: Option<ObjectId>,
) -> Result<Extra, PackError> {
    let parent = before.map_or_else(String::new, |id| format!("parent {id}\n"));
    let who = "mug <mug@localhost> 0 +0000";
    let text = format!(
        "tree {tree}\n{parent}author {who}\ncommitter {who}\n\n\
         {objects} objects of {of}, on their way\n"
    );
    made(Kind::Commit, text.into_bytes())
}

fn made(kind: Kind, content: Vec<u8>) -> Result<Extra, PackError> {
    let as_gix = match kind {
        Kind::Tree => gix::objs::Kind::Tree,
        _ => gix::objs::Kind::Commit,
    };
    let id = compute_hash(gix_hash::Kind::Sha1, as_gix, &content);
    let id = id.map_err(|error| {
        let none = ObjectId::null(gix_hash::Kind::Sha1);
        PackError::unreadable(&none, &error)
    })?;
    Ok(Extra { id, kind, content })
}
