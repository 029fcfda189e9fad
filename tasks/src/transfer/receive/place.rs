//! Where packs go: into a directory, under the name that Git gives them.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use gix_hash::ObjectId;

use super::ReceiveError;
use crate::{
    disk::Disk,
    pack::git_idx::{self, Row},
};

/// The file of the pack with this hash, in the directory `packs`.
pub(super) fn pack_path(packs: &Path, hash: &ObjectId) -> PathBuf {
    packs.join(format!("pack-{hash}.pack"))
}

/// Gives the whole pack in the file `raw` its name. The bytes are not copied where the file system
/// can give a file a second name.
pub(super) fn link(raw: &Path, pack: &Path) -> Result<(), ReceiveError> {
    let error = |error| ReceiveError::io(pack)(error);
    let temporary = temporary(pack);
    remove(&temporary)?;
    if let (Ok(a), Ok(b)) = (fs::metadata(raw), fs::metadata(pack))
        && (a.dev(), a.ino()) == (b.dev(), b.ino())
    {
        return Ok(());
    }
    let linked = fs::hard_link(raw, &temporary);
    if linked.is_err() {
        fs::copy(raw, &temporary).map_err(error)?;
    }
    open_up(&temporary).map_err(error)?;
    fs::rename(&temporary, pack).map_err(error)
}

/// Writes a file under a temporary name, and gives it the final one that `write` tells.
pub(super) fn write_as<T>(
    packs: &Path,
    write: impl FnOnce(&mut File) -> Result<(T, PathBuf), ReceiveError>,
) -> Result<(T, PathBuf), ReceiveError> {
    let temporary = packs.join("tmp_pack_incoming");
    let mut file = File::create(&temporary).map_err(ReceiveError::io(&temporary))?;
    let written = write(&mut file);
    let moved = written.and_then(|(made, path)| {
        fs::rename(&temporary, &path).map_err(ReceiveError::io(&path))?;
        Ok((made, path))
    });
    if moved.is_err() {
        // What is left of it is only waste.
        let _ = fs::remove_file(&temporary);
    }
    moved
}

/// Writes the index of `pack`, which makes the pack visible; all of it is on disk then. `rows` gives
/// the objects by their ids.
pub(super) fn index<I>(
    pack: &Path,
    hash: ObjectId,
    rows: impl Fn() -> I,
    disk: &dyn Disk,
) -> Result<(), ReceiveError>
where
    I: Iterator<Item = Result<Row, ReceiveError>>,
{
    let path = pack.with_extension("idx");
    let temporary = temporary(&path);
    let error = |error| ReceiveError::io(&path)(error);
    disk.sync(pack).map_err(ReceiveError::io(pack))?;
    let file = File::create(&temporary).map_err(error)?;
    git_idx::write(file, rows, hash, error)?;
    disk.sync(&temporary).map_err(error)?;
    fs::rename(&temporary, &path).map_err(error)?;
    disk.sync(&path).map_err(error)
}

/// Makes the packs in the directory `packs`, and their indices, read-only, as Git does.
///
/// For the time when no operation has a file of its own under a second name there any more: it could
/// not go on with that.
pub fn seal(packs: &Path, disk: &dyn Disk) -> Result<(), ReceiveError> {
    let error = |error| ReceiveError::io(packs)(error);
    for entry in fs::read_dir(packs).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if path.extension().is_none_or(|e| e != "pack" && e != "idx") {
            continue;
        }
        let seal = || {
            let mut permissions = fs::metadata(&path)?.permissions();
            if permissions.mode() & 0o222 == 0 {
                return Ok(());
            }
            permissions.set_mode(permissions.mode() & 0o444);
            fs::set_permissions(&path, permissions)?;
            disk.sync(&path)
        };
        seal().map_err(ReceiveError::io(&path))?;
    }
    Ok(())
}

fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("tmp_{name}"))
}

/// Removes a file, which need not be there.
pub(super) fn remove(path: &Path) -> Result<(), ReceiveError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ReceiveError::io(path)(error)),
        _ => Ok(()),
    }
}

/// Gives a file of an operation, which only its user may read, the mode of any other new file.
fn open_up(path: &Path) -> io::Result<()> {
    // What the umask is, only a new file tells.
    let probe = path.with_extension("mode");
    let mode = File::create(&probe)?.metadata()?.permissions();
    fs::remove_file(&probe)?;
    fs::set_permissions(path, mode)
}
