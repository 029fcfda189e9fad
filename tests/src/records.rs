//! Operations that a test keeps itself, for what needs a certain status.

use std::path::Path;

use mug::core::registry::Registry;
use mug::core::repository::Repository;
use mug::core::resume::{Operation, OperationManager, OperationStatus, OperationType};

use crate::Scratch;

/// The records of a repository, written by the test's own process. Dropped, its
/// running operations are interrupted ones.
#[derive(Debug)]
pub struct Records {
    manager: OperationManager,
}

impl Scratch {
    /// Opens the records of the repository at `path`, as a command would.
    ///
    /// # Panics
    ///
    /// When they cannot be opened.
    pub fn records(&self, path: impl AsRef<Path>) -> Records {
        let repository = Repository::open(self.join(path)).expect("a repository");
        let db = repository.get_db();
        let dir = db.dir().expect("it is kept on disk");
        Registry::in_dir(&self.join("state/mug"))
            .add(dir)
            .expect("the store is registered");
        Records {
            manager: OperationManager::new(db.clone()),
        }
    }
}

impl Records {
    /// What they are kept with.
    pub const fn manager(&self) -> &OperationManager {
        &self.manager
    }

    /// A new operation with some metadata, at 45 of 100 items in the step
    /// `counting`.
    ///
    /// # Panics
    ///
    /// When it cannot be stored.
    pub fn create(&self, op_type: OperationType, status: OperationStatus) -> Operation {
        let manager = &self.manager;
        let metadata = [("source".to_owned(), "here".to_owned())].into();
        let op = manager.create(op_type, "{}".to_owned(), metadata);
        let id = op.expect("it is created").id;
        manager
            .update_checkpoint(
                &id,
                r#"{"at":45}"#.to_owned(),
                "counting".to_owned(),
                Some(3),
            )
            .and_then(|()| manager.update_progress(&id, 45, Some(100), 4_500, Some(10_000)))
            .and_then(|()| match status {
                OperationStatus::Running => Ok(()),
                OperationStatus::Failed => manager.fail(&id, "it broke"),
                status => manager.update_status(&id, status),
            })
            .expect("it is stored");
        self.get(&id)
    }

    /// The record of `id`, as it is shown.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn get(&self, id: &str) -> Operation {
        let op = self.manager.get(id).expect("it is read");
        op.expect("there is one")
    }
}
