//! Directories of a working tree, opened one within the other and never through a symbolic link:
//! whatever becomes of a path meanwhile, nothing is written or removed elsewhere.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, ByteSlice as _};
use resume_runtime::StepError;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::error;

/// So many directories of a path are kept open.
const OPEN: usize = 64;

/// Why an entry is not placed.
pub(crate) enum Trouble {
    /// It is left out, and this is said.
    Reason(String),
    /// It may go another time.
    Step(StepError),
}

/// The directories of a working tree, with one of them as the present one.
pub(crate) struct Dirs {
    root: PathBuf,
    top: OwnedFd,
    /// The directories that lead to the present one, with the length of their paths.
    open: Vec<(usize, OwnedFd)>,
    /// The present one's path, without a slash at its end.
    path: Vec<u8>,
    /// The present one, if it is too deep to be kept.
    deep: Option<OwnedFd>,
    touched: BTreeSet<PathBuf>,
    /// The last path that was touched with all above it.
    last: Option<Vec<u8>>,
}

impl Dirs {
    /// Those of the working tree `root`, which exists; its root is the present one.
    pub(crate) fn new(root: &Path) -> Result<Self, StepError> {
        Ok(Self {
            top: open(root)?,
            root: root.to_owned(),
            open: Vec::new(),
            path: Vec::new(),
            deep: None,
            touched: BTreeSet::new(),
            last: None,
        })
    }

    /// The directories whose entries changed since this was asked.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<PathBuf> {
        self.last = None;
        std::mem::take(&mut self.touched)
    }

    /// Says that the entries of the present directory changed.
    pub(crate) fn touch(&mut self) {
        let dir = self.root.join(OsStr::from_bytes(&self.path));
        self.touched.insert(dir);
    }

    /// Says that the entries of the present directory and of all above it may have changed: by a
    /// process that died before they were on disk, for example.
    pub(crate) fn touch_all(&mut self) {
        if self.last.as_ref() == Some(&self.path) {
            return;
        }
        let dir = Path::new(OsStr::from_bytes(&self.path));
        for dir in dir.ancestors() {
            self.touched.insert(self.root.join(dir));
        }
        self.last = Some(self.path.clone());
    }

    /// The present directory.
    pub(crate) fn here(&self) -> BorrowedFd<'_> {
        let deepest = self.deep.as_ref();
        let deepest = deepest.or_else(|| self.open.last().map(|(_, fd)| fd));
        deepest.unwrap_or(&self.top).as_fd()
    }

    /// Makes `dir` the present directory; makes it where it is missing.
    pub(crate) fn make(&mut self, dir: &[u8]) -> Result<(), Trouble> {
        self.enter(dir, true).map(|_| ())
    }

    /// Makes `dir` the present directory if it is there; `false` if it is not, or is no directory.
    pub(crate) fn find(&mut self, dir: &[u8]) -> Result<bool, StepError> {
        match self.enter(dir, false) {
            Ok(found) => Ok(found),
            Err(Trouble::Reason(_)) => Ok(false),
            Err(Trouble::Step(error)) => Err(error),
        }
    }

    /// What an error at `path` means.
    pub(crate) fn trouble(&self, path: &BStr, error: Errno) -> Trouble {
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

    fn enter(&mut self, dir: &[u8], make: bool) -> Result<bool, Trouble> {
        if self.path == dir {
            return Ok(true);
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
            let Some(fd) = self.open_dir(name, path, make)? else {
                return Ok(false);
            };
            if self.open.len() < OPEN {
                self.open.push((end, fd));
                self.path = path.to_vec();
            } else {
                self.deep = Some(fd);
            }
            len = end;
        }
        self.path = dir.to_vec();
        Ok(true)
    }

    fn open_dir(
        &mut self,
        name: &[u8],
        path: &[u8],
        make: bool,
    ) -> Result<Option<OwnedFd>, Trouble> {
        let here = self.here();
        let is_new = make
            && match rustix::fs::mkdirat(here, name, Mode::from(0o777)) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(error) => return Err(self.failed(path, error)),
            };
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(here, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) if !make => {
                self.back();
                return Ok(None);
            }
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let path = path.as_bstr();
                let said = format!("{path:?} is there and no directory");
                self.back();
                return Err(Trouble::Reason(said));
            }
            Err(error) => return Err(self.failed(path, error)),
        };
        if is_new {
            let path = self.root.join(OsStr::from_bytes(path));
            if let Some(parent) = path.parent() {
                self.touched.insert(parent.to_owned());
            }
            self.touched.insert(path);
        }
        Ok(Some(fd))
    }

    /// An error on the way to a directory: what is open fits the path again.
    fn failed(&mut self, path: &[u8], error: Errno) -> Trouble {
        self.back();
        self.trouble(path.as_bstr(), error)
    }

    fn back(&mut self) {
        self.path
            .truncate(self.open.last().map_or(0, |(len, _)| *len));
        self.deep = None;
    }
}

/// Opens a directory that is known to be there.
pub(crate) fn open(path: &Path) -> Result<OwnedFd, StepError> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(error::io(path))
}

/// A path's directory, and its name there.
pub(crate) fn split(path: &BStr) -> (&[u8], &[u8]) {
    path.rsplit_once_str("/").unwrap_or((b"", path))
}
