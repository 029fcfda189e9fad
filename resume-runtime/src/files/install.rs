//! Publishing files under their final names.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{self, Disk};
use super::record::FileRecord;
use crate::error::StepError;

/// One committed file, and the name that it gets.
pub(crate) struct Install<'a> {
    pub(crate) from: PathBuf,
    pub(crate) to: &'a Path,
    pub(crate) committed: &'a FileRecord,
}

/// Moves committed files to their names, or finds that this was done before.
/// Replaces what is there. `operation` is the operation's name.
///
/// A directory is synced once, when all names are in it.
pub(crate) fn install(
    files: &[Install<'_>],
    operation: &OsStr,
    disk: &Disk,
) -> Result<(), StepError> {
    let mut left = Vec::new();
    for file in files {
        let moved = file.rename(operation, disk)?;
        left.extend(file.from.parent().filter(|_| moved));
    }
    let mut synced = HashSet::new();
    for to in files.iter().map(|file| file.to) {
        if synced.insert(to.parent()) {
            disk.sync_names(to)?;
        }
    }
    for dir in left {
        if synced.insert(Some(dir)) {
            disk.sync_dir(dir)?;
        }
    }
    Ok(())
}

impl Install<'_> {
    /// Gives the file its name, which is not durable yet; says whether the old one
    /// is gone by that.
    fn rename(&self, operation: &OsStr, disk: &Disk) -> Result<bool, StepError> {
        let Self {
            from,
            to,
            committed,
        } = self;
        let target_dir = to
            .parent()
            .ok_or_else(|| StepError::fatal(format!("{} names no file", to.display())))?;
        fs::create_dir_all(target_dir)?;
        match fs::metadata(from) {
            Ok(found) if found.len() >= committed.len => {}
            Ok(found) => {
                return Err(StepError::fatal(format!(
                    "{} has {} bytes where {} were committed: it was changed from outside",
                    from.display(),
                    found.len(),
                    committed.len
                )));
            }
            // The rename was made; its directories may not be on disk yet.
            Err(e) if e.kind() == io::ErrorKind::NotFound && is_installed(to, committed) => {
                return Ok(false);
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(StepError::fatal(format!(
                    "{} is gone and was not installed as {}: it was removed from outside",
                    from.display(),
                    to.display()
                )));
            }
            Err(e) => return Err(e.into()),
        }
        // What a lost slice appended is no part of the result.
        let file = File::options().write(true).open(from)?;
        if file.metadata()?.len() > committed.len {
            file.set_len(committed.len)?;
            disk.sync_file(from, &file)?;
        }
        #[cfg(unix)]
        if committed.dir.is_none() {
            open_up(&file)?;
        }
        match fs::rename(from, to) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {
                copy(from, to, target_dir, operation, disk)?;
                return Ok(false);
            }
            Err(e) => return Err(e.into()),
        }
        // Of two names of one file both stay.
        match fs::remove_file(from) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e.into()),
            _ => Ok(true),
        }
    }
}

/// Gives a file out of the operation's own folder the mode of any other new file.
#[cfg(unix)]
fn open_up(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(umask) = umask() else {
        return Ok(());
    };
    file.set_permissions(fs::Permissions::from_mode(0o666 & !umask))
}

/// The process's umask, where it can be read without setting it.
#[cfg(unix)]
fn umask() -> Option<u32> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let umask = status
        .lines()
        .find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(umask.trim(), 8).ok()
}

/// Across file systems: a copy beside the target, then a rename. The source
/// stays until the operation is done, so that this can be repeated.
///
/// The copy's name carries that of the operation, so that it is nobody else's, and
/// is made anew: one that is there is what an earlier attempt left.
fn copy(
    from: &Path,
    to: &Path,
    target_dir: &Path,
    operation: &OsStr,
    disk: &Disk,
) -> io::Result<()> {
    let mut name = OsString::from(".");
    name.push(operation);
    name.push(".");
    name.push(to.file_name().unwrap_or_default());
    let beside = target_dir.join(name);
    match fs::remove_file(&beside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut source = File::open(from)?;
    let meta = source.metadata()?;
    let len = usize::try_from(meta.len()).unwrap_or(usize::MAX);
    disk.may_write(&beside, len)?;
    let mut options = File::options();
    options.write(true).create_new(true);
    let mut file = options.open(&beside)?;
    io::copy(&mut source, &mut file)?;
    file.set_permissions(meta.permissions())?;
    disk.sync_file(&beside, &file)?;
    fs::rename(&beside, to)
}

fn is_installed(to: &Path, committed: &FileRecord) -> bool {
    fs::metadata(to).is_ok_and(|found| {
        found.len() == committed.len
            // The inode alone: some file systems get another device number when
            // they are mounted again.
            && committed
                .identity
                .is_none_or(|(_, inode)| disk::identity(&found).is_some_and(|(_, n)| n == inode))
    })
}
