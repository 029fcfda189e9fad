//! What the working tree of a restored repository is written from.
//!
//! Git's configuration and objects are read through a repository in the operation's directory,
//! which borrows the target's objects: the target itself has no `HEAD` until all else is done.

use std::path::Path;

use gix::bstr::BString;
use gix_hash::ObjectId;

use super::super::format::{RefTarget, Refs};
use super::RestoreError;
use super::publish::{Disk, Target};
use crate::checkout::{self, borrow};

/// Symbolic refs are followed this often.
const DEPTH: usize = 5;

/// The object that `HEAD` leads to; `None` if it is unborn.
pub(super) fn head(refs: &Refs) -> Option<ObjectId> {
    let mut target = refs.head.as_ref()?;
    for _ in 0..DEPTH {
        match target {
            RefTarget::Object(oid) => return Some(*oid),
            RefTarget::Symbolic(name) => {
                let at = refs.refs.binary_search_by(|(it, _)| it.cmp(name)).ok()?;
                target = &refs.refs[at].1;
            }
        }
    }
    None
}

/// The plan to check out the `HEAD` of `refs` in `target`. `scratch` is a directory of the operation
/// on its file system.
///
/// The inner error says why that is not possible: the repository is sound without its working tree.
pub(super) fn plan(
    target: &Target,
    scratch: &Path,
    refs: &Refs,
    disk: &dyn Disk,
) -> Result<Result<checkout::Plan, String>, RestoreError> {
    let Some(head) = head(refs) else {
        return Ok(Err("it has no commit to be of".to_owned()));
    };
    let at = scratch.join("borrow");
    let objects = target.git_dir().join("objects");
    let made = borrow::repository(&objects, Some(&head), &at, disk);
    let repository = made.map_err(RestoreError::io(&at))?;
    let opened = (|| -> gix::Result<_> {
        let tree = repository.head_commit()?.tree_id()?.detach();
        Ok((repository.clone(), tree))
    })();
    Ok(opened
        .map(|(repository, tree)| {
            let worktree = target.path.clone();
            let mut plan =
                checkout::Plan::new(repository.into_sync(), tree, worktree, scratch.to_owned());
            plan.treeish = head;
            plan.branch = match &refs.head {
                Some(RefTarget::Symbolic(name)) => Some(BString::clone(name)),
                _ => None,
            };
            plan
        })
        .map_err(|error| error.to_string()))
}
