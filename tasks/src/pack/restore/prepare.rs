//! What comes before the operation: its store lies in the repository that it is to make, or that
//! exists.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::format::{PackDir, Refs};
use super::into::{Namespace, Place, place};
use super::{Input, RestoreError};
use crate::core::database::MugDb;
use crate::core::error::CoreError;
use crate::core::registry::Registry;
use crate::core::resume::OperationManager;

/// Makes the target's Git directory and opens the store in it, for an operation that is to start.
///
/// A pack that can't be read, and a target that is not free, are refused before anything is made.
pub fn begin(input: &Input, registry: &Registry) -> Result<MugDb, RestoreError> {
    let pack = PackDir::open(&input.pack)?;
    if pack.manifest().layers.is_empty() {
        return Err(RestoreError::NoLayers {
            path: input.pack.clone(),
        });
    }
    if let Some(place) = &input.into {
        place.check(&place::open(&input.target)?, &newest_refs(&pack)?)?;
        let db = MugDb::for_repository(&input.target)?;
        if let Some(dir) = db.dir() {
            registry.add(dir)?;
        }
        return Ok(db);
    }
    input.target().check_free(None)?;
    let git_dir = input.target().git_dir();
    fs::create_dir_all(&git_dir).map_err(RestoreError::io(&git_dir))?;
    let db = MugDb::for_repository(&git_dir)?;
    let manager = OperationManager::new(db.clone());
    let operations = manager.list(None).map_err(CoreError::from)?;
    if let Some(operation) = operations.first() {
        return Err(RestoreError::TargetBusy {
            path: input.target.clone(),
            id: operation.id.clone(),
        });
    }
    if let Some(dir) = db.dir() {
        registry.add(dir)?;
    }
    Ok(db)
}

/// The refs of the pack's newest layer.
fn newest_refs(pack: &PackDir) -> Result<Refs, RestoreError> {
    match pack.manifest().layers.last() {
        Some(newest) => Ok(pack.layer(newest)?.refs().clone()),
        None => Ok(Refs::default()),
    }
}

/// What to restore into the repository that `path` is in: `bare` is of no concern then.
pub fn into(pack: PathBuf, path: &Path, namespace: Namespace) -> Result<Input, RestoreError> {
    let repository = gix::discover(path).map_err(|_| CoreError::NoRepository {
        path: path.to_owned(),
    })?;
    let common_dir = repository.common_dir();
    let target = common_dir
        .canonicalize()
        .map_err(RestoreError::io(common_dir))?;
    Ok(Input {
        pack,
        target,
        bare: false,
        into: Some(Place { namespace }),
    })
}

/// Opens the store of a restore that was begun.
pub fn reopen(input: &Input) -> Result<MugDb, RestoreError> {
    let git_dir = input.git_dir();
    if !git_dir.is_dir() {
        return Err(RestoreError::NotBegun {
            path: input.target.clone(),
        });
    }
    Ok(MugDb::for_repository(&git_dir)?)
}
