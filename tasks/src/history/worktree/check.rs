//! The look before anything is written.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd as _, BorrowedFd};

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::index::entry::{Flags, Mode};
use gix::worktree::stack::state::ignore::Source;
use resume_runtime::{Blocking, Resumable};
use rustix::fs::{AtFlags, FileType, OFlags};
use rustix::io::Errno;

use super::advance::Transition;
use super::changes::{self, Change, Side};
use super::error::WorktreeError;
use super::file::{self, Files, Found};
use super::index;
use super::list;
use super::plan::Plan;
use super::sparse::Sparse;
use crate::checkout::{Dirs, protect, split};

/// Looks whether index and working tree can be moved as planned, and keeps the list of what is to be done
/// in a file of the operation. Nothing of the repository is changed.
///
/// To be called in the step before the one that calls [`Transition::advance`].
pub fn check<M: Resumable>(b: &mut Blocking<M>, plan: &Plan) -> Result<Transition, WorktreeError> {
    let changes = changes(plan)?;
    let mut bytes = Vec::new();
    for change in &changes {
        list::write(change, &mut bytes);
    }
    super::advance::begin(b, &bytes)?;
    Ok(Transition::new(changes.len()))
}

/// What is to be done, if nothing stands in the way.
pub(super) fn changes(plan: &Plan) -> Result<Vec<Change>, WorktreeError> {
    let repository = plan.repository.to_thread_local();
    let protect = protect(&repository);
    let index = index::read(&plan.index())?;
    let unmerged = index::unmerged(&index);
    if !unmerged.is_empty() && !plan.force {
        return Err(WorktreeError::Unmerged { paths: unmerged });
    }
    let mut checker = Checker {
        files: Files::new(&repository)?,
        dirs: Dirs::new(&plan.worktree()?)?,
        sparse: Sparse::of(&repository),
        ignored: repository
            .excludes(&index, None, Source::WorktreeThenIdMappingIfNotSkipped)
            .map_err(WorktreeError::unreadable("the list of ignored files"))?,
        conflicting: plan
            .unmerged
            .iter()
            .map(|stage| stage.path.as_bstr())
            .collect(),
        options: file::options(&repository)?,
        index: &index,
        keep: plan.keep,
        found: Refused::default(),
    };
    let changes = if plan.force {
        let empty = gix_hash::ObjectId::empty_tree(gix_hash::Kind::Sha1);
        let wanted = changes::between(&repository, empty, plan.to, protect)?;
        checker.forced(wanted)?
    } else {
        let differing = changes::between(&repository, plan.from, plan.to, protect)?;
        checker.all(differing)?
    };
    checker.found.or(changes)
}

#[derive(Default)]
struct Refused {
    local: Vec<BString>,
    untracked: Vec<BString>,
    directories: Vec<BString>,
}

impl Refused {
    fn or<T>(self, value: T) -> Result<T, WorktreeError> {
        let Self {
            local,
            untracked,
            directories,
        } = self;
        if local.is_empty() && untracked.is_empty() && directories.is_empty() {
            return Ok(value);
        }
        Err(WorktreeError::Overwrites {
            local,
            untracked,
            directories,
        })
    }
}

struct Checker<'a> {
    files: Files<'a>,
    dirs: Dirs,
    sparse: Sparse,
    ignored: gix::AttributeStack<'a>,
    /// The paths that are to have conflicts: they are never left out.
    conflicting: HashSet<&'a BStr>,
    options: gix::index::entry::stat::Options,
    index: &'a gix::index::File,
    keep: bool,
    found: Refused,
}

