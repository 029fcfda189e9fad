//! Which refs of a repository go into a pack, and what they point to.
//!
//! Without names all refs do, and `HEAD`, as for `git bundle create --all`. A name chooses as
//! `git rev-parse` does (in full, or short: tags before branches before remotes); a name with `*`,
//! `?` or `[` is a glob over full names, or over what follows `refs/`, `refs/tags/`, `refs/heads/`
//! or `refs/remotes/`.
//!
//! A symbolic ref stays one where its target is chosen too. Otherwise it is written as what it
//! points to; one that points nowhere is left out, but for an unborn `HEAD`.
//!
//! Replacement refs and grafts do not change what is reachable: the objects are taken as they are.

mod choose;
mod error;
mod repository;
mod revision;

pub use error::SelectError;
pub use repository::Repository;

use std::collections::BTreeMap;

use gix::bstr::{BStr, BString};
use gix_hash::ObjectId;

use super::format::{RefTarget, Refs};

/// The refs of a repository as they are stored, with `HEAD` apart.
#[derive(Debug, Default)]
struct Found {
    head: Option<RefTarget>,
    refs: BTreeMap<BString, RefTarget>,
}

impl Found {
    /// What `target` comes to, through symbolic refs; none if that is nothing.
    fn resolve(&self, target: &RefTarget) -> Option<ObjectId> {
        let mut target = target;
        // Git follows five.
        for _ in 0..6 {
            match target {
                RefTarget::Object(id) => return Some(*id),
                RefTarget::Symbolic(name) => target = self.refs.get(name)?,
            }
        }
        None
    }
}

/// The objects that `refs` point to, each with a ref's name for error messages.
pub fn tips(refs: &Refs) -> Vec<(BString, ObjectId)> {
    let head = refs.head.iter().map(|target| (BStr::new("HEAD"), target));
    let named = refs
        .refs
        .iter()
        .map(|(name, target)| (BStr::new(name), target));
    head.chain(named)
        .filter_map(|(name, target)| match target {
            RefTarget::Object(id) => Some((name.to_owned(), *id)),
            RefTarget::Symbolic(_) => None,
        })
        .collect()
}
