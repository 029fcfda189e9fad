//! All files of an operation: committed records, and what the slice has open.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::Disk;
use super::install::{self, Install};
use super::open::OpenFile;
use super::read::ReadFile;
use super::record::{FileRecord, Place};
use crate::error::{Classify as _, StepError};
use crate::faults::Faults;

pub(crate) struct Files {
    /// The operation's own folder; a store in memory may have none.
    private: Option<PathBuf>,
    entries: BTreeMap<String, Entry>,
    disk: Disk,
}

#[derive(Default)]
struct Entry {
    committed: Option<FileRecord>,
    /// What the next commit will say.
    current: FileRecord,
    open: Option<OpenFile>,
}

impl Files {
    pub(crate) fn new(
        private: Option<PathBuf>,
        committed: BTreeMap<String, FileRecord>,
        faults: Arc<dyn Faults>,
    ) -> Self {
        let entries = committed
            .into_iter()
            .map(|(name, record)| {
                let entry = Entry {
                    committed: Some(record.clone()),
                    current: record,
                    open: None,
                };
                (name, entry)
            })
            .collect();
        Self {
            private,
            entries,
            disk: Disk::new(faults),
        }
    }

    /// Whether the slice has changed anything that a commit must sync or say.
    pub(crate) fn is_dirty(&self) -> bool {
        self.entries.values().any(|entry| {
            entry.open.as_ref().is_some_and(OpenFile::is_dirty)
                || entry.committed.as_ref() != Some(&entry.current)
        })
    }

    /// Opens `name` for appending, in `dir` or the operation's own folder.
    pub(crate) fn open(&mut self, name: &str, dir: Option<&Path>) -> Result<(), StepError> {
        if self.is_open(name) {
            return Ok(());
        }
        check_name(name)?;
        let private = self.private()?;
        if let Some(to) = self
            .entries
            .get(name)
            .and_then(|entry| entry.current.installed.as_ref())
        {
            return Err(StepError::fatal(format!(
                "the file `{name}` is installed as {} and cannot be opened again",
                to.0.display()
            )));
        }
        let mut current = self
            .entries
            .get(name)
            .map_or_else(FileRecord::default, |entry| entry.current.clone());
        let committed = self.entries.get(name).and_then(|e| e.committed.as_ref());
        let len = committed.map(|record| record.len);
        if committed.is_none() {
            current.dir = dir.map(std::path::absolute).transpose()?.map(Place);
        }
        if let Some(left) = committed.and_then(FileRecord::before) {
            // A process died before it could do this after its commit.
            let _ = fs::remove_file(left.path(&private, name));
        }
        let path = current.path(&private, name);
        let open = OpenFile::open(path.clone(), len, current.dir.is_none())
            .map_err(|e| about(&path, e))?;
        let entry = self.entries.entry(name.to_owned()).or_default();
        entry.current = current;
        entry.open = Some(open);
        Ok(())
    }

    pub(crate) fn is_open(&self, name: &str) -> bool {
        self.entries
            .get(name)
            .is_some_and(|entry| entry.open.is_some())
    }

    pub(crate) fn len(&self, name: &str) -> u64 {
        self.entries.get(name).map_or(0, |entry| {
            entry.open.as_ref().map_or(entry.current.len, OpenFile::len)
        })
    }

    /// Whether appending `more` bytes needs no write.
    pub(crate) fn has_room(&self, name: &str, more: usize) -> bool {
        self.entries
            .get(name)
            .and_then(|entry| entry.open.as_ref())
            .is_some_and(|open| open.has_room(more))
    }

    pub(crate) fn append(&mut self, name: &str, data: &[u8]) -> Result<(), StepError> {
        let (open, disk) = self.opened(name)?;
        open.append(data, disk).map_err(|e| about(open.path(), e))
    }

