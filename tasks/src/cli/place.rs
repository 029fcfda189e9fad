//! Where operations are looked for: in the repository that the user is in, and
//! elsewhere among those that were started here (a restore's repository does not
//! exist yet, or is not the one the user is in). Outside of a repository,
//! everywhere.

use std::path::{Path, PathBuf};

use mug::core::database::{MugDb, STORE_NAME};
use mug::core::error::CoreError;
use mug::core::registry::Registry;
use mug::core::repository::Repository;
use mug::core::resume::{ManagerError, Operation, OperationManager, OperationStatus};

use super::error::Error;
use super::ui::{Ui, text};

/// The stores that a command looks into.
pub(super) struct Place {
    stores: Vec<Store>,
    /// Whether the user is in no repository, so that all count alike.
    everywhere: bool,
}

/// One store.
pub(super) struct Store {
    pub(super) manager: OperationManager,
    dir: PathBuf,
    /// Where operations must have been started to be seen; anywhere if not said.
    from: Option<PathBuf>,
}

/// An operation that was found.
pub(super) struct Found<'a> {
    pub(super) manager: &'a OperationManager,
    pub(super) id: String,
    pub(super) dir: &'a Path,
}

impl Place {
    /// The stores that concern the current directory.
    pub(super) fn here(ui: &Ui) -> Result<Self, Error> {
        let (here, everywhere) = match Repository::discover_db(".") {
            Ok(db) => (db.map(|db| Store::new(db, None)), false),
            Err(CoreError::NoRepository { .. }) => (None, true),
            Err(error) => return Err(error.into()),
        };
        let from = if everywhere {
            None
        } else {
            std::env::current_dir().ok()
        };
        let mut stores = Vec::from_iter(here);
        // Without a place for the user's state nothing else is known.
        let known = Registry::open().and_then(|registry| registry.stores());
        for dir in known.unwrap_or_default() {
            if stores.iter().any(|store| store.dir == dir) {
                continue;
            }
            match open(&dir) {
                Ok(db) => stores.push(Store::new(db, from.clone())),
                // One that cannot be read does not hide the others.
                Err(error) if everywhere || ui.verbose => {
                    ui.note(&format!("warning: {}", text::plain(&error.to_string())));
                }
                Err(_) => {}
            }
        }
        Ok(Self { stores, everywhere })
    }

    /// The stores, those of which only a part is seen included.
    pub(super) fn stores(&self) -> &[Store] {
        &self.stores
    }

    /// The stores of which all is seen.
    pub(super) fn own(&self) -> impl Iterator<Item = &Store> {
        self.stores.iter().filter(|store| store.from.is_none())
    }

    /// Whether it reaches beyond one repository.
    pub(super) const fn is_everywhere(&self) -> bool {
        self.everywhere
    }

    /// The operation whose id begins with `prefix`, whoever started it where; none if there is none.
    pub(super) fn find_anywhere(&self, prefix: &str) -> Result<Option<Found<'_>>, Error> {
        let mut found = Vec::new();
        for store in &self.stores {
            found.extend(store.find(prefix)?);
        }
        if found.len() > 1 {
            return Err(ambiguous(prefix, found));
        }
        Ok(found.pop())
    }

    /// The operation whose id begins with `prefix`.
    pub(super) fn find(&self, prefix: &str) -> Result<Found<'_>, Error> {
        let mut found = Vec::new();
        // Whatever there is in the repository comes first.
        for own in [true, false] {
            for store in &self.stores {
                if store.from.is_none() == own {
                    found.extend(store.find(prefix)?);
                }
            }
            if !found.is_empty() {
                break;
            }
        }
        if found.len() > 1 {
            return Err(ambiguous(prefix, found));
        }
        let found = found.pop().ok_or_else(|| ManagerError::Unknown {
            id: prefix.to_owned(),
        })?;
        match self.stores.iter().find(|store| store.dir == found.dir) {
            // It may be somebody else's; that is said, not assumed.
            Some(store) if store.from.is_some() && !store.sees(&found.record()?) => {
                Err(elsewhere(prefix, &found))
            }
            _ => Ok(found),
        }
    }
}

fn ambiguous(prefix: &str, found: Vec<Found<'_>>) -> Error {
    ManagerError::Ambiguous {
        prefix: prefix.to_owned(),
        total: found.len(),
        candidates: found.into_iter().map(|found| found.id).collect(),
    }
    .into()
}

fn elsewhere(prefix: &str, found: &Found) -> Error {
    let error = Error::failed(format!("there is no operation {prefix} here"));
    let id = &found.id;
    let error = match repository(found.dir) {
        Some(path) => error.hint(format!(
            "{id} is in {}: give that with `-C`",
            path.display()
        )),
        None => error.hint(format!("{id} is found outside of repositories")),
    };
    error.about(id)
}

impl Found<'_> {
    /// Its record, with the status as it is shown.
    pub(super) fn record(&self) -> Result<Operation, Error> {
        let op = self.manager.get(&self.id)?;
        op.ok_or_else(|| {
            ManagerError::Unknown {
                id: self.id.clone(),
            }
            .into()
        })
    }

    /// Whether its process died while it ran.
    pub(super) fn is_interrupted(&self) -> Result<bool, Error> {
        Ok(self.manager.is_interrupted(&self.id)?)
    }
}

impl Store {
    fn new(db: MugDb, from: Option<PathBuf>) -> Self {
        Self {
            dir: db.dir().map(PathBuf::from).unwrap_or_default(),
            manager: OperationManager::new(db),
            from,
        }
    }

    /// The repository that it belongs to.
    pub(super) fn repository(&self) -> Option<PathBuf> {
        repository(&self.dir)
    }

    /// The operations that are seen, the newest first.
    pub(super) fn list(&self) -> Result<Vec<Operation>, Error> {
        let mut ops = self.manager.list(None)?;
        ops.retain(|op| self.sees(op));
        Ok(ops)
    }

    /// What belongs to another repository is seen where it was started, until it
    /// is completed.
    fn sees(&self, op: &Operation) -> bool {
        self.from.as_deref().is_none_or(|from| {
            op.status != OperationStatus::Completed
                && op.directory.as_deref().map(Path::new) == Some(from)
        })
    }

    fn find(&self, prefix: &str) -> Result<Option<Found<'_>>, Error> {
        match self.manager.find(prefix) {
            Ok(id) => Ok(Some(Found {
                manager: &self.manager,
                id,
                dir: &self.dir,
            })),
            Err(ManagerError::Unknown { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Opens a store; one that cannot be written can be looked at.
fn open(dir: &Path) -> Result<MugDb, CoreError> {
    MugDb::open(dir).or_else(|error| MugDb::inspect(dir).map_err(|_| error))
}

/// The repository that a store is in, or will be; none where it is kept with the
/// user.
pub(super) fn repository(dir: &Path) -> Option<PathBuf> {
    let git = dir.parent().filter(|_| dir.ends_with(STORE_NAME))?;
    Some(match git.parent() {
        Some(root) if git.ends_with(".git") => root.to_owned(),
        _ => git.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_knows_its_repository() {
        let of = |dir: &str| repository(Path::new(dir));
        assert_eq!(of("/r/.git/mug"), Some("/r".into()));
        assert_eq!(of("/r.git/mug"), Some("/r.git".into()));
        assert_eq!(of("/home/u/.local/state/mug/store"), None);
    }
}
