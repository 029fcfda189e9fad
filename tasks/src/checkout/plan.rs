//! What to check out, and where.

use std::path::PathBuf;

use gix::bstr::BString;
use gix::validate::path::component::Options;
use gix_hash::ObjectId;

use super::error::Refusal;

/// What to check out, and where.
#[derive(Clone)]
pub struct Plan {
    /// Where objects and configuration are read from.
    pub repository: gix::ThreadSafeRepository,
    /// The tree.
    pub tree: ObjectId,
    /// The commit that the tree is of, or the tree itself: filters are told.
    pub treeish: ObjectId,
    /// The branch that `HEAD` is to name, in full: filters are told.
    pub branch: Option<BString>,
    /// The root of the working tree; it exists.
    pub worktree: PathBuf,
    /// A directory of the operation on the working tree's file system. Files are staged in `staged`
    /// below it, which is emptied first and gone at the end; the index is written in it.
    pub scratch: PathBuf,
    /// How many threads read objects and write files.
    pub threads: usize,
    /// Counts the files that are staged.
    #[cfg(test)]
    pub(crate) staged: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl Plan {
    /// A plan for the files of `tree`, with all processors.
    pub fn new(
        repository: gix::ThreadSafeRepository,
        tree: ObjectId,
        worktree: PathBuf,
        scratch: PathBuf,
    ) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            repository,
            tree,
            treeish: tree,
            branch: None,
            worktree,
            scratch,
            threads,
            #[cfg(test)]
            staged: std::sync::Arc::default(),
        }
    }

    /// Where files are staged.
    pub(crate) fn staging(&self) -> PathBuf {
        self.scratch.join("staged")
    }

    /// The entries, checked.
    pub(super) fn list(&self) -> Result<gix::index::State, Refusal> {
        let mut repository = self.repository.to_thread_local();
        repository.object_cache_size_if_unset(4 << 20);
        super::list::list(&repository, self.tree, protect(&repository))
    }
}

/// All protections, also those against other systems' file systems: what they refuse is an attack
/// wherever it is met. Whoever needs such names can say so in the configuration.
pub(crate) fn protect(repository: &gix::Repository) -> Options {
    let config = repository.config_snapshot();
    let on = |key: &str| config.boolean(key).unwrap_or(true);
    Options {
        protect_windows: cfg!(windows),
        protect_hfs: on("core.protectHFS"),
        protect_ntfs: on("core.protectNTFS"),
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("tree", &self.tree)
            .field("worktree", &self.worktree)
            .finish_non_exhaustive()
    }
}
