//! Puts staged files under their names.
//!
//! Directories are opened one within the other, never through a symbolic link, and every rename
//! happens within an open directory: whatever becomes of the path meanwhile, nothing is written
//! elsewhere. A rename never replaces anything.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, ByteSlice as _};
use gix::index::entry::{Mode as EntryMode, Stat};
use resume_runtime::StepError;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::error;
use super::rows;
use super::stage::{self, What};
use crate::rename::rename_new;

/// So many directories of a path are kept open.
const OPEN: usize = 64;

/// Why an entry is not placed.
pub(super) enum Trouble {
    /// It is left out, and this is said.
    Reason(String),
    /// It may go another time.
    Step(StepError),
}

pub(super) struct Placer {
    root: PathBuf,
    staging: PathBuf,
    staged: OwnedFd,
    top: OwnedFd,
    /// The directories that lead to the last one, with the length of their paths.
    open: Vec<(usize, OwnedFd)>,
    /// The last one's path, without a slash at its end.
    path: Vec<u8>,
    /// The last one, if it is too deep to be kept.
    deep: Option<OwnedFd>,
    touched: BTreeSet<PathBuf>,
}

impl Placer {
    /// Places what is in `staging` below `root`; both exist.
    pub(super) fn new(root: &Path, staging: &Path) -> Result<Self, StepError> {
        let open = |path: &Path| {
            let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty()).map_err(error::io(path))
        };
        Ok(Self {
            top: open(root)?,
            staged: open(staging)?,
            root: root.to_owned(),
            staging: staging.to_owned(),
            open: Vec::new(),
            path: Vec::new(),
            deep: None,
            touched: BTreeSet::new(),
        })
    }

    /// The directories whose entries changed since this was asked.
    pub(super) fn take_touched(&mut self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.touched)
    }

    /// Places an entry and gives its stat data. What is there already is taken over if it is the
    /// same.
    pub(super) fn place(
        &mut self,
        number: usize,
        path: &BStr,
        mode: EntryMode,
        what: What,
    ) -> Result<Stat, Trouble> {
        let (dir, name) = match path.rsplit_once_str("/") {
            Some((dir, name)) => (dir, name),
            None => (&b""[..], &**path),
        };
        self.enter(dir)?;
        let staged = stage::name(number);
        let here = self.here();
        let placed = match what {
            What::Submodule => match rustix::fs::mkdirat(here, name, Mode::from(0o777)) {
                Err(Errno::EXIST) => {
                    let there = rustix::fs::statat(here, name, AtFlags::SYMLINK_NOFOLLOW);
                    match there {
                        Ok(stat) if FileType::from_raw_mode(stat.st_mode).is_dir() => Ok(false),
                        Ok(_) => return Err(in_the_way()),
                        Err(error) => Err(error),
                    }
                }
                done => done.map(|()| true),
            },
            What::File | What::Link => match rename_new(self.staged.as_fd(), &staged, here, name) {
                Err(Errno::EXIST) => {
                    if !self.is_same(&staged, here, name, mode, what) {
                        return Err(in_the_way());
                    }
                    Ok(false)
                }
                moved => moved.map(|()| true),
            },
            What::Nothing => return Ok(Stat::default()),
        };
        let placed = placed.and_then(|new| {
            let stat = rustix::fs::statat(here, name, AtFlags::SYMLINK_NOFOLLOW)?;
            Ok((new, stat))
        });
        match placed {
            Ok((new, stat)) => {
                if new {
                    let dir = self.root.join(OsStr::from_bytes(dir));
                    self.touched.insert(dir);
                }
                Ok(rows::stat(&stat))
            }
            Err(error) => Err(self.trouble(path, error)),
        }
    }

    fn here(&self) -> BorrowedFd<'_> {
        let deepest = self.deep.as_ref();
        let deepest = deepest.or_else(|| self.open.last().map(|(_, fd)| fd));
        deepest.unwrap_or(&self.top).as_fd()
    }

    /// Makes `dir` the last directory; makes it where it is missing.
    fn enter(&mut self, dir: &[u8]) -> Result<(), Trouble> {
        if self.path == dir {
            return Ok(());
        }
        self.deep = None;
        while let Some((len, _)) = self.open.last() {
            let within = dir.get(..*len) == Some(&self.path[..*len])
                && matches!(dir.get(*len), None | Some(b'/'));
            if within {
                break;
            }
            self.open.pop();
        }
        let mut len = self.open.last().map_or(0, |(len, _)| *len);
        // Should a step below fail, what is open is what the path says.
        self.path.truncate(len);
        while len < dir.len() {
            let start = len + usize::from(len > 0);
            let end = dir[start..]
                .find_byte(b'/')
                .map_or(dir.len(), |at| start + at);
            let name = &dir[start..end];
            let path = &dir[..end];
            let fd = self.open_dir(name, path)?;
            if self.open.len() < OPEN {
                self.open.push((end, fd));
                self.path = path.to_vec();
            } else {
                self.deep = Some(fd);
            }
            len = end;
        }
        self.path = dir.to_vec();
        Ok(())
    }

    fn open_dir(&mut self, name: &[u8], path: &[u8]) -> Result<OwnedFd, Trouble> {
        let here = self.here();
        let made = match rustix::fs::mkdirat(here, name, Mode::from(0o777)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(self.failed(path, error)),
        };
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(here, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let path = path.as_bstr();
                let said = format!("{path:?} is there and no directory");
                self.path
                    .truncate(self.open.last().map_or(0, |(len, _)| *len));
                self.deep = None;
                return Err(Trouble::Reason(said));
            }
            Err(error) => return Err(self.failed(path, error)),
        };
        if made {
            let path = self.root.join(OsStr::from_bytes(path));
            if let Some(parent) = path.parent() {
                self.touched.insert(parent.to_owned());
            }
            self.touched.insert(path);
        }
        Ok(fd)
    }

    /// An error on the way to a directory: what is open fits the path again.
    fn failed(&mut self, path: &[u8], error: Errno) -> Trouble {
        self.path
            .truncate(self.open.last().map_or(0, |(len, _)| *len));
        self.deep = None;
        self.trouble(path.as_bstr(), error)
    }

    fn trouble(&self, path: &BStr, error: Errno) -> Trouble {
        match error {
            // These names no attempt will ever write.
            Errno::NAMETOOLONG | Errno::INVAL | Errno::ILSEQ => {
                Trouble::Reason(format!("this file system can't have it: {error}"))
            }
            error => {
                let path = self.root.join(OsStr::from_bytes(path));
                Trouble::Step(error::io(&path)(error))
            }
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
