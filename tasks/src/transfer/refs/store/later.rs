//! Many files that get on disk together.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::Disk;

/// Collects what is to be on disk, and puts it there at the price of one sync.
pub(super) struct Later<'a> {
    disk: &'a dyn Disk,
    /// Where all of it is.
    base: &'a Path,
    paths: RefCell<BTreeSet<PathBuf>>,
}

impl<'a> Later<'a> {
    /// For what is in `base`.
    pub(super) fn new(base: &'a Path, disk: &'a dyn Disk) -> Self {
        Self {
            disk,
            base,
            paths: RefCell::default(),
        }
    }

    /// Notes a file or directory; that something was removed from a directory is noted with it.
    pub(super) fn note(&self, path: &Path) {
        let mut paths = self.paths.borrow_mut();
        // The names that lead to it as well.
        for it in path.ancestors().take_while(|it| it.starts_with(self.base)) {
            if !paths.insert(it.to_owned()) {
                break;
            }
        }
    }

    /// Puts all of it on disk.
    pub(super) fn settle(self) -> io::Result<()> {
        let there = |path: &PathBuf| path.symlink_metadata().is_ok();
        let paths: Vec<PathBuf> = self.paths.into_inner().into_iter().filter(there).collect();
        if paths.is_empty() {
            return Ok(());
        }
        self.disk.sync_all(self.base, &paths)
    }
}

impl Disk for Later<'_> {
    fn sync(&self, path: &Path) -> io::Result<()> {
        self.note(path);
        Ok(())
    }

    fn sync_tree(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_tree(dir)
    }
}
