//! From which tree to which, and where.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use gix::bstr::BString;
use gix_hash::ObjectId;
use resume_runtime::StepError;

use crate::core::database::STORE_NAME;
use crate::history::engine::Stage;

/// From which tree to which.
#[derive(Clone)]
pub struct Plan {
    /// The repository, with its working tree and index. It must be opened after the objects of both
    /// trees are on disk.
    pub repository: gix::ThreadSafeRepository,
    /// The tree that index and working tree have now.
    pub from: ObjectId,
    /// The tree that they are to have.
    pub to: ObjectId,
    /// The commit of that tree, or the tree itself: filters are told.
    pub treeish: ObjectId,
    /// The branch that `HEAD` is to name, in full: filters are told.
    pub branch: Option<BString>,
    /// Conflicts that the index is to have, by path and stage. The tree has the files that the user
    /// is to find there.
    pub unmerged: Vec<Stage>,
    /// Whether changes of the user's in files that Git knows are dropped, as `git reset --hard` does.
    /// `from` has no meaning then: whatever the index has is taken to the tree.
    pub force: bool,
    /// With `force`, as `git reset --merge` does: changes in files that are not to be touched stay, and
    /// in files that are, without a conflict, they are refused.
    pub keep: bool,
    /// Whether the index keeps what it has, but for files that it does not know: what is placed are
    /// changes that are not staged.
    pub unstaged: bool,
    /// How many threads read objects and write files.
    pub threads: usize,
}

impl Plan {
    /// A plan from one tree to another.
    pub fn new(repository: gix::ThreadSafeRepository, from: ObjectId, to: ObjectId) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            repository,
            from,
            to,
            treeish: to,
            branch: None,
            unmerged: Vec::new(),
            force: false,
            unstaged: false,
            keep: false,
            threads,
        }
    }

    /// The root of the working tree.
    pub(super) fn worktree(&self) -> Result<PathBuf, StepError> {
        match self.repository.work_dir() {
            Some(dir) => Ok(dir.to_owned()),
            None => Err(StepError::fatal("the repository has no working tree")),
        }
    }

    /// Git's index.
    pub(super) fn index(&self) -> PathBuf {
        self.repository.git_dir().join("index")
    }

    /// A directory of the operation on the working tree's file system. It is there while files are
    /// written.
    pub(super) fn scratch(&self, id: &str) -> Result<PathBuf, StepError> {
        let worktree = self.worktree()?;
        let common = self.repository.to_thread_local().common_dir().to_owned();
        let device = |path: &Path| path.metadata().map(|meta| meta.dev());
        Ok(if device(&common)? == device(&worktree)? {
            common.join(STORE_NAME).join("ops").join(id).join("tree")
        } else {
            worktree.join(format!(".mug-{id}"))
        })
    }

    /// A directory of the operation beside the index, for the lock.
    pub(super) fn beside_index(&self, id: &str) -> PathBuf {
        self.repository
            .git_dir()
            .join(STORE_NAME)
            .join("ops")
            .join(id)
            .join("index")
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("from", &self.from)
            .field("to", &self.to)
            .field("unmerged", &self.unmerged.len())
            .field("force", &self.force)
            .finish_non_exhaustive()
    }
}