impl Checker<'_> {
    fn all(&mut self, changes: Vec<Change>) -> Result<Vec<Change>, WorktreeError> {
        let removed = removed(&changes);
        let mut kept = Vec::with_capacity(changes.len());
        for mut change in changes {
            let now = index::side(self.index, change.path.as_ref());
            if now == change.new {
                // Somebody was here before.
                continue;
            }
            if now != change.old {
                self.found.local.push(change.path);
                continue;
            }
            match change.old {
                Some(side) => self.present(&mut change, side)?,
                None => self.absent(&mut change, &removed)?,
            }
            kept.push(change);
        }
        Ok(kept)
    }

    /// Whatever index and working tree have is taken to `wanted`, all that the tree has.
    fn forced(&mut self, wanted: Vec<Change>) -> Result<Vec<Change>, WorktreeError> {
        let mut wanted: HashMap<BString, Side> = wanted
            .into_iter()
            .filter_map(|change| Some((change.path, change.new?)))
            .collect();
        let mut changes: Vec<Change> = Vec::new();
        let mut last: Option<BString> = None;
        for entry in self.index.entries() {
            let path = entry.path(self.index).to_owned();
            if last.as_ref() == Some(&path) {
                continue;
            }
            last = Some(path.clone());
            let new = wanted.remove(&path);
            let old = Side {
                mode: entry.mode,
                id: entry.id,
            };
            let mut change = Change {
                path,
                old: Some(old),
                new,
                file: true,
                sparse: false,
            };
            let merged = entry.stage_raw() == 0;
            let found = self.look(&change, old)?;
            if entry.flags.contains(Flags::SKIP_WORKTREE) && found == Found::Nothing && merged {
                change.file = false;
                change.sparse = true;
                if new == Some(old) {
                    continue;
                }
            }
            if merged && new == Some(old) && (found == Found::Same || self.keep) {
                continue;
            }
            if self.keep && merged && !matches!(found, Found::Nothing | Found::Same) {
                self.found.local.push(change.path);
                continue;
            }
            changes.push(change);
        }
        for (path, side) in wanted {
            changes.push(Change {
                path,
                old: None,
                new: Some(side),
                file: true,
                sparse: false,
            });
        }
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        let removed = removed(&changes);
        for change in changes.iter_mut().filter(|change| change.old.is_none()) {
            self.absent(change, &removed)?;
        }
        Ok(changes)
    }

    fn look(&mut self, change: &Change, side: Side) -> Result<Found, WorktreeError> {
        let path = change.path.as_bstr();
        let (dir, name) = split(path);
        if !self.dirs.find(dir)? {
            return Ok(Found::Nothing);
        }
        let entry = self.index.entry_by_path(path);
        let known = entry.map(|entry| file::known(self.index, entry, self.options));
        self.files
            .look(self.dirs.here(), name, path, side, known, false)
    }

    /// The index has the old state; the file must have it, or be gone.
    fn present(&mut self, change: &mut Change, side: Side) -> Result<(), WorktreeError> {
        let found = self.look(change, side)?;
        let path = change.path.as_bstr();
        let skipped = self
            .index
            .entry_by_path(path)
            .is_some_and(|entry| entry.flags.contains(Flags::SKIP_WORKTREE));
        if skipped && found == Found::Nothing && !self.conflicting.contains(path) {
            change.file = false;
            change.sparse = true;
            return Ok(());
        }
        let submodules =
            side.mode == Mode::COMMIT && change.new.is_some_and(|new| new.mode == Mode::COMMIT);
        if submodules {
            // What is in it is another repository's.
            change.file = false;
        } else if !matches!(found, Found::Nothing | Found::Same) {
            self.found.local.push(change.path.clone());
        }
        Ok(())
    }

    /// The index has nothing; where the file is to come there must be nothing that would be lost.
    fn absent(
        &mut self,
        change: &mut Change,
        removed: &HashSet<BString>,
    ) -> Result<(), WorktreeError> {
        let path = change.path.clone();
        let path = path.as_bstr();
        if self.sparse.leaves_out(path) && !self.conflicting.contains(path) {
            change.file = false;
            change.sparse = true;
            return Ok(());
        }
        let (dir, name) = split(path);
        if !self.dirs.find(dir)? {
            return self.above(dir.as_bstr(), removed);
        }
        let here = self.dirs.here();
        match rustix::fs::statat(here, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {}
            Err(error) => return Err(file::step(path, error.into())),
            Ok(meta) if FileType::from_raw_mode(meta.st_mode).is_dir() => {
                let submodule = change.new.is_some_and(|new| new.mode == Mode::COMMIT);
                if !submodule && !only_removed(here, name, path, removed)? {
                    self.found.directories.push(path.to_owned());
                }
            }
            Ok(_) if self.is_ignored(path, Mode::FILE)? => {}
            Ok(_) => self.found.untracked.push(path.to_owned()),
        }
        Ok(())
    }

    /// The directory that a file is to come into is not there: nothing else must have its name.
    fn above(&mut self, dir: &BStr, removed: &HashSet<BString>) -> Result<(), WorktreeError> {
        let ends = dir.find_iter(b"/").chain([dir.len()]);
        for end in ends {
            let path = dir[..end].as_bstr();
            let (above, name) = split(path);
            if !self.dirs.find(above)? {
                return Ok(());
            }
            let here = self.dirs.here();
            match rustix::fs::statat(here, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => return Ok(()),
                Err(error) => return Err(file::step(path, error.into())),
                Ok(meta) if FileType::from_raw_mode(meta.st_mode).is_dir() => {}
                Ok(_) if removed.contains(path) => return Ok(()),
                Ok(_) => {
                    if self.found.untracked.last().is_none_or(|last| last != path) {
                        self.found.untracked.push(path.to_owned());
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn is_ignored(&mut self, path: &BStr, mode: Mode) -> Result<bool, WorktreeError> {
        let at = self.ignored.at_entry(path, Some(mode));
        let at = at.map_err(WorktreeError::unreadable("an ignore file"))?;
        Ok(at.is_excluded())
    }
}

/// The files that will be gone.
fn removed(changes: &[Change]) -> HashSet<BString> {
    let gone = changes.iter().filter(|change| change.new.is_none());
    gone.map(|change| change.path.clone()).collect()
}

/// Whether all that is in the directory will be gone.
fn only_removed(
    here: BorrowedFd<'_>,
    name: &[u8],
    path: &BStr,
    removed: &HashSet<BString>,
) -> Result<bool, WorktreeError> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    let failed = |error: Errno| file::step(path, error.into());
    let fd = rustix::fs::openat(here, name, flags, rustix::fs::Mode::empty()).map_err(failed)?;
    let entries = rustix::fs::Dir::read_from(&fd).map_err(failed)?;
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        let below: BString = [path.as_bytes(), b"/", name].concat().into();
        let meta = rustix::fs::statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        let goes = if FileType::from_raw_mode(meta.st_mode).is_dir() {
            only_removed(fd.as_fd(), name, below.as_ref(), removed)?
        } else {
            removed.contains(&below)
        };
        if !goes {
            return Ok(false);
        }
    }
    Ok(true)
}
