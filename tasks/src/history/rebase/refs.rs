//! `HEAD`, branches and what else Git keeps beside them. Everything compares before it writes, and can be
//! repeated.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::error::RebaseError;
use super::logs::{self, Line};
use crate::disk::Disk;
use crate::lock::Lock;

/// What `HEAD` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Branch(BString),
    Commit(ObjectId),
}

/// The refs of a repository.
pub(super) struct Refs<'a> {
    repository: &'a gix::Repository,
    /// A directory of the operation.
    own: PathBuf,
    disk: &'a dyn Disk,
}

impl<'a> Refs<'a> {
    pub(super) fn new(repository: &'a gix::Repository, own: PathBuf, disk: &'a dyn Disk) -> Self {
        Self {
            repository,
            own,
            disk,
        }
    }

    /// Where the ref `name` is; none if there is no such ref.
    pub(super) fn find(&self, name: &BStr) -> Result<Option<ObjectId>, RebaseError> {
        let found = self.repository.try_find_reference(name);
        let Some(mut found) = found.map_err(RebaseError::repository)? else {
            return Ok(None);
        };
        let id = found.peel_to_id().map_err(RebaseError::repository)?;
        Ok(Some(id.detach()))
    }

    /// Moves the branch `name` from `old` to `new`.
    pub(super) fn branch(
        &self,
        name: &BStr,
        old: ObjectId,
        new: ObjectId,
        line: &Line,
    ) -> Result<(), RebaseError> {
        if old == new {
            return Ok(());
        }
        let common = self.repository.common_dir();
        let path = common.join(gix::path::from_bstr(name).map_err(RebaseError::repository)?);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(RebaseError::io(dir))?;
        }
        let mut lock = self.lock(&path)?;
        let found = self.find(name)?;
        if found == Some(new) {
            return lock.release(self.disk).map_err(RebaseError::io(&path));
        }
        if found != Some(old) {
            let found = found.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
            lock.release(self.disk).map_err(RebaseError::io(&path))?;
            return Err(RebaseError::Moved {
                name: name.to_owned(),
                found,
                expected: old,
            });
        }
        let log = common.join("logs");
        let log = log.join(gix::path::from_bstr(name).map_err(RebaseError::repository)?);
        logs::append(&log, std::slice::from_ref(line), self.logs(), self.disk)?;
        let content = format!("{new}\n");
        let mut put = || io::Write::write_all(lock.file()?, content.as_bytes());
        put().map_err(RebaseError::io(&path))?;
        lock.commit(self.disk).map_err(RebaseError::io(&path))
    }

    /// Puts a commit on the stash, which is a log.
    pub(super) fn stash(
        &self,
        name: &BStr,
        old: Option<ObjectId>,
        line: &Line,
    ) -> Result<(), RebaseError> {
        if old == Some(line.new) {
            return Ok(());
        }
        let common = self.repository.common_dir();
        let file = gix::path::from_bstr(name).map_err(RebaseError::repository)?;
        let path = common.join(&file);
        let mut lock = self.lock(&path)?;
        let log = common.join("logs").join(&file);
        logs::append(&log, std::slice::from_ref(line), true, self.disk)?;
        let mut put = || io::Write::write_all(lock.file()?, format!("{}\n", line.new).as_bytes());
        put().map_err(RebaseError::io(&path))?;
        lock.commit(self.disk).map_err(RebaseError::io(&path))
    }

    /// What `HEAD` names.
    pub(super) fn head(&self) -> Result<Head, RebaseError> {
        head(self.repository.git_dir())
    }

    /// Makes `HEAD` name something, with lines in its log.
    pub(super) fn set_head(&self, to: &Head, lines: &[Line]) -> Result<(), RebaseError> {
        let path = self.repository.git_dir().join("HEAD");
        let log = self.repository.git_dir().join("logs/HEAD");
        let content = match to {
            Head::Branch(name) => [b"ref: ", name.as_bytes(), b"\n"].concat(),
            Head::Commit(id) => format!("{id}\n").into_bytes(),
        };
        let mut lock = self.lock(&path)?;
        logs::append(&log, lines, self.logs(), self.disk)?;
        if fs::read(&path).is_ok_and(|there| there == content) {
            return lock.release(self.disk).map_err(RebaseError::io(&path));
        }
        let mut put = || io::Write::write_all(lock.file()?, &content);
        put().map_err(RebaseError::io(&path))?;
        lock.commit(self.disk).map_err(RebaseError::io(&path))
    }

    /// Writes a file of the Git directory (`ORIG_HEAD`, for example).
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), RebaseError> {
        let path = self.repository.git_dir().join(name);
        replace(&path, content, &self.own, self.disk).map_err(RebaseError::io(&path))
    }

    /// Removes files of the Git directory.
    pub(super) fn remove(&self, names: &[&str]) -> Result<(), RebaseError> {
        let dir = self.repository.git_dir();
        for name in names {
            let path = dir.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(RebaseError::io(&path)(error));
                }
                _ => {}
            }
        }
        self.disk.sync(dir).map_err(RebaseError::io(dir))
    }

    fn lock(&self, path: &Path) -> Result<Lock, RebaseError> {
        Lock::take(path, &self.own, self.disk).map_err(RebaseError::io(path))
    }

    /// Whether logs are begun (`core.logAllRefUpdates`).
    fn logs(&self) -> bool {
        let config = self.repository.config_snapshot();
        match config.string("core.logAllRefUpdates") {
            Some(value) if value.eq_ignore_ascii_case(b"always") => true,
            Some(_) => config.boolean("core.logAllRefUpdates").unwrap_or(true),
            None => !self.repository.is_bare(),
        }
    }
}

/// What `HEAD` names in the Git directory `git_dir`.
pub(super) fn head(git_dir: &Path) -> Result<Head, RebaseError> {
    let path = git_dir.join("HEAD");
    let content = fs::read(&path).map_err(RebaseError::io(&path))?;
    let content = content.trim();
    if let Some(name) = content.strip_prefix(b"ref:") {
        return Ok(Head::Branch(name.trim().into()));
    }
    match ObjectId::from_hex(content) {
        Ok(id) => Ok(Head::Commit(id)),
        Err(_) => Err(RebaseError::repository("its HEAD can't be read")),
    }
}

/// Replaces `path` by a file with these bytes, which are on disk before they can be seen.
pub(super) fn replace(path: &Path, bytes: &[u8], own: &Path, disk: &dyn Disk) -> io::Result<()> {
    fs::create_dir_all(own)?;
    let staged = own.join("replacing");
    fs::write(&staged, bytes)?;
    disk.sync(&staged)?;
    fs::rename(&staged, path)?;
    disk.sync(path)
}
