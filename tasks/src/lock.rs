//! Git's lock on one of its files: `<file>.lock`, which becomes the file.
//!
//! The lock is a second name of a file in the operation's directory, so that a process that takes
//! over knows whether a lock that it finds was left by the operation itself.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::disk::Disk;

/// As long as Git waits by default (`core.packedRefsTimeout`).
const PATIENCE: Duration = Duration::from_secs(1);

/// A lock, held until it is dropped.
pub(crate) struct Lock {
    target: PathBuf,
    name: PathBuf,
    ours: PathBuf,
    /// Where it was taken to be written.
    file: Option<File>,
}

impl Lock {
    /// Locks the file `target`; `own` is a directory of the operation on the same file system.
    pub(crate) fn take(target: &Path, own: &Path, disk: &dyn Disk) -> io::Result<Self> {
        Self::take_within(target, own, PATIENCE, disk)
    }

    /// The same. Where somebody else holds the lock for longer than `patience`, that is an error of the
    /// kind `ResourceBusy`.
    pub(crate) fn take_within(
        target: &Path,
        own: &Path,
        patience: Duration,
        disk: &dyn Disk,
    ) -> io::Result<Self> {
        let ours = own.join(name_of(target).file_name().unwrap_or_default());
        let mut prepared = Self::prepare(target, ours, b"")?;
        prepared.file = Some(OpenOptions::new().write(true).open(&prepared.ours)?);
        // A lock that outlives a power cut is to be known again.
        disk.sync(&prepared.ours)?;
        prepared.acquire(Instant::now() + patience)
    }

    /// Makes the file that is to become the lock of `target`, and then the file itself: `ours`, on the same
    /// file system, with what it is to hold. A lock
    /// that was left by a process which died with the same `ours` is taken away. Before it is
    /// [acquired](Self::acquire), it is to be on disk, so that it is known again.
    pub(crate) fn prepare(target: &Path, ours: PathBuf, content: &[u8]) -> io::Result<Self> {
        if let Some(own) = ours.parent() {
            fs::create_dir_all(own)?;
        }
        let name = name_of(target);
        if is_same(&name, &ours)? {
            fs::remove_file(&name)?;
        }
        match fs::remove_file(&ours) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        new(&ours)?.write_all(content)?;
        Ok(Self {
            file: None,
            target: target.to_owned(),
            name,
            ours,
        })
    }

    /// Locks, once nobody else does; until `deadline` at most.
    pub(crate) fn acquire(self, deadline: Instant) -> io::Result<Self> {
        let mut locked = self;
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
                        Ok(mut file) => {
                            file.write_all(&fs::read(&locked.ours)?)?;
                            let _ = fs::remove_file(&locked.ours);
                            locked.ours.clone_from(&locked.name);
                            locked.file = locked.file.take().map(|_| file);
                            return Ok(locked);
                        }
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                        Err(error) => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            }
            if Instant::now() > deadline {
                let said = "another process holds this lock, or left it behind";
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, said));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What becomes the file's content, of a lock that was [taken](Self::take).
    pub(crate) fn file(&mut self) -> io::Result<&mut File> {
        let opened = self.file.as_mut();
        opened
            .ok_or_else(|| io::Error::other("a lock that was written before is not written again"))
    }

    /// Leaves the file as it is. Merely dropped, the lock may come back with a power cut: the
    /// operation knows it again, but nobody else does.
    pub(crate) fn release(self, disk: &dyn Disk) -> io::Result<()> {
        let dir = self.name.parent().unwrap_or(Path::new(".")).to_owned();
        drop(self);
        disk.sync(&dir)
    }

    /// Replaces the file.
    pub(crate) fn commit(self, disk: &dyn Disk) -> io::Result<()> {
        disk.sync(&self.name)?;
        fs::rename(&self.name, &self.target)?;
        disk.sync(&self.target)
    }

    /// The file that it becomes.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Its own name.
    pub(crate) fn name(&self) -> &Path {
        &self.name
    }

    /// Replaces the file by what was written before it was locked and is on disk. The directory is
    /// still to be synced.
    pub(crate) fn put(self) -> io::Result<()> {
        fs::rename(&self.name, &self.target)
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

/// The lock of the file `target`.
pub(crate) fn name_of(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    target.with_file_name(name)
}

/// Takes away the lock at `name` if it is a second name of `ours`, and that one too.
pub(crate) fn clear(name: &Path, ours: &Path) -> io::Result<()> {
    if is_same(name, ours)? {
        fs::remove_file(name)?;
    }
    fs::remove_file(ours)
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
    use super::*;
    use crate::disk::Plain;

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
        lock.file().unwrap().write_all(b"after").unwrap();
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
