//! Git's lock on one of its files: `<file>.lock`, which becomes the file.
//!
//! The lock is a second name of a file in the operation's directory, so that a process that takes
//! over knows whether a lock that it finds was left by the operation itself.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::RestoreError;
use super::super::publish::Disk;

/// As long as Git waits by default (`core.packedRefsTimeout`).
const PATIENCE: Duration = Duration::from_secs(1);

/// A lock, held until it is dropped.
pub(super) struct Lock {
    target: PathBuf,
    name: PathBuf,
    ours: PathBuf,
    file: File,
}

impl Lock {
    /// Locks the file `target`; `own` is a directory of the operation on the same file system.
    pub(super) fn take(target: &Path, own: &Path, disk: &dyn Disk) -> Result<Self, RestoreError> {
        let name = target.file_name().unwrap_or_default();
        let mut name = name.to_owned();
        name.push(".lock");
        let (lock, ours) = (target.with_file_name(&name), own.join(&name));
        Self::acquire(target.to_owned(), lock.clone(), ours, disk).map_err(RestoreError::io(lock))
    }

    fn acquire(target: PathBuf, lock: PathBuf, ours: PathBuf, disk: &dyn Disk) -> io::Result<Self> {
        if let Some(own) = ours.parent() {
            fs::create_dir_all(own)?;
        }
        // What a process left that died with the lock.
        if is_same(&lock, &ours)? {
            fs::remove_file(&lock)?;
        }
        match fs::remove_file(&ours) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut locked = Self {
            file: new(&ours)?,
            target,
            name: lock,
            ours,
        };
        // A lock that outlives a power cut is to be known again.
        disk.sync(&locked.ours)?;
        let began = Instant::now();
        loop {
            match fs::hard_link(&locked.ours, &locked.name) {
                Ok(()) => return Ok(locked),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                // There are no second names here.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported
                    ) =>
                {
                    match new(&locked.name) {
                        Ok(file) => {
                            let _ = fs::remove_file(&locked.ours);
                            locked.ours.clone_from(&locked.name);
                            locked.file = file;
                            return Ok(locked);
                        }
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                        Err(error) => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            }
            if began.elapsed() > PATIENCE {
                let said = "another process holds this lock, or left it behind";
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, said));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What becomes the file's content.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Leaves the file as it is. Merely dropped, the lock may come back with a power cut: the
    /// operation knows it again, but nobody else does.
    pub(super) fn release(self, disk: &dyn Disk) -> Result<(), RestoreError> {
        let dir = self.name.parent().unwrap_or(Path::new(".")).to_owned();
        drop(self);
        disk.sync(&dir).map_err(RestoreError::io(&dir))
    }

    /// Replaces the file.
    pub(super) fn commit(self, disk: &dyn Disk) -> Result<(), RestoreError> {
        let commit = || {
            disk.sync(&self.name)?;
            fs::rename(&self.name, &self.target)?;
            disk.sync(&self.target)
        };
        commit().map_err(RestoreError::io(&self.target))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Once renamed it is the lock no more.
        if is_same(&self.name, &self.ours).unwrap_or(false) {
            let _ = fs::remove_file(&self.name);
        }
        let _ = fs::remove_file(&self.ours);
    }
}

fn new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

fn is_same(a: &Path, b: &Path) -> io::Result<bool> {
    let identity = |path: &Path| match path.symlink_metadata() {
        Ok(meta) => Ok(Some((meta.dev(), meta.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    let a = identity(a)?;
    Ok(a.is_some() && a == identity(b)?)
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::plain::Plain;
    use super::*;

    #[test]
    fn a_lock_of_ones_own_is_known_again_and_anothers_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (target, own) = (dir.path().join("file"), dir.path().join("own"));
        fs::write(&target, "before").unwrap();
        let lock = Lock::take(&target, &own, &Plain).unwrap();
        // As if the process had died.
        std::mem::forget(lock);
        assert!(dir.path().join("file.lock").exists());
        let mut lock = Lock::take(&target, &own, &Plain).unwrap();
        io::Write::write_all(lock.file(), b"after").unwrap();
        let other = Lock::take(&target, &dir.path().join("another"), &Plain);
        let other = other.err().map(|error| format!("{error:?}"));
        assert!(other.unwrap().contains("holds this lock"));
        assert_eq!(fs::read(&target).unwrap(), b"before");
        lock.commit(&Plain).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"after");
        // Died between the rename and the end.
        fs::hard_link(&target, own.join("file.lock")).unwrap();
        drop(Lock::take(&target, &own, &Plain).unwrap());
        assert_eq!(fs::read(&target).unwrap(), b"after");
        assert!(!dir.path().join("file.lock").exists());
        assert_eq!(fs::read_dir(&own).unwrap().count(), 0);
    }
}
