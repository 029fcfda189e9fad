//! Puts staged files under their names.
//!
//! Every rename happens within an open directory (`dirs`), and never replaces anything.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use gix::bstr::BStr;
use gix::index::entry::{Mode as EntryMode, Stat};
use resume_runtime::StepError;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::dirs::{self, Dirs, Trouble};
use super::rows;
use super::stage::{self, What};
use crate::rename::rename_new;

/// Places what is staged.
pub(crate) struct Placer {
    dirs: Dirs,
    staging: PathBuf,
    staged: OwnedFd,
}

impl Placer {
    /// Places what is in `staging` below `root`; both exist.
    pub(crate) fn new(root: &Path, staging: &Path) -> Result<Self, StepError> {
        Ok(Self {
            dirs: Dirs::new(root)?,
            staged: dirs::open(staging)?,
            staging: staging.to_owned(),
        })
    }

    /// The directories whose entries changed since this was asked.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<PathBuf> {
        self.dirs.take_touched()
    }

    /// Places an entry and gives its stat data. What is there already is taken over if it is the
    /// same.
    pub(crate) fn place(
        &mut self,
        number: usize,
        path: &BStr,
        mode: EntryMode,
        what: What,
    ) -> Result<Stat, Trouble> {
        let (dir, name) = dirs::split(path);
        self.dirs.make(dir)?;
        let staged = stage::name(number);
        let here = self.dirs.here();
        let placed = match what {
            What::Submodule => match rustix::fs::mkdirat(here, name, Mode::from(0o777)) {
                Err(Errno::EXIST) => {
                    let there = rustix::fs::statat(here, name, AtFlags::SYMLINK_NOFOLLOW);
                    match there {
                        Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_dir() => Ok(()),
                        Ok(_) => return Err(in_the_way()),
                        Err(error) => Err(error),
                    }
                }
                done => done,
            },
            What::File | What::Link => match rename_new(self.staged.as_fd(), &staged, here, name) {
                Err(Errno::EXIST) => {
                    if !self.is_same(&staged, here, name, mode, what) {
                        return Err(in_the_way());
                    }
                    Ok(())
                }
                moved => moved,
            },
            What::Nothing => return Ok(Stat::default()),
        };
        let placed =
            placed.and_then(|()| rustix::fs::statat(here, name, AtFlags::SYMLINK_NOFOLLOW));
        match placed {
            Ok(stat) => {
                // What is there already may not be on disk.
                self.dirs.touch_all();
                Ok(rows::stat(&stat))
            }
            Err(error) => Err(self.dirs.trouble(path, error)),
        }
    }

    /// Whether what is at `name` is what is staged. Whatever can't be compared is not.
    fn is_same(
        &self,
        staged: &str,
        here: BorrowedFd<'_>,
        name: &[u8],
        mode: EntryMode,
        what: What,
    ) -> bool {
        let link = |dir, name: &[u8]| rustix::fs::readlinkat(dir, name, Vec::new()).ok();
        if what == What::Link {
            let ours = link(self.staged.as_fd(), staged.as_bytes());
            return ours.is_some() && ours == link(here, name);
        }
        let same = || -> io::Result<bool> {
            let mut ours = File::open(self.staging.join(staged))?;
            // A pipe would wait for its other end.
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let mut theirs = File::from(rustix::fs::openat(here, name, flags, Mode::empty())?);
            let stat = rustix::fs::fstat(&theirs)?;
            let executable = stat.st_mode & 0o100 != 0;
            Ok(FileType::from_raw_mode(stat.st_mode).is_file()
                && executable == (mode == EntryMode::FILE_EXECUTABLE)
                && theirs.metadata()?.len() == ours.metadata()?.len()
                && same_bytes(&mut ours, &mut theirs)?)
        };
        same().unwrap_or(false)
    }
}

fn in_the_way() -> Trouble {
    Trouble::Reason("something else is there, and was left as it is".to_owned())
}

fn same_bytes(a: &mut File, b: &mut File) -> io::Result<bool> {
    let mut buffers = [vec![0; 64 << 10], vec![0; 64 << 10]];
    loop {
        let [left, right] = &mut buffers;
        let n = a.read(left)?;
        if n == 0 {
            return Ok(b.read(right)? == 0);
        }
        match b.read_exact(&mut right[..n]) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            read => read?,
        }
        if left[..n] != right[..n] {
            return Ok(false);
        }
    }
}
