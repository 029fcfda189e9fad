//! Objects for Git, and from Git: it reads what is only in memory, and writes what nobody may need,
//! in a directory of its own.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use gix::objs::{Exists as _, Find as _, Kind, TreeRefIter, Write as _};
use gix_hash::ObjectId;

use super::error::EngineError;
use super::git;

/// An object directory over that of the repository. It is removed when it is dropped.
pub(super) struct Quarantine<'a> {
    repository: &'a gix::Repository,
    dir: PathBuf,
    loose: gix::odb::loose::Store,
    given: HashSet<ObjectId>,
}

impl<'a> Quarantine<'a> {
    /// Makes it at `dir`; what is there is removed.
    pub(super) fn new(repository: &'a gix::Repository, dir: &Path) -> Result<Self, EngineError> {
        let make = || {
            if dir.exists() {
                fs::remove_dir_all(dir)?;
            }
            fs::create_dir_all(dir.join("info"))
        };
        make().map_err(EngineError::io(dir))?;
        let file = dir.join("info/alternates");
        let line = git::alternates(repository.objects.store_ref().path())?;
        fs::write(&file, line.as_encoded_bytes()).map_err(EngineError::io(&file))?;
        Ok(Self {
            repository,
            loose: gix::odb::loose::Store::at(dir, repository.object_hash()),
            dir: dir.to_owned(),
            given: HashSet::new(),
        })
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.dir
    }

    /// Gives Git an object, with all below it that is only in memory. What is on disk has all that
    /// belongs to it on disk.
    pub(super) fn give(&mut self, id: ObjectId) -> Result<(), EngineError> {
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            let on_disk: &gix::odb::Handle = &self.repository.objects;
            if self.given.contains(&id) || on_disk.exists(&id) {
                continue;
            }
            let mut buffer = Vec::new();
            let found = self.repository.objects.try_find(&id, &mut buffer);
            let Some(object) = found.map_err(EngineError::object)? else {
                // A submodule's commit, or an object that a partial clone does not have.
                continue;
            };
            match object.kind {
                Kind::Tree => {
                    for entry in TreeRefIter::from_bytes(object.data, id.kind()) {
                        left.push(entry.map_err(EngineError::object)?.oid.to_owned());
                    }
                }
                Kind::Commit => {
                    let commit = gix::objs::CommitRef::from_bytes(object.data, id.kind())
                        .map_err(EngineError::object)?;
                    left.push(commit.tree());
                    left.extend(commit.parents());
                }
                Kind::Blob | Kind::Tag => {}
            }
            self.add(object.kind, object.data)?;
        }
        Ok(())
    }

    /// Gives Git an object that is nowhere else.
    pub(super) fn add(&mut self, kind: Kind, data: &[u8]) -> Result<ObjectId, EngineError> {
        let id = self
            .loose
            .write_buf(kind, data)
            .map_err(EngineError::object)?;
        self.given.insert(id);
        Ok(id)
    }

    /// Takes what Git wrote into the repository's memory.
    pub(super) fn take(&self) -> Result<(), EngineError> {
        let mut buffer = Vec::new();
        for id in self.loose.iter() {
            let id = id.map_err(EngineError::object)?;
            if self.given.contains(&id) {
                continue;
            }
            let found = self.loose.try_find(&id, &mut buffer);
            if let Some(object) = found.map_err(EngineError::object)? {
                self.repository
                    .objects
                    .write_buf(object.kind, object.data)
                    .map_err(EngineError::object)?;
            }
        }
        Ok(())
    }
}

impl Drop for Quarantine<'_> {
    fn drop(&mut self) {
        // The next one removes it first.
        let _ = fs::remove_dir_all(&self.dir);
    }
}
