//! A repository that borrows the objects of another, for what is to be read through one: Git's
//! configuration, attributes, objects. A new repository has no `HEAD` until all else is done.

use std::fs;
use std::io;
use std::path::Path;

use gix_hash::ObjectId;

use crate::disk::Disk;

/// Makes a repository at `at`, in the place of whatever is there, that has the objects of the
/// directory `objects`. Its `HEAD` is `head`, or unborn.
pub fn repository(
    objects: &Path,
    head: Option<&ObjectId>,
    at: &Path,
    disk: &dyn Disk,
) -> io::Result<gix::Repository> {
    remove(at, disk)?;
    fs::create_dir_all(at)?;
    let options = gix::create::Options::default();
    let made = gix::create::into(at, gix::create::Kind::WithWorktree, options);
    made.map_err(|error| io::Error::other(error.to_string()))?;
    let own = at.join(".git/objects");
    fs::remove_dir_all(&own)?;
    std::os::unix::fs::symlink(objects, own)?;
    if let Some(head) = head {
        fs::write(at.join(".git/HEAD"), format!("{head}\n"))?;
    }
    gix::open(at).map_err(|error| io::Error::other(error.to_string()))
}

/// Removes a directory, which need not be there.
pub fn remove(path: &Path, disk: &dyn Disk) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Ok(()) => disk.sync(path.parent().unwrap_or(Path::new("."))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
