//! Publishing a file under its final name.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::disk;
use super::record::FileRecord;
use crate::error::StepError;
use crate::faults::Faults;

/// Moves the committed file at `from` to `to`, or finds that this was done
/// before. Replaces what is at `to`.
pub(crate) fn install(
    from: &Path,
    to: &Path,
    committed: &FileRecord,
    faults: &dyn Faults,
) -> Result<(), StepError> {
    let target_dir = disk::parent(to)
        .ok_or_else(|| StepError::fatal(format!("{} names no file", to.display())))?;
    for dir in disk::create_dirs(&target_dir)? {
        disk::sync_dir(&dir, faults)?;
    }
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
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return if is_installed(to, committed) {
                // The rename was made; its directories may not be on disk yet.
                disk::sync_dir(&target_dir, faults)?;
                faults.renamed(from, to);
                Ok(())
            } else {
                Err(StepError::fatal(format!(
                    "{} is gone and was not installed as {}: it was removed from outside",
                    from.display(),
                    to.display()
                )))
            };
        }
        Err(e) => return Err(e.into()),
    }
    // What a lost slice appended is no part of the result.
    let file = File::options().write(true).open(from)?;
    if file.metadata()?.len() > committed.len {
        file.set_len(committed.len)?;
        file.sync_all()?;
    }
    match fs::rename(from, to) {
        Ok(()) => {
            disk::sync_dir(&target_dir, faults)?;
            if let Some(source_dir) = disk::parent(from).filter(|dir| *dir != target_dir) {
                disk::sync_dir(&source_dir, faults)?;
            }
            faults.renamed(from, to);
        }
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {
            copy(from, to, &target_dir, faults)?;
        }
        Err(e) => return Err(e.into()),
    }
    Ok(())
}

/// Across file systems: a copy beside the target, then a rename. The source
/// stays until the operation is done, so that this can be repeated.
fn copy(from: &Path, to: &Path, target_dir: &Path, faults: &dyn Faults) -> io::Result<()> {
    let mut beside = to.file_name().unwrap_or_default().to_owned();
    beside.push(".part");
    let beside: PathBuf = target_dir.join(beside);
    fs::copy(from, &beside)?;
    faults.sync(&beside)?;
    File::open(&beside)?.sync_all()?;
    fs::rename(&beside, to)?;
    disk::sync_dir(target_dir, faults)?;
    faults.durable(to);
    Ok(())
}

fn is_installed(to: &Path, committed: &FileRecord) -> bool {
    fs::metadata(to).is_ok_and(|found| {
        found.len() == committed.len
            && (committed.identity.is_none() || disk::identity(&found) == committed.identity)
    })
}
