//! The folder that an operation has for itself: `ops/<id>` in the store.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use crate::database::Database;
use crate::store::StoreError;

/// The folder of `id`; none where the store has no directory. It need not exist.
pub(crate) fn path(db: &Database, id: &str) -> Result<Option<PathBuf>, StoreError> {
    // An id is data: it must not lead out of the directory.
    let mut parts = Path::new(id).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None) if name == id => {}
        _ => {
            return Err(StoreError::Backend(format!(
                "{id:?} cannot be the name of a folder"
            )));
        }
    }
    Ok(db.dir().map(|dir| dir.join("ops").join(id)))
}

/// Removes the folder of `id` and all that is in it. A symbolic link in it, or in
/// its place, is removed and not followed.
pub(crate) fn remove(db: &Database, id: &str) -> Result<(), StoreError> {
    let Some(path) = path(db, id)? else {
        return Ok(());
    };
    match std::fs::remove_dir_all(&path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(StoreError::io(&path, e)),
        _ => Ok(()),
    }
}

/// The ids that have a folder, and when it was last changed.
pub(crate) fn all(db: &Database) -> Result<Vec<(String, SystemTime)>, StoreError> {
    let Some(ops) = db.dir().map(|dir| dir.join("ops")) else {
        return Ok(Vec::new());
    };
    let entries = match std::fs::read_dir(&ops) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(StoreError::io(&ops, e)),
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| StoreError::io(&ops, e))?;
        let modified = entry.metadata().and_then(|m| m.modified());
        if let (Ok(id), Ok(modified)) = (entry.file_name().into_string(), modified) {
            all.push((id, modified));
        }
    }
    Ok(all)
}
