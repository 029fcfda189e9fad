//! Git's index: read, changed entry by entry, and made a tree of.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::index::entry::{Flags, Mode, Stage as EntryStage, Stat};
use gix::objs::tree::EntryMode;
use gix::prelude::Write as _;
use gix_hash::ObjectId;

use super::changes::{Change, Side};
use super::error::WorktreeError;
use crate::history::engine::Stage;

/// Reads the index; an empty one where there is none.
pub(super) fn read(path: &Path) -> Result<gix::index::File, WorktreeError> {
    let options = gix::index::decode::Options::default();
    let index = gix::index::File::at_or_default(path, gix_hash::Kind::Sha1, false, options)
        .map_err(WorktreeError::unreadable("the index"))?;
    if index.is_sparse() {
        return Err(WorktreeError::SparseIndex);
    }
    Ok(index)
}

/// Reads the index of `repository`; an empty one where there is none.
pub fn read_index(repository: &gix::Repository) -> Result<gix::index::File, WorktreeError> {
    read(&repository.git_dir().join("index"))
}

/// The paths with conflicts, each once.
pub fn conflicts(repository: &gix::Repository) -> Result<Vec<BString>, WorktreeError> {
    let index = read_index(repository)?;
    Ok(unmerged(&index))
}

/// What the index has at `path`, without conflicts.
pub(super) fn side(index: &gix::index::State, path: &BStr) -> Option<Side> {
    let at = index.entry_index_by_path_and_stage(path, EntryStage::Unconflicted)?;
    let entry = index.entry(at);
    // What is only intended to be added is no content yet.
    let intended = entry.flags.contains(Flags::INTENT_TO_ADD);
    Some(Side {
        mode: entry.mode,
        id: if intended {
            ObjectId::null(gix_hash::Kind::Sha1)
        } else {
            entry.id
        },
    })
}

/// The paths with conflicts, each once.
pub(super) fn unmerged(index: &gix::index::State) -> Vec<BString> {
    let entries = index.entries().iter();
    let mut paths: Vec<BString> = entries
        .filter(|entry| entry.stage_raw() != 0)
        .map(|entry| entry.path(index).to_owned())
        .collect();
    paths.dedup();
    paths
}

/// Makes the changes; `stats` are the stat data of what was placed, by the number of the change.
pub(super) fn apply(
    index: &mut gix::index::State,
    changes: &[Change],
    stats: &HashMap<usize, Stat>,
    unmerged: &[Stage],
    unstaged: bool,
) {
    // Those that it knows stay as they are, and differ from their files.
    let staged = |change: &&Change| !(unstaged && change.old.is_some());
    let mut gone: HashSet<&BStr> = HashSet::new();
    for change in changes.iter().filter(staged) {
        gone.insert(change.path.as_bstr());
    }
    for stage in unmerged {
        gone.insert(stage.path.as_bstr());
    }
    index.remove_entries(|_, path, _| gone.contains(path));
    smudge(index);
    let mut conflicting: HashSet<&BStr> = HashSet::new();
    for stage in unmerged {
        conflicting.insert(stage.path.as_bstr());
        let flags = Flags::from_stage(match stage.stage {
            1 => EntryStage::Base,
            2 => EntryStage::Ours,
            _ => EntryStage::Theirs,
        });
        let mode = Mode::from_bits_retain(stage.mode);
        index.dangerously_push_entry(Stat::default(), stage.id, flags, mode, stage.path.as_ref());
    }
    for (number, change) in changes.iter().enumerate() {
        let path = change.path.as_bstr();
        if conflicting.contains(path) {
            continue;
        }
        let Some(side) = change.new.filter(|_| staged(&change)) else {
            continue;
        };
        let flags = if change.sparse {
            Flags::SKIP_WORKTREE | Flags::EXTENDED
        } else {
            Flags::empty()
        };
        let stat = stats.get(&number).copied().unwrap_or_default();
        index.dangerously_push_entry(stat, side.id, flags, side.mode, path);
    }
    index.sort_entries();
    // What it says of directories is not true any more; what was resolved before neither.
    index.remove_tree();
    index.remove_resolve_undo();
}

/// An entry as young as the index may be of a file that was changed since, with nothing to show for it:
/// Git compares contents then. Once the index is younger it would not, so such an entry gets a length
/// that no such file has, as Git does it.
fn smudge(index: &mut gix::index::State) {
    let timestamp = index.timestamp();
    // Most builds of Git look at whole seconds.
    let options = gix::index::entry::stat::Options {
        use_nsec: false,
        ..Default::default()
    };
    for entry in index.entries_mut() {
        if entry.stat.is_racy(timestamp, options) {
            entry.stat.size = 0;
        }
    }
}

/// Writes the trees of what the index has, and gives the top one. There must be no conflicts.
pub fn write_tree(
    repository: &gix::Repository,
    index: &gix::index::State,
) -> Result<ObjectId, WorktreeError> {
    struct Dir {
        len: usize,
        tree: gix::objs::Tree,
    }
    let failed = WorktreeError::unreadable;
    let close = |dirs: &mut Vec<Dir>, path: &BStr| -> Result<(), WorktreeError> {
        let Some(mut done) = dirs.pop() else {
            return Ok(());
        };
        done.tree.entries.sort();
        let oid = repository
            .objects
            .write(&done.tree)
            .map_err(failed("a new tree"))?;
        if let Some(above) = dirs.last_mut() {
            let start = above.len + usize::from(above.len > 0);
            above.tree.entries.push(gix::objs::tree::Entry {
                mode: gix::objs::tree::EntryKind::Tree.into(),
                filename: path[start..done.len].into(),
                oid,
            });
        }
        Ok(())
    };
    let empty = |len| Dir {
        len,
        tree: gix::objs::Tree::empty(),
    };
    let mut dirs = vec![empty(0)];
    let mut last = BString::default();
    for entry in index.entries() {
        if entry.flags.contains(Flags::INTENT_TO_ADD) {
            continue;
        }
        let path = entry.path(index);
        // Directories that this path is not in.
        while let Some(dir) = dirs.last() {
            let len = dir.len;
            if len == 0 || (path.get(..len) == Some(&last[..len]) && path.get(len) == Some(&b'/')) {
                break;
            }
            close(&mut dirs, last.as_ref())?;
        }
        let mut start = dirs
            .last()
            .map_or(0, |dir| dir.len + usize::from(dir.len > 0));
        while let Some(at) = path[start..].find_byte(b'/') {
            dirs.push(empty(start + at));
            start += at + 1;
        }
        let mode = u16::try_from(entry.mode.bits()).unwrap_or_default();
        if let Some(dir) = dirs.last_mut() {
            dir.tree.entries.push(gix::objs::tree::Entry {
                mode: EntryMode::try_from(u32::from(mode))
                    .unwrap_or(gix::objs::tree::EntryKind::Blob.into()),
                filename: path[start..].into(),
                oid: entry.id,
            });
        }
        path.clone_into(&mut last);
    }
    while dirs.len() > 1 {
        close(&mut dirs, last.as_ref())?;
    }
    let mut top = dirs.pop().unwrap_or_else(|| empty(0)).tree;
    top.entries.sort();
    repository.objects.write(&top).map_err(failed("a new tree"))
}
