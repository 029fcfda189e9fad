//! Which directories hold stores with operations, so that they are found from anywhere: a clone's
//! target does not exist yet where the user stands.
//!
//! One file of the user's, a JSON object a line. It is replaced whole, under a lock file; whoever
//! reads it drops the entries whose directory is gone. It only helps to find stores: what they hold
//! does not rest on it.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use resume_runtime::path_text;
use serde::{Deserialize, Serialize};

use super::error::CoreError;
use super::user_dir::UserDir;

/// The largest file that is read; a larger one is no registry of ours.
const MAX_BYTES: u64 = 16 << 20;

/// The list of the user's stores.
#[derive(Clone, Debug)]
pub struct Registry {
    file: PathBuf,
}

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    #[serde(with = "path_text")]
    store: PathBuf,
}

impl Registry {
    /// The registry of this user.
    pub fn open() -> Result<Self, CoreError> {
        Ok(Self::in_dir(&UserDir::from_env()?.path))
    }

    /// The registry in the directory `dir`, which need not exist.
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            file: dir.join("stores"),
        }
    }

    /// Adds the store in the directory `store`; one that is there already stays as it is.
    pub fn add(&self, store: &Path) -> Result<(), CoreError> {
        let store = store.canonicalize().map_err(CoreError::io(store))?;
        let _lock = self.lock()?;
        let mut entries = self.read()?;
        if !entries.iter().any(|entry| entry.store == store) {
            entries.push(Entry { store });
            self.write(&entries)?;
        }
        Ok(())
    }

    /// All directories with stores that are still there, in the order in which they were added.
    pub fn stores(&self) -> Result<Vec<PathBuf>, CoreError> {
        if !self.file.exists() {
            return Ok(Vec::new());
        }
        let mut entries = self.read()?;
        let known = entries.len();
        entries.retain(|entry| entry.store.is_dir());
        if entries.len() != known
            && let Ok(_lock) = self.lock()
        {
            // Somebody may have added one since; where it can't be written, that is no matter.
            entries = self.read()?;
            entries.retain(|entry| entry.store.is_dir());
            let _ = self.write(&entries);
        }
        Ok(entries.into_iter().map(|entry| entry.store).collect())
    }

    fn read(&self) -> Result<Vec<Entry>, CoreError> {
        let bytes = match fs::metadata(&self.file) {
            Ok(meta) if meta.len() <= MAX_BYTES => {
                fs::read(&self.file).map_err(CoreError::io(&self.file))?
            }
            Ok(_) => Vec::new(),
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(CoreError::io(&self.file)(error)),
        };
        // A line that can't be read is left out, and gone with the next write.
        let entries = bytes
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok());
        Ok(entries.collect())
    }

    fn write(&self, entries: &[Entry]) -> Result<(), CoreError> {
        let mut bytes = Vec::new();
        for entry in entries {
            // Strings always serialise.
            bytes.extend(serde_json::to_vec(entry).unwrap_or_default());
            bytes.push(b'\n');
        }
        let beside = self.file.with_extension("new");
        let write = || {
            let mut file = private().truncate(true).open(&beside)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&beside, &self.file)
        };
        write().map_err(CoreError::io(&self.file))
    }

    /// Held as long as the file lives.
    fn lock(&self) -> Result<File, CoreError> {
        let path = self.file.with_extension("lock");
        if let Some(dir) = path.parent() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(dir).map_err(CoreError::io(dir))?;
        }
        let file = private().open(&path).map_err(CoreError::io(&path))?;
        file.lock().map_err(CoreError::io(&path))?;
        Ok(file)
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::PermissionsExt as _;

    fn store(dir: &Path, name: impl AsRef<OsStr>) -> PathBuf {
        let store = dir.join(name.as_ref());
        fs::create_dir_all(&store).unwrap();
        store.canonicalize().unwrap()
    }

    #[test]
    fn stores_are_listed_once_in_order_until_they_are_gone() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::in_dir(&dir.path().join("state"));
        assert!(registry.stores().unwrap().is_empty());
        let names: [&OsStr; 3] = [
            "b".as_ref(),
            "with\nline".as_ref(),
            OsStr::from_bytes(b"\xff"),
        ];
        let stores = names.map(|name| store(dir.path(), name));
        for path in stores.iter().chain(&stores) {
            registry.add(path).unwrap();
        }
        assert_eq!(registry.stores().unwrap(), stores);
        fs::remove_dir(&stores[0]).unwrap();
        assert_eq!(registry.stores().unwrap(), stores[1..]);
        assert_eq!(
            fs::read(&registry.file)
                .unwrap()
                .split(|byte| *byte == b'\n')
                .count(),
            3
        );
        assert_eq!(
            fs::metadata(&registry.file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn lines_that_cannot_be_read_do_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::in_dir(dir.path());
        let path = store(dir.path(), "a");
        registry.add(&path).unwrap();
        let mut bytes = fs::read(&registry.file).unwrap();
        bytes.splice(0..0, *b"\xff{\n[]\n");
        fs::write(&registry.file, bytes).unwrap();
        assert_eq!(registry.stores().unwrap(), [path]);
    }

    #[test]
    fn many_threads_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::in_dir(&dir.path().join("state"));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (registry, dir) = (registry.clone(), dir.path());
                scope.spawn(move || {
                    for number in 0..5 {
                        registry
                            .add(&store(dir, format!("{thread}-{number}")))
                            .unwrap();
                    }
                });
            }
        });
        assert_eq!(registry.stores().unwrap().len(), 40);
    }
}
