//! What is committed of a file.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

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
