//! Which objects come with the commits that are to be sent.
//!
//! A commit brings what its tree has and none of its parents' trees has at the same place, nor nearby
//! ([`super::elsewhere`]). What the parents have there instead is what a delta may be made against,
//! once the other side has them.

use gix::hashtable::HashSet;
use gix::objs::{TreeRefIter, tree::EntryRef};
use gix_hash::ObjectId;

use super::{
    elsewhere::Elsewhere,
    error::PackError,
    name::PathKey,
    store::{Packed, Store},
};
use crate::pack::source::Kind;

/// An object that is to be sent, or that the other side has.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) id: ObjectId,
    pub(crate) kind: Kind,
    pub(crate) key: PathKey,
    /// How many bytes it takes here; 0 where it is not to be sent.
    pub(crate) weight: u64,
    /// Where it lies in a pack, if it was looked up and does.
    pub(crate) packed: Option<Packed>,
}

/// The objects of some commits.
#[derive(Default)]
pub(crate) struct Contents {
    /// What is to be sent, in the order in which it was found.
    pub(crate) items: Vec<Item>,
    /// What the other side has and what may resemble that.
    pub(crate) bases: Vec<Item>,
    /// The weight of all that is to be sent.
    pub(crate) weight: u64,
    /// What is to be sent and is in no store.
    pub(crate) extra: Vec<Extra>,
    /// Blobs among the items that are above the limit.
    large: Vec<Large>,
    seen: HashSet<ObjectId>,
    seen_bases: HashSet<ObjectId>,
}

/// An object that is made up.
pub(crate) struct Extra {
    pub(crate) id: ObjectId,
    pub(crate) kind: Kind,
    pub(crate) content: Vec<u8>,
}

/// A blob that is too large, and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Large {
    pub(crate) blob: ObjectId,
    pub(crate) path: String,
    pub(crate) commit: ObjectId,
    pub(crate) size: u64,
}

impl Contents {
    /// Whether it is among them, or the other side has it.
    fn is_known(&self, id: &ObjectId) -> bool {
        self.seen.contains(id) || self.seen_bases.contains(id)
    }

    /// Leaves out those of the items from the `from`-th on that the other side turns out to have. They
    /// may serve as bases.
    pub(crate) fn leave_out(&mut self, from: usize, known: &HashSet<ObjectId>) {
        let (stay, gone): (Vec<Item>, _) = self
            .items
            .drain(from..)
            .partition(|it| !known.contains(&it.id));
        self.items.extend(stay);
        self.weight -= gone.iter().map(|it| it.weight).sum::<u64>();
        self.seen_bases.extend(gone.iter().map(|it| it.id));
        self.bases.extend(gone);
        self.large.retain(|it| !known.contains(&it.blob));
    }

    /// The first blob that is too large.
    pub(crate) fn too_large(&self) -> Option<&Large> {
        self.large.first()
    }
}

/// A tree that is looked into, with what the parents have in its place.
struct Place {
    tree: ObjectId,
    olds: Vec<ObjectId>,
    path: Vec<u8>,
}

/// What is told of blobs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// One may weigh no more.
    pub(crate) blob: u64,
    /// One that is too large whatever it weighs.
    pub(crate) this: Option<ObjectId>,
}

/// Collects the objects of commits, one commit after the other.
pub(crate) struct Collector<'a> {
    store: &'a Store,
    limits: Limits,
    pub(crate) contents: Contents,
    content: Vec<u8>,
    old: Vec<Vec<u8>>,
    scratch: Vec<u8>,
    elsewhere: Elsewhere,
}

impl<'a> Collector<'a> {
    /// Begins with nothing.
    pub(crate) fn new(store: &'a Store, limits: Limits) -> Self {
        Self {
            store,
            limits,
            contents: Contents::default(),
            content: Vec::new(),
            old: Vec::new(),
            scratch: Vec::new(),
            elsewhere: Elsewhere::default(),
        }
    }

    /// Adds a commit with what it brings. Its parents were added before, or the other side has them;
    /// a shallow commit has none.
    pub(crate) fn commit(&mut self, id: ObjectId, shallow: bool) -> Result<(), PackError> {
        let commit = self.store.commit(&id, &mut self.content)?;
        let commit = commit.ok_or(PackError::Missing { id })?;
        let mut olds = Vec::with_capacity(commit.parents.len());
        if !shallow {
            for parent in &commit.parents {
                let mut buffer = std::mem::take(&mut self.content);
                let parent_commit = self.store.commit(parent, &mut buffer)?;
                self.content = buffer;
                olds.extend(parent_commit.map(|it| it.tree));
            }
        }
        let first = self.contents.items.len();
        if self.contents.seen.insert(id) {
            self.add(id, Kind::Commit, &[], id)?;
        }
        self.elsewhere.clear();
        self.tree(commit.tree, olds, id)?;
        let new = self.contents.items[first..].iter().map(|it| it.id);
        let known = self.elsewhere.find(self.store, new);
        if !known.is_empty() {
            self.contents.leave_out(first, &known);
        }
        Ok(())
    }

    /// Adds a tag, a tree with all it has, or a blob that a ref names; what a tag leads to as well,
    /// commits aside.
    pub(crate) fn object(&mut self, mut id: ObjectId) -> Result<(), PackError> {
        loop {
            let Some((kind, _)) = self.store.header(&id)? else {
                return Err(PackError::Missing { id });
            };
            match kind {
                Kind::Commit => return Ok(()),
                Kind::Tree => return self.tree(id, Vec::new(), id),
                Kind::Blob | Kind::Tag => {
                    if self.contents.seen.insert(id) {
                        self.add(id, kind, &[], id)?;
                    }
                    if kind == Kind::Blob {
                        return Ok(());
                    }
                    id = self.store.tag(&id, &mut self.content)?;
                }
            }
        }
    }

