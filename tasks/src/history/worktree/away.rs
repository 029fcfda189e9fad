//! Moves old files away, and looks at what was moved before it is dropped.

use std::ffi::OsStr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, ByteSlice as _};
use gix::index::entry::{Mode, stat};
use gix::worktree::stack::state::ignore::Source;
use resume_runtime::StepError;
use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::changes::Change;
use super::error::WorktreeError;
use super::file::{self, Files, Found};
use crate::checkout::{Dirs, split};
use crate::rename::rename_new;

/// What has a path's name after the old file was moved away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing: the old file is dropped.
    Nothing,
    /// The new file: it was placed before.
    New,
    /// Something of the user's.
    Foreign,
}

/// Moves files away.
pub(super) struct Away<'a> {
    pub(super) dirs: Dirs,
    files: Files<'a>,
    ignored: gix::AttributeStack<'a>,
    index: &'a gix::index::File,
    options: stat::Options,
    dir: PathBuf,
    fd: OwnedFd,
    force: bool,
    /// The directory that the user is in, relative to the working tree: it stays.
    stays: Option<PathBuf>,
}

impl<'a> Away<'a> {
    /// Moves files of the working tree `root` into `dir`, which is made.
    pub(super) fn new(
        repository: &'a gix::Repository,
        index: &'a gix::index::File,
        root: &Path,
        dir: PathBuf,
        force: bool,
    ) -> Result<Self, WorktreeError> {
        std::fs::create_dir_all(&dir).map_err(StepError::from)?;
        let fd = rustix::fs::open(
            &dir,
            rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        );
        let stays = std::env::current_dir().ok();
        let stays = stays.and_then(|dir| Some(dir.strip_prefix(root).ok()?.to_owned()));
        Ok(Self {
            dirs: Dirs::new(root)?,
            files: Files::new(repository)?,
            ignored: repository
                .excludes(index, None, Source::WorktreeThenIdMappingIfNotSkipped)
                .map_err(WorktreeError::unreadable("the list of ignored files"))?,
            options: file::options(repository)?,
            index,
            fd: fd.map_err(|error| StepError::from(std::io::Error::from(error)))?,
            dir,
            force,
            stays,
        })
    }

    /// Looks at what a process left here that died, and puts back what is the user's.
    pub(super) fn recover(&mut self, changes: &[Change]) -> Result<(), WorktreeError> {
        let failed = |error| WorktreeError::from(StepError::from(error));
        for entry in std::fs::read_dir(&self.dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let number: Option<usize> = name.to_str().and_then(|name| name.parse().ok());
            let Some((number, change)) = number.and_then(|at| Some((at, changes.get(at)?))) else {
                continue;
            };
            match self.judge(number, change)? {
                Left::Nothing => self.drop(number)?,
                found => {
                    let (dir, _) = split(change.path.as_ref());
                    if self.dirs.find(dir)? {
                        self.back(number, change, found)?;
                    } else {
                        let kept = self.dir.join(number.to_string());
                        return Err(WorktreeError::Kept { kept });
                    }
                }
            }
        }
        Ok(())
    }

    /// Frees the path of a change.
    pub(super) fn take(&mut self, number: usize, change: &Change) -> Result<Left, WorktreeError> {
        let path = change.path.as_bstr();
        let (dir, name) = split(path);
        if !self.dirs.find(dir)? {
            return Ok(Left::Nothing);
        }
        let here = self.dirs.here();
        let failed = |error: Errno| file::step(path, error.into());
        match rustix::fs::statat(here, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(Left::Nothing),
            Err(error) => return Err(failed(error)),
            Ok(meta) if FileType::from_raw_mode(meta.st_mode).is_dir() => {
                return Ok(self.directory(change));
            }
            Ok(_) => {}
        }
        match rename_new(here, name, &self.fd, number.to_string().as_str()) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(Left::Nothing),
            Err(error) => return Err(failed(error)),
        }
        self.dirs.touch();
        let left = self.judge(number, change)?;
        match left {
            Left::Nothing => self.drop(number)?,
            found => self.back(number, change, found)?,
        }
        Ok(left)
    }

    /// Removes the directories above `path` that are empty now.
    pub(super) fn prune(&mut self, path: &BStr) -> Result<(), WorktreeError> {
        let mut path = path;
        while let Some(at) = path.rfind_byte(b'/') {
            path = path[..at].as_bstr();
            if self.stays.as_deref() == Some(Path::new(OsStr::from_bytes(path))) {
                return Ok(());
            }
            let (above, name) = split(path);
            if !self.dirs.find(above)? {
                continue;
            }
            match rustix::fs::unlinkat(self.dirs.here(), name, AtFlags::REMOVEDIR) {
                Ok(()) => self.dirs.touch(),
                Err(Errno::NOENT) => {}
                // There is something in it, or it can't be removed: it stays, as with Git.
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    fn directory(&mut self, change: &Change) -> Left {
        if change.new.is_some_and(|new| new.mode == Mode::COMMIT) {
            return Left::New;
        }
        let (_, name) = split(change.path.as_ref());
        match rustix::fs::unlinkat(self.dirs.here(), name, AtFlags::REMOVEDIR) {
            Ok(()) => self.dirs.touch(),
            Err(Errno::NOENT) => {}
            // A submodule's files stay when it goes, as with Git.
            Err(_) if change.new.is_none() => {}
            Err(_) => return Left::Foreign,
        }
        Left::Nothing
    }

    /// What the moved file is.
    fn judge(&mut self, number: usize, change: &Change) -> Result<Left, WorktreeError> {
        let path = change.path.as_bstr();
        let name = number.to_string();
        if let Some(old) = change.old {
            if self.force {
                return Ok(Left::Nothing);
            }
            let entry = self.index.entry_by_path(path);
            let known = entry
                .filter(|entry| entry.id == old.id)
                .map(|entry| file::known(self.index, entry, self.options));
            let dir = self.fd.as_fd();
            let found = self
                .files
                .look(dir, name.as_bytes(), path, old, known, true)?;
            if found == Found::Same {
                return Ok(Left::Nothing);
            }
        }
        if let Some(new) = change.new {
            let dir = self.fd.as_fd();
            let found = self
                .files
                .look(dir, name.as_bytes(), path, new, None, true)?;
            if found == Found::Same {
                return Ok(Left::New);
            }
        }
        if change.old.is_none() {
            let at = self.ignored.at_entry(path, Some(Mode::FILE));
            if at
                .map_err(WorktreeError::unreadable("an ignore file"))?
                .is_excluded()
            {
                return Ok(Left::Nothing);
            }
        }
        Ok(Left::Foreign)
    }

    fn drop(&self, number: usize) -> Result<(), WorktreeError> {
        let name = number.to_string();
        match rustix::fs::unlinkat(&self.fd, &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(file::step(name.as_bytes().as_bstr(), error.into())),
        }
    }

    /// Puts a moved file back under its name, in the present directory.
    fn back(&mut self, number: usize, change: &Change, found: Left) -> Result<(), WorktreeError> {
        let (_, name) = split(change.path.as_ref());
        let from = number.to_string();
        match rename_new(&self.fd, from.as_str(), self.dirs.here(), name) {
            Ok(()) => {
                self.dirs.touch();
                Ok(())
            }
            Err(Errno::EXIST) if found == Left::New => self.drop(number),
            Err(Errno::EXIST) => Err(WorktreeError::Kept {
                kept: self.dir.join(from),
            }),
            Err(error) => Err(file::step(change.path.as_ref(), error.into())),
        }
    }
}
