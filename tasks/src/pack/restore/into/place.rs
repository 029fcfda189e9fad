//! The repository that is restored into.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::super::format::Refs;
use super::super::RestoreError;
use super::names::{Namespace, Wanted};
use super::taken::Existing;

/// Where refs go in a repository that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The namespace of the refs.
    pub namespace: Namespace,
}

/// Opens the repository with this common Git directory, and refuses what can't be restored into.
pub(in super::super) fn open(common_dir: &Path) -> Result<gix::Repository, RestoreError> {
    let refused = |reason: String| RestoreError::Repository {
        path: common_dir.to_owned(),
        reason,
    };
    let repository = gix::open(common_dir).map_err(|error| refused(error.to_string()))?;
    if let Some(storage) = repository.config_snapshot().string("extensions.refStorage")
        && **storage != *b"files"
    {
        return Err(refused(format!(
            "its refs are kept as {storage:?}, which is not known here"
        )));
    }
    if repository.object_hash() != gix_hash::Kind::Sha1 {
        return Err(refused(format!(
            "its objects are named by {}",
            repository.object_hash()
        )));
    }
    Ok(repository)
}

impl Place {
    /// What is to be written, and what is there; refused where the repository has refs of these names already, or lacks
    /// objects that the pack was told to leave out.
    pub(in super::super) fn check(
        &self,
        repository: &gix::Repository,
        refs: &Refs,
    ) -> Result<(Wanted, Existing), RestoreError> {
        let wanted = self.namespace.wanted(refs);
        let existing = Existing::read(repository)?;
        existing.check(&wanted, repository.common_dir())?;
        if is_promised(repository, refs) && !is_partial(repository) {
            return Err(RestoreError::Lacks {
                path: repository.common_dir().to_owned(),
            });
        }
        Ok((wanted, existing))
    }
}

/// Whether objects are left out of the pack that `repository` does not have either.
pub(in super::super) fn is_promised(repository: &gix::Repository, refs: &Refs) -> bool {
    refs.missing.iter().any(|oid| !repository.has_object(oid))
}

/// Whether a remote has promised objects.
fn is_partial(repository: &gix::Repository) -> bool {
    let config = repository.config_snapshot();
    let mut remotes = repository.remote_names().into_iter();
    config.string("extensions.partialClone").is_some()
        || remotes.any(|name| {
            let key = format!("remote.{name}.promisor");
            config.boolean(&*key).unwrap_or(false)
        })
}

/// The path without its extension of the pack `checksum`.
pub(in super::super) fn stem(common_dir: &Path, checksum: &str) -> PathBuf {
    common_dir.join(format!("objects/pack/pack-{checksum}"))
}
