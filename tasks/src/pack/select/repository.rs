//! Opening a repository, and the refusals that come before anything is read.

use std::path::{Path, PathBuf};

use gix::refs::Target;
use gix_hash::ObjectId;

use super::{Found, Pattern, SelectError, Selection, choose};
use crate::pack::format::{RefTarget, Refs};

/// A repository whose refs and objects can be packed.
pub struct Repository {
    pub(super) git: gix::Repository,
    partial: bool,
}

impl Repository {
    /// Opens the repository with this Git directory; that of a linked worktree does too.
    ///
    /// Nothing outside the repository is read: no environment, no configuration of user or system.
    pub fn open(git_dir: &Path) -> Result<Self, SelectError> {
        let repository = Self::open_shallow(git_dir)?;
        if repository.shallow()?.is_empty() {
            Ok(repository)
        } else {
            Err(SelectError::Shallow)
        }
    }

    /// The same, also where history is cut off.
    pub fn open_shallow(git_dir: &Path) -> Result<Self, SelectError> {
        let fault = |why: String| SelectError::Open {
            path: git_dir.to_owned(),
            why,
        };
        let partial = check_extensions(git_dir)?;
        let git = gix::open_opts(git_dir, gix::open::Options::isolated())
            .map_err(|error| fault(error.to_string()))?;
        if git.object_hash() != gix_hash::Kind::Sha1 {
            return Err(SelectError::ObjectFormat(git.object_hash().to_string()));
        }
        Ok(Self { git, partial })
    }

    /// The commits at which history is cut off, by id.
    pub fn shallow(&self) -> Result<Vec<ObjectId>, SelectError> {
        let listed = self.git.shallow_commits();
        let listed = listed.map_err(|error| SelectError::Open {
            path: self.git.git_dir().to_owned(),
            why: error.to_string(),
        })?;
        let mut listed: Vec<ObjectId> =
            listed.map_or_else(Vec::new, |commits| commits.iter().copied().collect());
        listed.sort_unstable();
        listed.dedup();
        Ok(listed)
    }

    /// The directory of the repository's own objects.
    pub fn objects(&self) -> PathBuf {
        self.git.common_dir().join("objects")
    }

    /// Whether the repository may lack objects that its remote has promised.
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// The chosen refs as they are now; all of them if `names` is empty.
    pub fn refs(&self, names: &[String]) -> Result<Refs, SelectError> {
        let names = names.iter().map(|name| Pattern::from(name.as_str()));
        let selection = Selection::of(names.collect());
        self.select(&selection, |_| Ok(None))
    }

    /// The refs that `selection` chooses, as they are now.
    ///
    /// `date` is asked for dates where the selection has one: for an object the committer's date, in
    /// seconds since 1970, of the commit that it is or leads to; none where it leads to none.
    pub fn select(
        &self,
        selection: &Selection,
        date: impl FnMut(&ObjectId) -> Result<Option<i64>, SelectError>,
    ) -> Result<Refs, SelectError> {
        choose::choose(&self.found()?, selection, date)
    }

    pub(super) fn found(&self) -> Result<Found, SelectError> {
        fn unreadable(error: impl std::fmt::Display) -> SelectError {
            SelectError::Refs(error.to_string())
        }
        let target = |target: &Target| match target {
            Target::Object(id) => RefTarget::Object(*id),
            Target::Symbolic(name) => RefTarget::Symbolic(name.as_bstr().to_owned()),
        };
        let mut found = Found::default();
        let head = self.git.try_find_reference("HEAD").map_err(unreadable)?;
        found.head = head.map(|head| target(&head.inner.target));
        let platform = self.git.references().map_err(unreadable)?;
        for reference in platform.all().map_err(unreadable)? {
            let reference = reference.map_err(unreadable)?.detach();
            found.refs.insert(
                reference.name.as_bstr().to_owned(),
                target(&reference.target),
            );
        }
        Ok(found)
    }
}

/// Refuses what the configuration says this build cannot read; whether the clone is partial.
fn check_extensions(git_dir: &Path) -> Result<bool, SelectError> {
    let common = match std::fs::read_to_string(git_dir.join("commondir")) {
        Ok(relative) => git_dir.join(relative.trim_end_matches(['\n', '\r'])),
        Err(_) => git_dir.to_owned(),
    };
    let path = common.join("config");
    if !path.is_file() {
        return Ok(false);
    }
    let config = gix::config::File::from_path_no_includes(path, gix::config::Source::Local)
        .map_err(|error| SelectError::Open {
            path: git_dir.to_owned(),
            why: error.to_string(),
        })?;
    let value = |key: &str| config.string(key).map(|value| value.to_string());
    if let Some(format) = value("extensions.objectFormat")
        && !format.eq_ignore_ascii_case("sha1")
    {
        return Err(SelectError::ObjectFormat(format));
    }
    if let Some(storage) = value("extensions.refStorage")
        && storage != "files"
    {
        return Err(SelectError::RefStorage(storage));
    }
    let promisor = config
        .sections_by_name("remote")
        .is_some_and(|mut remotes| {
            remotes.any(|remote| {
                remote
                    .value("promisor")
                    .is_some_and(|value| value != "false")
            })
        });
    Ok(promisor || value("extensions.partialClone").is_some())
}