    /// Drops the content: a new generation starts empty, the old one is kept
    /// until the next commit.
    pub(crate) fn restart(&mut self, name: &str) -> Result<(), StepError> {
        let private = self.private()?;
        let entry = self.entries.get_mut(name).ok_or_else(|| not_open(name))?;
        entry.open = None;
        entry.current.generation = entry.committed.as_ref().map_or(0, |r| r.generation + 1);
        entry.current.len = 0;
        let path = entry.current.path(&private, name);
        let open = OpenFile::open(path.clone(), None, entry.current.dir.is_none());
        entry.open = Some(open.map_err(|e| about(&path, e))?);
        Ok(())
    }

    pub(crate) fn read(&mut self, name: &str) -> Result<ReadFile, StepError> {
        let path = self.path(name)?;
        let file = fs::File::open(&path).map_err(|e| about(&path, e))?;
        Ok(ReadFile::new(file, self.len(name)))
    }

    /// Where `name` is, with everything written that was appended.
    pub(crate) fn path(&mut self, name: &str) -> Result<PathBuf, StepError> {
        if !self.entries.contains_key(name) {
            return Err(StepError::fatal(format!(
                "nothing was ever written to `{name}`"
            )));
        }
        self.open(name, None)?;
        let (open, disk) = self.opened(name)?;
        let path = open.path().to_owned();
        open.flush(disk).map_err(|e| about(&path, e))?;
        Ok(path)
    }

    /// Publishes committed files under these names.
    pub(crate) fn install<N: AsRef<str>, P: AsRef<Path>>(
        &mut self,
        files: impl IntoIterator<Item = (N, P)>,
    ) -> Result<(), StepError> {
        let private = self.private()?;
        let mut names = Vec::new();
        for (name, to) in files {
            let to = std::path::absolute(to)?;
            if !self.is_installed(name.as_ref(), &to)? {
                names.push((name, to));
            }
        }
        let mut installs = Vec::new();
        for (name, to) in &names {
            let committed = self.whole(name.as_ref())?;
            let from = committed.path(&private, name.as_ref());
            installs.push(Install {
                from,
                to,
                committed,
            });
        }
        // The folder has the operation's name.
        let operation = private.file_name().unwrap_or_default();
        install::install(&installs, operation, &self.disk)?;
        for (name, to) in names {
            let entry = self.entries.entry(name.as_ref().to_owned()).or_default();
            entry.open = None;
            entry.current.installed = Some(Place(to));
        }
        Ok(())
    }

    /// Whether `name` is installed as `to`.
    fn is_installed(&self, name: &str, to: &Path) -> Result<bool, StepError> {
        let entry = self.entries.get(name);
        match entry.and_then(|entry| entry.current.installed.as_ref()) {
            Some(done) if done.0 != to => Err(StepError::fatal(format!(
                "the file `{name}` is installed as {} already",
                done.0.display()
            ))),
            done => Ok(done.is_some()),
        }
    }

    /// The record of `name`, all of which must be committed.
    fn whole(&self, name: &str) -> Result<&FileRecord, StepError> {
        let entry = self
            .entries
            .get(name)
            .ok_or_else(|| StepError::fatal(format!("nothing was ever written to `{name}`")))?;
        match &entry.committed {
            Some(committed)
                if *committed == entry.current
                    && entry.open.as_ref().is_none_or(|o| !o.is_dirty()) =>
            {
                Ok(committed)
            }
            _ => Err(StepError::fatal(format!(
                "the file `{name}` is to be installed with parts that are not committed: \
                 install it in a step of its own, marked as an effect"
            ))),
        }
    }

    /// Puts everything on disk; gives what the commit has to say.
    pub(crate) fn sync(&mut self, commit: u64) -> Result<Vec<(String, FileRecord)>, StepError> {
        let mut changed = Vec::new();
        for (name, entry) in &mut self.entries {
            if let Some(open) = &mut entry.open {
                if open.is_dirty() {
                    open.sync(&self.disk).map_err(|e| about(open.path(), e))?;
                }
                entry.current.len = open.len();
                entry.current.identity = open.identity()?;
            }
            if entry.committed.as_ref() != Some(&entry.current) {
                entry.current.commit = commit;
                changed.push((name.clone(), entry.current.clone()));
            }
        }
        Ok(changed)
    }

