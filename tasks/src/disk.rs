//! How bytes get on disk: an operation does it through its own accounting, a test plainly.

use std::io;
use std::path::Path;

/// Puts what was written on disk.
pub trait Disk {
    /// A file, or a directory's entries, with the names that lead to it.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// A directory with all that is below it.
    fn sync_tree(&self, dir: &Path) -> io::Result<()>;
}
