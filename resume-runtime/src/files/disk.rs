//! Making names durable.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::faults::Faults;

/// Creates `dir` and what is missing above it; gives the directories whose
/// entries are new and must be synced before anything rests on them.
pub(crate) fn create_dirs(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut missing = Vec::new();
    let mut at = dir;
    while !at.as_os_str().is_empty() && !at.exists() {
        missing.push(at);
        match at.parent() {
            Some(parent) => at = parent,
            None => break,
        }
    }
    fs::create_dir_all(dir)?;
    Ok(missing
        .iter()
        .filter_map(|dir| dir.parent().map(Path::to_owned))
        .collect())
}

/// Syncs a directory, so that its entries survive a power cut.
pub(crate) fn sync_dir(dir: &Path, faults: &dyn Faults) -> io::Result<()> {
    faults.sync(dir)?;
    #[cfg(unix)]
    File::open(dir)?.sync_all()?;
    Ok(())
}

/// Syncs a file that the runtime did not write, or a directory, and the
/// directory that holds its name.
pub(crate) fn sync_path(path: &Path, faults: &dyn Faults) -> io::Result<()> {
    faults.sync(path)?;
    File::open(path)?.sync_all()?;
    if let Some(parent) = parent(path) {
        sync_dir(&parent, faults)?;
    }
    faults.durable(path);
    Ok(())
}

/// The directory that holds a path's name.
pub(crate) fn parent(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        parent.to_owned()
    })
}

/// Device and inode; none where the system has no such thing.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "none on other systems")]
pub(crate) fn identity(meta: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((meta.dev(), meta.ino()))
}

#[cfg(not(unix))]
pub(crate) fn identity(_meta: &fs::Metadata) -> Option<(u64, u64)> {
    None
}
