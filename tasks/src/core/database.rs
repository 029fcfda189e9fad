//! The store that a command's operations are kept in, and where it lies.

use std::path::{Path, PathBuf};

use resume_runtime::Database;

use super::error::CoreError;
use super::user_dir::UserDir;

/// The directory of a repository's store within its common Git directory.
pub const STORE_NAME: &str = "mug";

/// A handle on an open store. Clones are cheap and share it.
#[derive(Clone, Debug)]
pub struct MugDb {
    database: Database,
}

impl MugDb {
    /// Opens the store in the directory `dir`, and makes it where there is none.
    pub fn open(dir: &Path) -> Result<Self, CoreError> {
        Ok(Self {
            database: Database::open(dir)?,
        })
    }

    /// Opens the store of the repository with this common Git directory: `mug/` in it, or a
    /// directory of the user's where that can't be written, or lies on a network file system.
    pub fn for_repository(common_dir: &Path) -> Result<Self, CoreError> {
        Self::for_repository_in(common_dir, &UserDir::from_env())
    }

    /// Opens that store if there is one already: who only looks makes none.
    pub fn find_for_repository(common_dir: &Path) -> Result<Option<Self>, CoreError> {
        Self::find_for_repository_in(common_dir, &UserDir::from_env())
    }

    /// Opens the store for operations that have no repository.
    pub fn for_user() -> Result<Self, CoreError> {
        Self::open(&UserDir::from_env()?.path.join("store"))
    }

    /// Opens a store to look at it, without writing: in a read-only directory, for example.
    pub fn inspect(dir: &Path) -> Result<Self, CoreError> {
        Ok(Self {
            database: Database::inspect(dir)?,
        })
    }

    /// A store in memory, gone with the last handle.
    pub fn in_memory() -> Result<Self, CoreError> {
        Ok(Self {
            database: Database::in_memory()?,
        })
    }

    /// The store's directory; none where it is in memory.
    pub fn dir(&self) -> Option<&Path> {
        self.database.dir()
    }

    /// The open store.
    pub fn database(&self) -> &Database {
        &self.database
    }

    fn for_repository_in(
        common_dir: &Path,
        user: &Result<UserDir, CoreError>,
    ) -> Result<Self, CoreError> {
        let elsewhere = elsewhere(common_dir, user);
        if let Some((dir, true)) = &elsewhere {
            return Self::open(dir);
        }
        match Database::open(&common_dir.join(STORE_NAME)) {
            Ok(database) => Ok(Self { database }),
            Err(error) if error.wants_another_place() => match elsewhere {
                Some((dir, _)) => Self::open(&dir),
                None => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn find_for_repository_in(
        common_dir: &Path,
        user: &Result<UserDir, CoreError>,
    ) -> Result<Option<Self>, CoreError> {
        let dirs = match elsewhere(common_dir, user) {
            Some((dir, true)) => vec![dir],
            other => [Some(common_dir.join(STORE_NAME)), other.map(|(dir, _)| dir)]
                .into_iter()
                .flatten()
                .collect(),
        };
        if dirs.iter().any(|dir| dir.exists()) {
            return Self::for_repository_in(common_dir, user).map(Some);
        }
        Ok(None)
    }
}

/// The directory of the user's for the store of a repository, and whether it takes all stores.
fn elsewhere(common_dir: &Path, user: &Result<UserDir, CoreError>) -> Option<(PathBuf, bool)> {
    let user = user.as_ref().ok()?;
    let dir = user.path.join("repositories").join(name_for(common_dir));
    Some((dir, user.holds_all))
}

impl From<MugDb> for Database {
    fn from(db: MugDb) -> Self {
        db.database
    }
}

/// A name for the repository's store among those of others: by its path, since one that can't be
/// written can't be given an id.
fn name_for(common_dir: &Path) -> PathBuf {
    let path = common_dir
        .canonicalize()
        .unwrap_or_else(|_| common_dir.to_owned());
    let hash = blake3::hash(path.as_os_str().as_encoded_bytes()).to_hex();
    PathBuf::from(&hash.as_str()[..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(dir: &Path, holds_all: bool) -> UserDir {
        UserDir {
            path: dir.join("state"),
            holds_all,
        }
    }

    #[test]
    fn the_store_lies_in_the_repository() {
        let dir = tempfile::tempdir().unwrap();
        let common = dir.path().join("common");
        std::fs::create_dir(&common).unwrap();
        let db = MugDb::for_repository_in(&common, &Ok(user(dir.path(), false))).unwrap();
        assert_eq!(
            db.dir().unwrap(),
            common.join("mug").canonicalize().unwrap()
        );
        assert!(!dir.path().join("state").exists());
    }

    #[test]
    fn looking_for_a_store_makes_none() {
        let dir = tempfile::tempdir().unwrap();
        for holds_all in [false, true] {
            let user = Ok(user(dir.path(), holds_all));
            let common = dir.path().join(format!("common-{holds_all}"));
            std::fs::create_dir(&common).unwrap();
            let found = MugDb::find_for_repository_in(&common, &user).unwrap();
            assert!(found.is_none());
            assert!(!common.join("mug").exists() && !dir.path().join("state").exists());
            let made = MugDb::for_repository_in(&common, &user).unwrap();
            let found = MugDb::find_for_repository_in(&common, &user).unwrap();
            assert_eq!(found.unwrap().dir(), made.dir());
        }
    }

    #[test]
    fn an_override_keeps_each_repository_apart() {
        let dir = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            let common = dir.path().join(name);
            std::fs::create_dir(&common).unwrap();
            let db = MugDb::for_repository_in(&common, &Ok(user(dir.path(), true))).unwrap();
            assert!(!common.join("mug").exists());
            db.dir().unwrap().to_owned()
        };
        let (a, b) = (open("a"), open("b"));
        assert!(a.starts_with(dir.path().join("state").canonicalize().unwrap()));
        assert_ne!(a, b);
    }
}
