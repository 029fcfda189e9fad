//! One commit, picked in memory.

use gix::bstr::BString;
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

/// Picks `source` onto the commit `head`; the new commit has the `parent`.
pub(super) fn pick(
    repository: &gix::Repository,
    engine: &mut Engine,
    head: ObjectId,
    parent: Option<ObjectId>,
    source: &Source,
    committer: &BString,
) -> Result<Picked, RebaseError> {
    if source.parent == parent {
        return Ok(Picked::Same);
    }
    let empty = ObjectId::empty_tree(gix_hash::Kind::Sha1);
    let base = match source.parent {
        Some(parent) => commit::tree(repository, parent)?,
        None => empty,
    };
    let ours = commit::tree(repository, head)?;
    let trees = Trees {
        base,
        ours,
        theirs: source.tree,
    };
    let merged = engine.merge_trees(
        repository,
        trees,
        &labels(repository, source),
        Favor::Neither,
    )?;
    if !merged.clean {
        return Ok(Picked::Conflict(merged));
    }
    // One that was empty from the beginning was meant to be.
    if merged.tree == ours && source.tree != base {
        return Ok(Picked::Dropped);
    }
    let new = commit::write(
        repository,
        merged.tree,
        parent,
        source.author.as_ref(),
        committer.as_ref(),
        source.message.as_ref(),
    )?;
    Ok(Picked::New(new))
}

/// What the sides are called, as Git calls them.
fn labels(repository: &gix::Repository, source: &Source) -> Labels {
    let name = named(repository, source.id, source);
    let parent = if source.parent.is_some() {
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
