//! Writes the working tree of `HEAD` beside the target, and moves it in.
//!
//! It is checked out by a repository of its own in the operation's directory, which borrows the
//! target's objects: the target itself has no `HEAD` yet, and nothing in it is ever written over.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use gix::worktree::stack::state::attributes::Source as Attributes;
use gix_hash::ObjectId;

use super::super::format::{RefTarget, Refs};
use super::RestoreError;
use super::publish::{Disk, Target, remove_dir};

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

/// Checks out `head` in the directory `scratch`, which is emptied first.
///
/// The inner error says why some file can't be written (a filter that fails, for example): the
/// repository is sound without its working tree.
pub(super) fn check_out(
    target: &Target,
    scratch: &Path,
    head: ObjectId,
    interrupt: &AtomicBool,
    disk: &dyn Disk,
) -> Result<Result<(), String>, RestoreError> {
    remove_dir(scratch, disk)?;
    fs::create_dir_all(scratch).map_err(RestoreError::io(scratch))?;
    let prepared = prepare(target, scratch, head).map_err(RestoreError::io(scratch))?;
    if let Err(reason) = prepared {
        return Ok(Err(reason));
    }
    let written = write(scratch, interrupt);
    if interrupt.load(Ordering::Relaxed) {
        return Err(RestoreError::Interrupted);
    }
    if written.is_ok() {
        disk.sync_tree(scratch).map_err(RestoreError::io(scratch))?;
    }
    Ok(written)
}

/// Makes the borrowing repository.
fn prepare(target: &Target, scratch: &Path, head: ObjectId) -> std::io::Result<Result<(), String>> {
    let options = gix::create::Options::default();
    if let Err(error) = gix::create::into(scratch, gix::create::Kind::WithWorktree, options) {
        return Ok(Err(error.to_string()));
    }
    let objects = scratch.join(".git/objects");
    fs::remove_dir_all(&objects)?;
    std::os::unix::fs::symlink(target.git_dir().join("objects"), objects)?;
    fs::write(scratch.join(".git/HEAD"), format!("{head}\n"))?;
    Ok(Ok(()))
}

fn write(scratch: &Path, interrupt: &AtomicBool) -> Result<(), String> {
    let text = |error: gix::Error| error.to_string();
    let repo = gix::open(scratch).map_err(text)?;
    let tree = repo
        .head_commit()
        .and_then(|commit| commit.tree_id())
        .map_err(text)?
        .detach();
    let mut index = repo.index_from_tree(&tree).map_err(text)?;
    let mut options = repo.checkout_options(Attributes::IdMapping).map_err(text)?;
    options.destination_is_initially_empty = true;
    let outcome = gix::worktree::state::checkout(
        &mut index,
        scratch,
        repo.objects
            .clone()
            .into_arc()
            .map_err(|error| error.to_string())?,
        &gix::progress::Discard,
        &gix::progress::Discard,
        interrupt,
        options,
    )
    .map_err(text)?;
    let collided = outcome
        .collisions
        .first()
        .map(|it| format!("{:?} is there twice", it.path));
    let failed = outcome
        .errors
        .first()
        .map(|it| format!("{:?}: {}", it.path, it.error));
    let late = outcome
        .delayed_paths_unprocessed
        .first()
        .map(|path| format!("{path:?} was left out by its filter"));
    if let Some(reason) = failed.or(collided).or(late) {
        return Err(reason);
    }
    index
        .write(gix::index::write::Options::default())
        .map_err(text)
}

/// Moves what [`check_out`] wrote into the target. Can be repeated after another check-out: what is
/// there stays.
pub(super) fn move_in(
    target: &Target,
    scratch: &Path,
    disk: &dyn Disk,
) -> Result<(), RestoreError> {
    for entry in fs::read_dir(scratch).map_err(RestoreError::io(scratch))? {
        let name = entry.map_err(RestoreError::io(scratch))?.file_name();
        if name != ".git" {
            move_entry(&scratch.join(&name), &target.path.join(&name))?;
        }
    }
    disk.sync(&target.path)
        .map_err(RestoreError::io(&target.path))?;
    let git_dir = target.git_dir();
    let index = git_dir.join("index");
    fs::rename(scratch.join(".git/index"), &index).map_err(RestoreError::io(&index))?;
    disk.sync(&git_dir).map_err(RestoreError::io(&git_dir))?;
    remove_dir(scratch, disk)
}

fn move_entry(from: &Path, to: &Path) -> Result<(), RestoreError> {
    if to.symlink_metadata().is_ok() {
        return Ok(());
    }
    fs::rename(from, to).map_err(RestoreError::io(to))
}
