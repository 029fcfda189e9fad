//! What is committed of a file.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Files;
use crate::database::Database;
use crate::faults::Faults;
use crate::path::path_text;
use crate::records;
use crate::store::{Direction, ReadTxn, Space, StoreError, WriteTxn};

/// What the store knows of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileRecord {
    /// The directory that it was put in; the operation's own otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dir: Option<Place>,
    /// Counts the restarts.
    pub(crate) generation: u64,
    /// The committed length in bytes.
    pub(crate) len: u64,
    /// Device and inode, by which a file is known again after a rename.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<(u64, u64)>,
    /// Where it was installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) installed: Option<Place>,
    /// Whether what it left outside of the operation's folder was removed, once
    /// the operation was done. From then on its names are anybody's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) discarded: bool,
    /// The number of the commit that wrote this.
    pub(crate) commit: u64,
}

/// A path, stored as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Place(#[serde(with = "path_text")] pub(crate) PathBuf);

impl FileRecord {
    /// Where the file lies while it is not installed.
    pub(crate) fn path(&self, private: &Path, name: &str) -> PathBuf {
        let dir = self.dir.as_ref().map_or(private, |dir| &dir.0);
        match self.generation {
            0 => dir.join(name),
            n => dir.join(format!("{name}.~{n}")),
        }
    }
}

impl FileRecord {
    /// The generation before this one.
    pub(crate) fn before(&self) -> Option<Self> {
        Some(Self {
            generation: self.generation.checked_sub(1)?,
            ..self.clone()
        })
    }

    /// The generation after this one.
    pub(crate) fn after(&self) -> Self {
        Self {
            generation: self.generation + 1,
            ..self.clone()
        }
    }
}

/// The files of an operation, by name.
pub(crate) fn load(
    txn: &dyn ReadTxn,
    id: &str,
) -> Result<BTreeMap<String, FileRecord>, StoreError> {
    let prefix = records::prefix(id);
    let mut files = BTreeMap::new();
    let mut bad = None;
    records::scan(
        txn,
        Space::Files,
        id,
        Direction::Forward,
        &mut |key, value| {
            let name = String::from_utf8_lossy(&key[prefix.len()..]).into_owned();
            match serde_json::from_slice(value) {
                Ok(record) => {
                    files.insert(name, record);
                    ControlFlow::Continue(())
                }
                Err(e) => {
                    bad = Some(StoreError::Record {
                        id: id.to_owned(),
                        reason: format!("its file `{name}`: {e}"),
                    });
                    ControlFlow::Break(())
                }
            }
        },
    )?;
    bad.map_or(Ok(files), Err)
}

/// Removes what a completed operation left, if that was not done yet. The process
/// that completed it does so at once, unless it dies first.
pub(crate) fn discard(
    db: &Database,
    id: &str,
    private: Option<PathBuf>,
    faults: Arc<dyn Faults>,
) -> Result<(), StoreError> {
    let committed = db.read(|txn| load(txn, id))?;
    let changed = Files::new(private, committed, faults).discard();
    if changed.is_empty() {
        return Ok(());
    }
    let id = id.to_owned();
    db.write_blocking(move |txn| match records::get(txn.as_read(), &id)? {
        Some(_) => store(txn, &id, &changed),
        None => Ok(()),
    })
}

/// Writes what a commit says of files.
pub(crate) fn store(
    txn: &mut dyn WriteTxn,
    id: &str,
    changed: &[(String, FileRecord)],
) -> Result<(), StoreError> {
    for (name, record) in changed {
        let key = [&records::prefix(id)[..], name.as_bytes()].concat();
        let value = serde_json::to_vec(record).map_err(|e| StoreError::Record {
            id: id.to_owned(),
            reason: format!("its file `{name}`: {e}"),
        })?;
        txn.put(Space::Files, &key, &value)?;
    }
    Ok(())
}
