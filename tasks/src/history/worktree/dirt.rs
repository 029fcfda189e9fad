//! Whether there is anything that is not committed.

use gix::bstr::BString;
use gix::index::entry::{Flags, Mode};
use gix_hash::ObjectId;

use super::changes;
use super::changes::Side;
use super::error::WorktreeError;
use super::file::{self, Files, Found};
use super::index;
use crate::checkout::{Dirs, protect, split};

/// What is not committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirt {
    /// Files that are not as the index has them; conflicts among them.
    pub unstaged: Vec<BString>,
    /// Paths that the index has otherwise than the tree.
    pub staged: Vec<BString>,
}

impl Dirt {
    /// Whether all is committed.
    pub fn is_clean(&self) -> bool {
        self.unstaged.is_empty() && self.staged.is_empty()
    }
}

/// Compares working tree, index and `tree`. Files that Git does not know do not count, nor does what is
/// in submodules.
pub fn dirt(repository: &gix::Repository, tree: ObjectId) -> Result<Dirt, WorktreeError> {
    let index = index::read(&repository.git_dir().join("index"))?;
    let mut dirt = Dirt::default();
    if let Some(worktree) = repository.workdir() {
        let mut files = Files::new(repository)?;
        let mut directories = Dirs::new(worktree)?;
        let options = file::options(repository)?;
        for entry in index.entries() {
            let path = entry.path(&index);
            if entry.stage_raw() != 0 || entry.flags.contains(Flags::INTENT_TO_ADD) {
                if dirt.unstaged.last().is_none_or(|last| last != path) {
                    dirt.unstaged.push(path.to_owned());
                }
                continue;
            }
            let (dir, name) = split(path);
            let side = Side {
                mode: entry.mode,
                id: entry.id,
            };
            let found = if directories.find(dir)? {
                let known = file::known(&index, entry, options);
                files.look(directories.here(), name, path, side, Some(known), false)?
            } else {
                Found::Nothing
            };
            let skipped = entry.flags.contains(Flags::SKIP_WORKTREE);
            // A submodule that is not checked out has no directory.
            let absent = found == Found::Nothing && (skipped || entry.mode == Mode::COMMIT);
            if found != Found::Same && !absent {
                dirt.unstaged.push(path.to_owned());
            }
        }
    }
    if !is_tree(&index, tree) {
        dirt.staged = staged(repository, &index, tree)?;
    }
    Ok(dirt)
}

/// Whether the index says by itself that it is the tree's.
fn is_tree(index: &gix::index::File, tree: ObjectId) -> bool {
    let top = index.tree();
    top.is_some_and(|top| top.num_entries.is_some() && top.id == tree)
}

fn staged(
    repository: &gix::Repository,
    index: &gix::index::File,
    tree: ObjectId,
) -> Result<Vec<BString>, WorktreeError> {
    let empty = ObjectId::empty_tree(gix_hash::Kind::Sha1);
    let all = changes::between(repository, empty, tree, protect(repository))?;
    let mut committed: std::collections::HashMap<BString, Side> = all
        .into_iter()
        .filter_map(|change| Some((change.path, change.new?)))
        .collect();
    let mut staged = Vec::new();
    for entry in index.entries() {
        let path = entry.path(index).to_owned();
        let there = committed.remove(&path);
        if entry.stage_raw() != 0 || entry.flags.contains(Flags::INTENT_TO_ADD) {
            continue;
        }
        let side = Side {
            mode: entry.mode,
            id: entry.id,
        };
        if there != Some(side) {
            staged.push(path);
        }
    }
    staged.extend(committed.into_keys());
    staged.sort();
    Ok(staged)
}
