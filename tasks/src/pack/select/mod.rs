//! Which refs of a repository go into a pack, and what they point to.
//!
//! Without names all refs do, and `HEAD`, as for `git bundle create --all`. A name chooses as
//! `git rev-parse` does (in full, or short: tags before branches before remotes); a name with `*`,
//! `?` or `[` is a glob over full names, or over what follows `refs/`, `refs/tags/`, `refs/heads/`
//! or `refs/remotes/`.
//!
//! What is excluded is left out whatever else chooses it, under all names; so is what points to it.
//! A date leaves out the refs whose commit (that of an annotated tag is the one it leads to) was
//! committed before; those that lead to no commit, too. Refs are left out, not commits: the history
//! of those that stay is whole.
//!
//! A symbolic ref stays one where its target is chosen too. Otherwise it is written as what it
//! points to; one that points nowhere is left out, but for an unborn `HEAD`.
//!
//! Replacement refs and grafts do not change what is reachable: the objects are taken as they are.

mod choose;
mod error;
mod pattern;
mod remarks;
mod repository;
mod revision;

pub use error::SelectError;
pub use pattern::Pattern;
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

/// Which refs are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Names, short names or globs; all refs and `HEAD` if there are none.
    pub names: Vec<Pattern>,
    /// What is left out all the same, as names, short names or globs.
    pub exclude: Vec<Pattern>,
    /// Seconds since 1970: refs whose commit is older are left out.
    pub since: Option<i64>,
}

impl Selection {
    /// Whatever these names choose.
    pub fn of(names: Vec<Pattern>) -> Self {
        Self {
            names,
            ..Self::default()
        }
    }
}

impl Found {
    /// The refs that `target` leads through.
    fn way<'f>(&'f self, mut target: &'f RefTarget) -> Vec<&'f BString> {
        let mut way = Vec::new();
        while let RefTarget::Symbolic(name) = target
            && way.len() < 6
        {
            way.push(name);
            let Some(next) = self.refs.get(name) else {
                break;
            };
            target = next;
        }
        way
    }

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
