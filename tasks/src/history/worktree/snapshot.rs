//! The working tree as a tree, of the files that Git knows.

use gix::index::entry::{Flags, Mode};
use gix::objs::Kind;
use gix::prelude::Write as _;
use gix_hash::ObjectId;
use rustix::fs::{AtFlags, FileType};

use super::changes::Side;
use super::error::WorktreeError;
use super::file::{self, Files, Found};
use super::index;
use crate::checkout::{Dirs, split};

/// Writes what the files that the index knows hold now, and gives the tree of them. There must be no
/// conflicts.
pub fn snapshot(repository: &gix::Repository) -> Result<ObjectId, WorktreeError> {
    let now = index::read_index(repository)?;
    let unmerged = index::unmerged(&now);
    if !unmerged.is_empty() {
        return Err(WorktreeError::Unmerged { paths: unmerged });
    }
    let Some(worktree) = repository.workdir() else {
        return index::write_tree(repository, &now);
    };
    let mut files = Files::new(repository)?;
    let mut directories = Dirs::new(worktree)?;
    let options = file::options(repository)?;
    let mut then = now.clone();
    let mut gone = std::collections::HashSet::new();
    for (number, entry) in now.entries().iter().enumerate() {
        let path = entry.path(&now);
        let (dir, name) = split(path);
        let side = Side {
            mode: entry.mode,
            id: entry.id,
        };
        let skipped = entry.flags.contains(Flags::SKIP_WORKTREE);
        let found = if directories.find(dir)? {
            let known = file::known(&now, entry, options);
            let here = directories.here();
            files.look(here, name, path, side, Some(known), false)?
        } else {
            Found::Nothing
        };
        match found {
            Found::Same => {}
            Found::Nothing if skipped || entry.mode == Mode::COMMIT => {}
            Found::Nothing | Found::Directory => drop(gone.insert(number)),
            Found::Other => {
                let here = directories.here();
                let meta = rustix::fs::statat(here, name, AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(|error| file::step(path, error.into()))?;
                let kind = FileType::from_raw_mode(meta.st_mode);
                let mode = if kind.is_symlink() {
                    Mode::SYMLINK
                } else if meta.st_mode & 0o100 != 0 {
                    Mode::FILE_EXECUTABLE
                } else {
                    Mode::FILE
                };
                let content = files.content(here, name, path, kind.is_symlink(), mode)?;
                let content = content.ok_or_else(|| WorktreeError::Unreadable {
                    what: "a changed file",
                    reason: format!("{path:?}: its filter failed"),
                })?;
                let id = repository.objects.write_buf(Kind::Blob, &content);
                let id = id.map_err(WorktreeError::unreadable("a new object"))?;
                let changed = &mut then.entries_mut()[number];
                changed.id = id;
                changed.mode = mode;
                changed.flags.remove(Flags::INTENT_TO_ADD);
            }
        }
    }
    then.remove_entries(|number, _, _| gone.contains(&number));
    index::write_tree(repository, &then)
}
