//! One commit, picked in memory.

use gix::bstr::{BStr, BString};
use gix_hash::ObjectId;

use super::commit::{self, Source};
use super::error::RebaseError;
use crate::history::engine::{Engine, Favor, Labels, Outcome, Trees};

/// What comes of a commit.
pub(super) enum Picked {
    /// It lies there already.
    Same,
    /// A new commit.
    New(ObjectId),
    /// Its changes are there already.
    Dropped,
    /// It conflicts.
    Conflict(Outcome),
}

/// What a commit is picked onto, and how.
pub(super) struct Onto<'a> {
    pub(super) repository: &'a gix::Repository,
    /// The commit before it.
    pub(super) head: ObjectId,
    /// The new commit's parent.
    pub(super) parent: Option<ObjectId>,
    pub(super) committer: &'a BString,
    /// Whether commits stay of which nothing is left.
    pub(super) keeps_empty: bool,
}

impl Onto<'_> {
    /// Picks `source`; its message is `cleaned`.
    pub(super) fn pick(
        &self,
        engine: &mut Engine,
        source: &Source,
        cleaned: &BStr,
    ) -> Result<Picked, RebaseError> {
        if source.parent() == self.parent {
            return Ok(Picked::Same);
        }
        let sides = self.merge(engine, source)?;
        if !sides.merged.clean {
            return Ok(Picked::Conflict(sides.merged));
        }
        if self.drops(&sides) {
            return Ok(Picked::Dropped);
        }
        let new = commit::write(
            self.repository,
            sides.merged.tree,
            self.parent.as_slice(),
            source.author.as_ref(),
            self.committer.as_ref(),
            cleaned,
        )?;
        Ok(Picked::New(new))
    }

    /// Melds `source` into the commit before it, which gets the `message`.
    pub(super) fn meld(
        &self,
        engine: &mut Engine,
        source: &Source,
        before: &Source,
        message: &BStr,
    ) -> Result<Picked, RebaseError> {
        let sides = self.merge(engine, source)?;
        if !sides.merged.clean {
            return Ok(Picked::Conflict(sides.merged));
        }
        if self.drops(&sides) {
            return Ok(Picked::Dropped);
        }
        let tree = sides.merged.tree;
        if tree != sides.ours && tree == parent_tree(self.repository, before)? {
            // Nothing would be left of the two: that is for the user to say.
            return Ok(Picked::Conflict(sides.merged));
        }
        amend(self.repository, before, tree, self.committer, message).map(Picked::New)
    }

    fn merge(&self, engine: &mut Engine, source: &Source) -> Result<Sides, RebaseError> {
        let base = parent_tree(self.repository, source)?;
        let ours = commit::tree(self.repository, self.head)?;
        let trees = Trees {
            base,
            ours,
            theirs: source.tree,
        };
        let labels = labels(self.repository, source);
        let merged = engine.merge_trees(self.repository, trees, &labels, Favor::Neither)?;
        Ok(Sides {
            ours,
            was_empty: source.tree == base,
            merged,
        })
    }

    /// Whether its changes are there already. One that was empty from the beginning was meant to be.
    fn drops(&self, sides: &Sides) -> bool {
        sides.merged.tree == sides.ours && !sides.was_empty && !self.keeps_empty
    }
}

/// What comes of trees.
struct Sides {
    ours: ObjectId,
    /// Whether the commit that is picked changes nothing.
    was_empty: bool,
    merged: Outcome,
}

/// The commit `before` anew, with another tree and message.
pub(super) fn amend(
    repository: &gix::Repository,
    before: &Source,
    tree: ObjectId,
    committer: &BString,
    message: &BStr,
) -> Result<ObjectId, RebaseError> {
    commit::write(
        repository,
        tree,
        &before.parents,
        before.author.as_ref(),
        committer.as_ref(),
        message,
    )
}

/// The tree of a commit's first parent.
fn parent_tree(repository: &gix::Repository, source: &Source) -> Result<ObjectId, RebaseError> {
    match source.parent() {
        Some(parent) => commit::tree(repository, parent),
        None => Ok(ObjectId::empty_tree(gix_hash::Kind::Sha1)),
    }
}

/// What the sides are called, as Git calls them.
fn labels(repository: &gix::Repository, source: &Source) -> Labels {
    let name = named(repository, source.id, source);
    let parent = if source.parent().is_some() {
        [b"parent of ".as_slice(), &name].concat().into()
    } else {
        BString::from("empty tree")
    };
    Labels {
        ours: "HEAD".into(),
        theirs: name,
        base: Some(parent),
    }
}

/// A commit as people know it: `1a2b3c4 (subject)`.
fn named(repository: &gix::Repository, id: ObjectId, source: &Source) -> BString {
    let mut name = short(repository, id).into_bytes();
    name.extend_from_slice(b" (");
    name.extend_from_slice(source.first_line());
    name.push(b')');
    name.into()
}

/// A commit's shortest name that is its own.
pub(super) fn short(repository: &gix::Repository, id: ObjectId) -> String {
    use gix::prelude::ObjectIdExt as _;
    id.attach(repository).shorten_or_id().to_string()
}
