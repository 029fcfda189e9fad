//! Files that are replaced as a whole.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, ByteSlice as _};

use crate::disk::Disk;
use crate::transfer::refs::RefsError;

/// Where the ref `name` is kept as a file. The name was checked.
pub(in super::super) fn ref_path(git_dir: &Path, name: &BStr) -> PathBuf {
    git_dir.join(OsStr::from_bytes(name))
}

/// Replaces `path` by a file with these bytes, which are on disk before they can be seen. `own` is a
/// directory of the operation on the same file system. A file that has them already stays.
pub(in super::super) fn replace(
    path: &Path,
    bytes: &[u8],
    own: &Path,
    disk: &dyn Disk,
) -> Result<(), RefsError> {
    let staged = own.join("replacing");
    let write = || -> io::Result<()> {
        if is_file_with(path, bytes)? {
            return disk.sync(path);
        }
        fs::create_dir_all(own)?;
        fs::write(&staged, bytes)?;
        disk.sync(&staged)?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(&staged, path)?;
        disk.sync(path)
    };
    write().map_err(RefsError::io(path))
}

fn is_file_with(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_file() && meta.len() == bytes.len() as u64 => {
            Ok(fs::read(path)? == bytes)
        }
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a symbolic ref to `name` holds.
pub(in super::super) fn symbolic(name: &BStr) -> Vec<u8> {
    [b"ref: ", name.as_bytes(), b"\n"].concat()
}
