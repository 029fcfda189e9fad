//! A repository and its store.

use std::path::{Path, PathBuf};

use super::database::MugDb;
use super::error::CoreError;

/// An open repository with its store. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Repository {
    git: gix::ThreadSafeRepository,
    db: MugDb,
}

impl Repository {
    /// Opens the repository that `path` is in.
    pub fn discover(path: impl AsRef<Path>) -> Result<Self, CoreError> {
        Self::open(find(path.as_ref())?)
    }

    /// The store of the repository that `path` is in, if it has one: looking makes none.
    pub fn discover_db(path: impl AsRef<Path>) -> Result<Option<MugDb>, CoreError> {
        let git = open(&find(path.as_ref())?)?;
        MugDb::find_for_repository(git.to_thread_local().common_dir())
    }

    /// Opens the repository at `path`: a working tree's root or a Git directory.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CoreError> {
        let git = open(path.as_ref())?;
        let common_dir = git.to_thread_local().common_dir().to_owned();
        Ok(Self {
            git,
            db: MugDb::for_repository(&common_dir)?,
        })
    }

    /// The store of its operations.
    pub fn get_db(&self) -> &MugDb {
        &self.db
    }

    /// The repository, for Git's work.
    pub fn git(&self) -> &gix::ThreadSafeRepository {
        &self.git
    }

    /// The Git directory; a linked worktree has its own.
    pub fn git_dir(&self) -> &Path {
        self.git.git_dir()
    }

    /// The Git directory that all linked worktrees share.
    pub fn common_dir(&self) -> PathBuf {
        self.git.to_thread_local().common_dir().to_owned()
    }

    /// The root of the working tree; none in a bare repository.
    pub fn work_dir(&self) -> Option<&Path> {
        self.git.work_dir()
    }
}

/// The Git directory of the repository that `path` is in.
fn find(path: &Path) -> Result<PathBuf, CoreError> {
    let (found, _) = gix::discover::upwards(path).map_err(|_| CoreError::NoRepository {
        path: path.to_owned(),
    })?;
    Ok(found.into_repository_and_work_tree_directories().0)
}

fn open(path: &Path) -> Result<gix::ThreadSafeRepository, CoreError> {
    gix::ThreadSafeRepository::open(path).map_err(|error| CoreError::Repository {
        path: path.to_owned(),
        reason: reasons(&error),
    })
}

/// An error with all that it came from.
fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::resume::OperationManager;
    use crate::core::resume::OperationType;

    #[test]
    fn a_repository_is_found_from_below_and_shares_its_store() {
        let dir = tempfile::tempdir().unwrap();
        gix::create::into(
            dir.path(),
            gix::create::Kind::WithWorktree,
            gix::create::Options::default(),
        )
        .unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        let repo = Repository::discover(dir.path().join("a/b")).unwrap();
        assert_eq!(
            repo.work_dir().unwrap().canonicalize().unwrap(),
            dir.path().canonicalize().unwrap()
        );
        let manager = OperationManager::new(repo.get_db().clone());
        let op = manager
            .create(OperationType::Pack, "{}".into(), [].into())
            .unwrap();
        let again = Repository::open(dir.path()).unwrap();
        let again = OperationManager::new(again.get_db().clone());
        assert_eq!(again.get(&op.id).unwrap().unwrap().id, op.id);
    }

    #[test]
    fn outside_of_a_repository_is_said_so() {
        let dir = tempfile::tempdir().unwrap();
        let error = Repository::open(dir.path()).unwrap_err();
        assert!(matches!(error, CoreError::Repository { .. }), "{error}");
    }
}
