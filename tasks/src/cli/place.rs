//! Where operations are looked for: in the repository that the user is in and
//! among those that belong to none; outside of a repository, everywhere.

use std::path::PathBuf;

use mug::core::database::{MugDb, STORE_NAME};
use mug::core::error::CoreError;
use mug::core::registry::Registry;
use mug::core::repository::Repository;
use mug::core::resume::{ManagerError, Operation, OperationManager};

use super::error::Error;
use super::ui::Ui;

/// The stores that a command looks into.
pub(super) struct Place {
    stores: Vec<Store>,
    /// Whether they are all that are known.
    everywhere: bool,
}

/// One store.
pub(super) struct Store {
    pub(super) manager: OperationManager,
    dir: PathBuf,
}

/// An operation that was found.
pub(super) struct Found<'a> {
    pub(super) manager: &'a OperationManager,
    pub(super) id: String,
    pub(super) dir: &'a PathBuf,
}

impl Place {
    /// The stores that concern the current directory.
    pub(super) fn here(ui: &Ui) -> Result<Self, Error> {
        match Repository::discover(".") {
            Ok(repository) => {
                let mut place = Self {
                    stores: vec![Store::new(repository.get_db().clone())],
                    everywhere: false,
                };
                place.add_users();
                Ok(place)
            }
            Err(CoreError::NoRepository { .. }) => Self::everywhere(ui),
            Err(error) => Err(error.into()),
        }
    }

    /// All stores that are known.
    fn everywhere(ui: &Ui) -> Result<Self, Error> {
        let mut stores = Vec::new();
        for dir in Registry::open()?.stores()? {
            match open(&dir) {
                Ok(db) => stores.push(Store::new(db)),
                // One that cannot be read does not hide the others.
                Err(error) => ui.note(&format!(
                    "warning: {}",
                    super::ui::text::plain(&error.to_string())
                )),
            }
        }
        Ok(Self {
            stores,
            everywhere: true,
        })
    }

    /// Operations without a repository (a restore, say) are seen from each.
    fn add_users(&mut self) {
        let known = Registry::open().and_then(|registry| registry.stores());
        let Ok(user) = mug::core::user_dir::UserDir::from_env() else {
            return;
        };
        let dir = user.path.join("store");
        let registered = dir
            .canonicalize()
            .is_ok_and(|dir| known.is_ok_and(|known| known.contains(&dir)));
        if registered && let Ok(db) = open(&dir) {
            self.stores.push(Store::new(db));
        }
    }

    pub(super) fn stores(&self) -> &[Store] {
        &self.stores
    }

    /// Whether it reaches beyond one repository.
    pub(super) const fn is_everywhere(&self) -> bool {
        self.everywhere
    }

    /// The operation whose id begins with `prefix`.
    pub(super) fn find(&self, prefix: &str) -> Result<Found<'_>, Error> {
        let mut found = Vec::new();
        for store in &self.stores {
            match store.manager.find(prefix) {
                Ok(id) => found.push(Found {
                    manager: &store.manager,
                    id,
                    dir: &store.dir,
                }),
                Err(ManagerError::Unknown { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if found.len() > 1 {
            return Err(ManagerError::Ambiguous {
                prefix: prefix.to_owned(),
                total: found.len(),
                candidates: found.into_iter().map(|found| found.id).collect(),
            }
            .into());
        }
        found.pop().ok_or_else(|| self.unknown(prefix))
    }

    fn unknown(&self, prefix: &str) -> Error {
        let unknown = ManagerError::Unknown {
            id: prefix.to_owned(),
        };
        if self.everywhere {
            return unknown.into();
        }
        // It may be somebody else's; that is said, not assumed.
        let elsewhere = Registry::open().and_then(|registry| registry.stores());
        for dir in elsewhere.unwrap_or_default() {
            let Ok(db) = open(&dir) else { continue };
            if let Ok(id) = OperationManager::new(db).find(prefix) {
                let error = Error::failed(format!("there is no operation {prefix} here"));
                let error = match repository(&dir) {
                    Some(path) => error.hint(format!(
                        "{id} is in {}: give that with `-C`",
                        path.display()
                    )),
                    None => error.hint(format!("{id} is found outside of repositories")),
                };
                return error.about(id);
            }
        }
        unknown.into()
    }
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
    fn new(db: MugDb) -> Self {
        Self {
            dir: db.dir().map(PathBuf::from).unwrap_or_default(),
            manager: OperationManager::new(db),
        }
    }

    /// The repository that it belongs to.
    pub(super) fn repository(&self) -> Option<PathBuf> {
        repository(&self.dir)
    }
}

/// Opens a store; one that cannot be written can be looked at.
fn open(dir: &std::path::Path) -> Result<MugDb, CoreError> {
    MugDb::open(dir).or_else(|error| MugDb::inspect(dir).map_err(|_| error))
}

/// The repository that a store is in; none where it is kept elsewhere.
pub(super) fn repository(dir: &std::path::Path) -> Option<PathBuf> {
    let git = dir
        .parent()
        .filter(|git| dir.ends_with(STORE_NAME) && git.join("HEAD").is_file())?;
    Some(match git.parent() {
        Some(root) if git.ends_with(".git") => root.to_owned(),
        _ => git.to_owned(),
    })
}
