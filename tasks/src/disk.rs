//! How bytes get on disk: an operation does it through its own accounting, a test plainly.

use std::io;
use std::path::{Path, PathBuf};

use resume_runtime::{Blocking, Resumable};

/// Puts what was written on disk.
pub trait Disk {
    /// A file, or a directory's entries, with the names that lead to it.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// A directory with all that is below it.
    fn sync_tree(&self, dir: &Path) -> io::Result<()>;
    /// These files and directories, all on the file system of `on`: the content of files, the
    /// entries of directories, which must be among them for the names that lead to them.
    fn sync_all(&self, _on: &Path, paths: &[PathBuf]) -> io::Result<()> {
        paths.iter().try_for_each(|path| self.sync(path))
    }
}

impl<M: Resumable> Disk for Blocking<M> {
    fn sync(&self, path: &Path) -> io::Result<()> {
        self.sync(path).map_err(io::Error::other)
    }

    fn sync_tree(&self, dir: &Path) -> io::Result<()> {
        self.sync_tree(dir).map_err(io::Error::other)
    }

    fn sync_all(&self, on: &Path, paths: &[PathBuf]) -> io::Result<()> {
        self.sync_all(on, paths).map_err(io::Error::other)
    }
}

/// A disk without an operation.
#[cfg(test)]
pub(crate) struct Plain;

#[cfg(test)]
impl Disk for Plain {
    fn sync(&self, path: &Path) -> io::Result<()> {
        std::fs::File::open(path)?.sync_all()
    }

    fn sync_tree(&self, dir: &Path) -> io::Result<()> {
        self.sync(dir)
    }
}
