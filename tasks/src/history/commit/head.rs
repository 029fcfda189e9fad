//! `HEAD`, and the branch that it is at.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::CommitError;
use crate::disk::Disk;
use crate::lock::Lock;
use crate::transfer::refs::Committer;
use crate::transfer::refs::store::reflog::{self, Line, Logging};
use crate::transfer::text;

/// As long as Git waits by default (`core.filesRefLockTimeout`).
const PATIENCE: Duration = Duration::from_millis(100);

/// Where `HEAD` is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The branch, in full; none where `HEAD` is detached.
    #[serde(with = "text::maybe_name")]
    pub branch: Option<BString>,
    /// The commit; none on a branch that has none yet.
    #[serde(with = "text::maybe_oid")]
    pub commit: Option<ObjectId>,
}

impl Head {
    /// Reads it.
    pub fn read(repository: &gix::Repository) -> Result<Self, CommitError> {
        let head = repository.head().map_err(CommitError::repository)?;
        let branch = head.referent_name().map(|name| name.as_bstr().to_owned());
        let commit = match &head.kind {
            gix::head::Kind::Unborn(_) => None,
            gix::head::Kind::Detached { target, .. } => Some(*target),
            gix::head::Kind::Symbolic(_) => head.id().map(gix::Id::detach),
        };
        Ok(Self { branch, commit })
    }

    /// The branch's name without `refs/heads/`; `HEAD` where it is detached.
    pub fn short(&self) -> BString {
        match &self.branch {
            Some(name) => name.strip_prefix(b"refs/heads/").unwrap_or(name).into(),
            None => "HEAD".into(),
        }
    }

    /// The ref that gets new commits.
    fn name(&self) -> &BStr {
        self.branch
            .as_ref()
            .map_or("HEAD".into(), |name| name.as_bstr())
    }

    /// Moves the branch, or a detached `HEAD`, to `new`, if it is where it was; `message` is for the
    /// logs. It can be repeated. `own` is a directory of the operation on the same file system.
    pub fn advance(
        &self,
        repository: &gix::Repository,
        new: ObjectId,
        message: &BStr,
        own: &Path,
        disk: &dyn Disk,
    ) -> Result<(), CommitError> {
        let name = self.name();
        let dir = if self.branch.is_some() {
            repository.common_dir()
        } else {
            repository.git_dir()
        };
        let path = dir.join(gix::path::from_bstr(name).map_err(CommitError::repository)?);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(CommitError::io(parent))?;
        }
        let mut lock = Lock::take_within(&path, own, PATIENCE, disk).map_err(|source| {
            if source.kind() == std::io::ErrorKind::ResourceBusy {
                CommitError::Locked {
                    name: name.to_string(),
                    lock: locked(&path),
                }
            } else {
                CommitError::io(&path)(source)
            }
        })?;
        let now = Self::read(repository)?;
        let moved =
            now.branch != self.branch || (now.commit != self.commit && now.commit != Some(new));
        if moved {
            lock.release(disk).map_err(CommitError::io(&path))?;
            return Err(self.moved(&now));
        }
        self.log(repository, new, message, disk)?;
        if now.commit == Some(new) {
            return lock.release(disk).map_err(CommitError::io(&path));
        }
        lock.file()
            .and_then(|file| writeln!(file, "{new}"))
            .and_then(|()| lock.commit(disk))
            .map_err(CommitError::io(&path))
    }

    /// That it is at `now` instead.
    pub fn moved(&self, now: &Self) -> CommitError {
        let at = |commit: Option<ObjectId>| {
            commit.map_or_else(|| "no commit".to_owned(), |commit| commit.to_string())
        };
        if now.branch == self.branch {
            CommitError::Moved {
                name: self.name().to_string(),
                found: at(now.commit),
                expected: at(self.commit),
            }
        } else {
            CommitError::Moved {
                name: "HEAD".to_owned(),
                found: now.short().to_string(),
                expected: self.short().to_string(),
            }
        }
    }

    fn log(
        &self,
        repository: &gix::Repository,
        new: ObjectId,
        message: &BStr,
        disk: &dyn Disk,
    ) -> Result<(), CommitError> {
        let config = repository.config_snapshot();
        let logging = config
            .string("core.logAllRefUpdates")
            .and_then(|value| Logging::parse(value.as_bstr()))
            .unwrap_or(if repository.is_bare() {
                Logging::Never
            } else {
                Logging::Branches
            });
        let line = Line {
            old: self.commit.unwrap_or_else(|| ObjectId::null(new.kind())),
            new,
            committer: &Committer::of(repository),
            message,
        };
        let mut logs = vec![(repository.git_dir(), "HEAD".into())];
        if let Some(branch) = &self.branch {
            logs.push((repository.common_dir(), branch.as_bstr()));
        }
        for (dir, name) in logs {
            reflog::append(dir, name, &line, logging, disk).map_err(CommitError::repository)?;
        }
        Ok(())
    }
}

fn locked(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    path.with_file_name(name)
}
