//! The files by which Git knows that a merge is going on.

use std::fs;
use std::io;
use std::path::Path;

use gix_hash::ObjectId;

use super::error::MergeError;
use crate::disk::Disk;
use crate::history::commit::CommitError;

/// What is going on in a working tree, if anything is.
pub(super) fn in_progress(git_dir: &Path) -> Option<MergeError> {
    let what = [
        ("MERGE_HEAD", "a merge"),
        ("CHERRY_PICK_HEAD", "a cherry-pick"),
        ("REVERT_HEAD", "a revert"),
        ("rebase-merge", "a rebase"),
        ("rebase-apply", "a rebase"),
    ];
    let found = what.iter().find(|(name, _)| git_dir.join(name).exists());
    found.map(|(_, what)| MergeError::Busy { what })
}

/// Writes a file, which is seen as a whole or not at all. `own` is a directory of the operation.
pub(super) fn write(
    git_dir: &Path,
    name: &str,
    bytes: &[u8],
    own: &Path,
    disk: &dyn Disk,
) -> Result<(), CommitError> {
    let (path, staged) = (git_dir.join(name), own.join("writing"));
    let write = || -> io::Result<()> {
        fs::create_dir_all(own)?;
        fs::write(&staged, bytes)?;
        disk.sync(&staged)?;
        fs::rename(&staged, &path)?;
        disk.sync(&path)
    };
    write().map_err(CommitError::io(&path))
}

/// Writes `ORIG_HEAD`, `MERGE_HEAD` and the like.
pub(super) fn write_id(
    git_dir: &Path,
    name: &str,
    id: ObjectId,
    own: &Path,
    disk: &dyn Disk,
) -> Result<(), CommitError> {
    write(git_dir, name, format!("{id}\n").as_bytes(), own, disk)
}

/// The id in a file; none where there is no such file.
pub(super) fn read_id(git_dir: &Path, name: &str) -> Option<ObjectId> {
    let bytes = fs::read(git_dir.join(name)).ok()?;
    ObjectId::from_hex(bytes.get(..40)?).ok()
}

/// Removes what says that a merge is going on. `MERGE_HEAD` goes last: as long as it is there, Git
/// knows of the merge.
pub(super) fn clear(git_dir: &Path, disk: &dyn Disk) -> Result<(), CommitError> {
    for name in [
        "MERGE_RR",
        "MERGE_MSG",
        "MERGE_MODE",
        "AUTO_MERGE",
        "MERGE_HEAD",
    ] {
        let path = git_dir.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(CommitError::io(&path)(error));
            }
            _ => {}
        }
    }
    disk.sync(git_dir).map_err(CommitError::io(git_dir))
}
