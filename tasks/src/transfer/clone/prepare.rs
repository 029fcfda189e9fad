//! What comes before and after the operation: its store lies in the repository that it is to make.

use std::fs;
use std::io;
use std::path::Path;

use super::{CloneError, Input};
use crate::core::database::MugDb;
use crate::core::error::CoreError;
use crate::core::registry::Registry;
use crate::core::resume::{Operation, OperationManager, OperationStatus};

/// Makes the target's Git directory and opens the store in it, for an operation that is to start.
///
/// A target that is not free is refused before anything is made.
pub fn begin(input: &Input, registry: &Registry) -> Result<MugDb, CloneError> {
    input.target().check_free(None)?;
    let git_dir = input.git_dir();
    fs::create_dir_all(&git_dir).map_err(CloneError::io(&git_dir))?;
    let db = MugDb::for_repository(&git_dir)?;
    let manager = OperationManager::new(db.clone());
    let operations = manager.list(None).map_err(CoreError::from)?;
    // A store that is kept with the user may remember clones of before.
    let unfinished = |op: &&Operation| op.status != OperationStatus::Completed;
    if let Some(operation) = operations.iter().find(unfinished) {
        return Err(CloneError::Busy {
            path: input.target.clone(),
            id: operation.id.clone(),
        });
    }
    if let Some(dir) = db.dir() {
        registry.add(dir)?;
    }
    Ok(db)
}

/// Opens the store of a clone that was begun.
pub fn reopen(input: &Input) -> Result<MugDb, CloneError> {
    let git_dir = input.git_dir();
    if !git_dir.is_dir() {
        return Err(CloneError::NotBegun {
            path: input.target.clone(),
        });
    }
    Ok(MugDb::for_repository(&git_dir)?)
}

/// Removes what an unfinished clone has made: all of its directory, or what is in it where it was
/// there before. False if there is a repository by now, which stays.
pub fn purge(input: &Input) -> Result<bool, CloneError> {
    if input.git_dir().join("HEAD").symlink_metadata().is_ok() {
        return Ok(false);
    }
    let target = &input.target;
    if !input.existed {
        remove(target)?;
        return Ok(true);
    }
    for entry in fs::read_dir(target).map_err(CloneError::io(target))? {
        remove(&entry.map_err(CloneError::io(target))?.path())?;
    }
    Ok(true)
}

fn remove(path: &Path) -> Result<(), CloneError> {
    let meta = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        meta => meta.map_err(CloneError::io(path))?,
    };
    let removed = if meta.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    removed.map_err(CloneError::io(path))
}