    /// The commit was made: old generations can go.
    pub(crate) fn committed(&mut self) {
        for (name, entry) in &mut self.entries {
            if let (Some(old), Some(private)) = (&entry.committed, &self.private)
                && old.generation != entry.current.generation
            {
                // Best effort: the folder goes when the operation is done.
                let _ = fs::remove_file(old.path(private, name));
            }
            entry.committed = Some(entry.current.clone());
        }
    }

    /// The operation is done: removes what was not installed, and the folders
    /// that this leaves empty. Best effort. Gives what is to be written down of
    /// it, so that it is not done again when others may use the names.
    pub(crate) fn discard(&mut self) -> Vec<(String, FileRecord)> {
        let mut changed = Vec::new();
        let Some(private) = self.private.clone() else {
            return changed;
        };
        for (name, entry) in &mut self.entries {
            entry.open = None;
            let Some(dir) = &entry.current.dir else {
                continue;
            };
            if entry.current.discarded {
                continue;
            }
            let record = &entry.current;
            // What a crash left: the generation before, and one that was not
            // committed.
            let mut left: Vec<_> = record.before().into_iter().collect();
            left.push(record.after());
            if record.installed.is_none() {
                left.push(record.clone());
            }
            let mut durable = true;
            for record in left {
                if fs::remove_file(record.path(&private, name)).is_ok() {
                    durable &= self.disk.sync_dir(&dir.0).is_ok();
                }
            }
            // Only an empty one goes.
            if fs::remove_dir(&dir.0).is_ok()
                && let Some(above) = dir.0.parent()
            {
                durable &= self.disk.sync_dir(above).is_ok();
            }
            if durable {
                entry.current.discarded = true;
                changed.push((name.clone(), entry.current.clone()));
            }
        }
        let _ = fs::remove_dir_all(&private);
        changed
    }

    /// Puts a file or directory on disk that a step wrote by itself.
    pub(crate) fn sync_path(&self, path: &Path) -> Result<(), StepError> {
        self.disk.sync_path(path).map_err(|e| about(path, e))
    }

    /// The same for a directory with all that is below it.
    pub(crate) fn sync_tree(&self, dir: &Path) -> Result<(), StepError> {
        self.disk.sync_tree(dir).map_err(|e| about(dir, e))
    }

    /// The same for some files and directories on the file system of `on`.
    pub(crate) fn sync_all<P: AsRef<Path>>(
        &self,
        on: &Path,
        paths: impl IntoIterator<Item = P>,
    ) -> Result<(), StepError> {
        self.disk.sync_all(on, paths).map_err(|e| about(on, e))
    }

    /// The operation's own folder.
    pub(crate) fn private(&self) -> Result<PathBuf, StepError> {
        self.private.clone().ok_or_else(|| {
            StepError::fatal("this store is kept in memory and has no directory for files")
        })
    }

    fn opened(&mut self, name: &str) -> Result<(&mut OpenFile, &Disk), StepError> {
        let entry = self.entries.get_mut(name);
        let open = entry.and_then(|entry| entry.open.as_mut());
        Ok((open.ok_or_else(|| not_open(name))?, &self.disk))
    }
}

/// An error of a file, with its path.
fn about(path: &Path, error: io::Error) -> StepError {
    StepError::from(error).context(path.display())
}

fn not_open(name: &str) -> StepError {
    StepError::fatal(format!("the file `{name}` is not open"))
}

fn check_name(name: &str) -> Result<(), StepError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(plain) {
        return Ok(());
    }
    Err(format!(
        "`{}` is no name for a file: letters, digits, `.`, `-`, `_`, at most 100",
        name.escape_debug()
    ))
    .or_fatal()
}