    /// Adds a tree with what it has and the `olds` have not.
    fn tree(
        &mut self,
        tree: ObjectId,
        olds: Vec<ObjectId>,
        commit: ObjectId,
    ) -> Result<(), PackError> {
        let mut places = Vec::new();
        self.enter(tree, olds, Vec::new(), commit, &mut places)?;
        while let Some(place) = places.pop() {
            self.look_into(&place, commit, &mut places)?;
        }
        Ok(())
    }

    /// Takes a tree on, unless it is known.
    fn enter(
        &mut self,
        tree: ObjectId,
        olds: Vec<ObjectId>,
        path: Vec<u8>,
        commit: ObjectId,
        places: &mut Vec<Place>,
    ) -> Result<(), PackError> {
        if olds.contains(&tree) || self.contents.is_known(&tree) {
            return Ok(());
        }
        self.contents.seen.insert(tree);
        self.add(tree, Kind::Tree, &path, commit)?;
        for old in &olds {
            self.add_base(*old, Kind::Tree, &path);
        }
        places.push(Place { tree, olds, path });
        Ok(())
    }

    /// Compares a tree with what the parents have in its place.
    fn look_into(
        &mut self,
        place: &Place,
        commit: ObjectId,
        places: &mut Vec<Place>,
    ) -> Result<(), PackError> {
        let mut content = std::mem::take(&mut self.content);
        let mut old = std::mem::take(&mut self.old);
        old.resize_with(place.olds.len().max(old.len()), Vec::new);
        self.store.read(&place.tree, &mut content)?;
        for (it, buffer) in place.olds.iter().zip(&mut old) {
            buffer.clear();
            // One that can't be read is no base.
            if !matches!(self.store.try_read(it, buffer), Ok(Some(Kind::Tree))) {
                buffer.clear();
            }
        }
        let mut sides: Vec<_> = old[..place.olds.len()]
            .iter()
            .map(|buffer| TreeRefIter::from_bytes(buffer, gix_hash::Kind::Sha1).peekable())
            .collect();
        self.elsewhere.trees.extend_from_slice(&place.olds);
        for entry in TreeRefIter::from_bytes(&content, gix_hash::Kind::Sha1) {
            let entry = entry.map_err(|error| PackError::unreadable(&place.tree, &error))?;
            if entry.mode.is_commit() {
                continue;
            }
            let (mut olds, mut same) = (Vec::new(), false);
            for side in &mut sides {
                while let Some(gone) = side.next_if(|it| before(it, &entry)) {
                    self.elsewhere.gone(&gone);
                }
                let Some(Ok(theirs)) = side.next_if(|it| equal(it, &entry)) else {
                    continue;
                };
                same |= theirs.oid == entry.oid;
                if theirs.mode.is_tree() == entry.mode.is_tree() && !theirs.mode.is_commit() {
                    olds.push(theirs.oid.to_owned());
                }
            }
            let id = entry.oid.to_owned();
            if same || self.contents.is_known(&id) {
                continue;
            }
            self.elsewhere.added |= olds.is_empty() && !place.olds.is_empty();
            let path = joined(&place.path, entry.filename);
            if entry.mode.is_tree() {
                self.enter(id, olds, path, commit, places)?;
            } else {
                self.contents.seen.insert(id);
                self.add(id, Kind::Blob, &path, commit)?;
                for old in &olds {
                    self.add_base(*old, Kind::Blob, &path);
                }
            }
        }
        sides
            .into_iter()
            .flatten()
            .for_each(|it| self.elsewhere.gone(&it));
        (self.content, self.old) = (content, old);
        Ok(())
    }

    fn add(
        &mut self,
        id: ObjectId,
        kind: Kind,
        path: &[u8],
        commit: ObjectId,
    ) -> Result<(), PackError> {
        let packed = self.store.packed(&id, &mut self.scratch)?;
        let weight = match &packed {
            Some(packed) => packed.at.entry_size as u64,
            None => self.store.loose_len(&id)?,
        };
        let large = weight > self.limits.blob || self.limits.this == Some(id);
        if kind == Kind::Blob && large {
            self.contents.large.push(Large {
                blob: id,
                path: crate::transfer::refs::name::shown(path),
                commit,
                size: weight,
            });
        }
        self.contents.weight += weight;
        self.contents.items.push(Item {
            id,
            kind,
            key: PathKey::of(path),
            weight,
            packed,
        });
        Ok(())
    }

    /// Takes note of what a parent has. What is not sent along, the other side has.
    fn add_base(&mut self, id: ObjectId, kind: Kind, path: &[u8]) {
        if !self.contents.seen.contains(&id) && self.contents.seen_bases.insert(id) {
            self.contents.bases.push(Item {
                id,
                kind,
                key: PathKey::of(path),
                weight: 0,
                packed: None,
            });
        }
    }
}

/// Whether an entry of a tree comes before another in Git's order; one that can't be read counts as
/// passed.
fn before(it: &gix::Result<EntryRef<'_>>, other: &EntryRef<'_>) -> bool {
    it.as_ref().map_or(true, |it| it.cmp(other).is_lt())
}

fn equal(it: &gix::Result<EntryRef<'_>>, other: &EntryRef<'_>) -> bool {
    it.as_ref().is_ok_and(|it| it.filename == other.filename)
}

fn joined(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        name.to_vec()
    } else {
        [path, b"/", name].concat()
    }
}
