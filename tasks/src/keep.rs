//! Holds a pack against `git gc` while no ref leads to it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::io::Errno;

use crate::disk::Disk;
use crate::rename::rename_new;

fn path(stem: &Path) -> PathBuf {
    stem.with_extension("keep")
}

fn content(id: &str) -> String {
    format!("mug {id}\n")
}

/// Makes the `.keep` file of the pack that is to come; `own` is a directory of the operation. One
/// that is there already stays whose it is.
pub(crate) fn place(stem: &Path, id: &str, own: &Path, disk: &dyn Disk) -> io::Result<()> {
    let (path, staged) = (path(stem), own.join("keep"));
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    fs::create_dir_all(own)?;
    fs::write(&staged, content(id))?;
    disk.sync(&staged)?;
    match rename_new(CWD, &staged, CWD, &path) {
        Ok(()) => {}
        Err(Errno::EXIST) => fs::remove_file(&staged)?,
        Err(error) => return Err(error.into()),
    }
    disk.sync(dir)
}

/// Removes it, if it is the operation's own.
pub(crate) fn release(stem: &Path, id: &str, disk: &dyn Disk) -> io::Result<()> {
    let path = path(stem);
    match fs::read(&path) {
        Ok(found) if found == content(id).as_bytes() => fs::remove_file(&path)?,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        // That it is gone may not be on disk yet.
        Err(_) => {}
        Ok(_) => return Ok(()),
    }
    disk.sync(path.parent().unwrap_or(Path::new(".")))
}
