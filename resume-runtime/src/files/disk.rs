//! Making content and names durable.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::faults::Faults;

/// Through which the files of an operation reach the disk.
///
/// That a directory is there does not mean that a power cut would leave it: a
/// process may have made it and died before the sync. So a new name is made
/// durable with all that lead to it, up to the root of the file system, and what
/// was done once is remembered.
pub(crate) struct Disk {
    faults: Arc<dyn Faults>,
    /// Directories whose names are durable.
    known: Mutex<HashSet<DirIdentity>>,
}

/// Device, inode, and when it was made: an inode's number is used again.
type DirIdentity = ((u64, u64), Option<SystemTime>);

impl Disk {
    pub(crate) fn new(faults: Arc<dyn Faults>) -> Self {
        Self {
            faults,
            known: Mutex::default(),
        }
    }

    /// Asks whether `len` bytes may be written to `path`.
    pub(crate) fn may_write(&self, path: &Path, len: usize) -> io::Result<()> {
        self.faults.write(path, len)
    }

    /// Puts the content of the file `path`, open as `file`, on disk.
    pub(crate) fn sync_file(&self, path: &Path, file: &File) -> io::Result<()> {
        self.faults.sync(path, &mut || file.sync_data())
    }

    /// Puts a file or directory that the runtime did not write on disk, and the
    /// names that lead to it.
    pub(crate) fn sync_path(&self, path: &Path) -> io::Result<()> {
        self.faults
            .sync(path, &mut || File::open(path)?.sync_all())?;
        self.sync_names(path)
    }

    /// Puts the directory `dir` on disk with all that is below it, and the names
    /// that lead to it.
    pub(crate) fn sync_tree(&self, dir: &Path) -> io::Result<()> {
        // One call for the file system costs less than one for each of many files.
        #[cfg(target_os = "linux")]
        self.faults
            .sync(dir, &mut || Ok(rustix::fs::syncfs(File::open(dir)?)?))?;
        self.sync_below(dir)?;
        self.sync_names(dir)
    }

    /// Puts files and directories on the file system of `on` on disk: content and
    /// entries, no names that lead there.
    pub(crate) fn sync_all<P: AsRef<Path>>(
        &self,
        on: &Path,
        paths: impl IntoIterator<Item = P>,
    ) -> io::Result<()> {
        #[cfg(not(target_os = "linux"))]
        let _ = on;
        #[cfg(target_os = "linux")]
        let mut done = false;
        for path in paths {
            let path = path.as_ref();
            self.faults.sync(path, &mut || {
                // One call for the file system costs less than one for each of many files.
                #[cfg(target_os = "linux")]
                if !std::mem::replace(&mut done, true) {
                    rustix::fs::syncfs(File::open(on)?)?;
                }
                #[cfg(not(target_os = "linux"))]
                File::open(path)?.sync_all()?;
                Ok(())
            })?;
        }
        Ok(())
    }

    fn sync_below(&self, path: &Path) -> io::Result<()> {
        let meta = path.symlink_metadata()?;
        if meta.is_dir() {
            for entry in fs::read_dir(path)? {
                self.sync_below(&entry?.path())?;
            }
        } else if !meta.is_file() {
            return Ok(());
        }
        self.faults.sync(path, &mut || {
            #[cfg(not(target_os = "linux"))]
            File::open(path)?.sync_all()?;
            Ok(())
        })
    }

    /// Puts the entries of the directory `dir` on disk.
    pub(crate) fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.faults.sync(dir, &mut || {
            #[cfg(unix)]
            File::open(dir)?.sync_all()?;
            Ok(())
        })
    }

    /// Makes the name `path` durable, and those of the directories above it.
    pub(crate) fn sync_names(&self, path: &Path) -> io::Result<()> {
        let path = std::path::absolute(path)?;
        let Some(parent) = path.parent() else {
            return Ok(());
        };
        let parent = parent.canonicalize()?;
        self.sync_dir(&parent)?;
        let mut dir: &Path = &parent;
        while let (Some(key), Some(above)) = (dir_identity(dir)?, dir.parent()) {
            let mounted = dir_identity(above)?.is_none_or(|above| above.0.0 != key.0.0);
            if mounted || self.known().contains(&key) {
                break;
            }
            match self.sync_dir(above) {
                // What may not be read was not made by this process.
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {}
                done => done?,
            }
            self.known().insert(key);
            dir = above;
        }
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<DirIdentity>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn dir_identity(dir: &Path) -> io::Result<Option<DirIdentity>> {
    let meta = fs::metadata(dir)?;
    Ok(identity(&meta).map(|identity| (identity, meta.created().ok())))
}

/// Creates a directory for an operation's own files: nobody else may look in.
pub(crate) fn create_private(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(dir)
}

/// Device and inode; none where the system has no such thing.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "none on other systems")]
pub(crate) fn identity(meta: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((meta.dev(), meta.ino()))
}

#[cfg(not(unix))]
pub(crate) fn identity(_meta: &fs::Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers what was synced, below a directory.
    #[derive(Default)]
    struct Seen(Mutex<Vec<std::path::PathBuf>>);

    impl Faults for Seen {
        fn sync(&self, path: &Path, _: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
            self.0.lock().unwrap().push(path.to_owned());
            Ok(())
        }
    }

    #[test]
    fn a_name_is_durable_with_all_that_lead_to_it() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        let dir = top.join("a/b");
        fs::create_dir_all(&dir).unwrap();
        let seen = Arc::<Seen>::default();
        let disk = Disk::new(Arc::clone(&seen) as Arc<dyn Faults>);
        let synced = || std::mem::take(&mut *seen.0.lock().unwrap());
        disk.sync_names(&dir.join("file")).unwrap();
        let first = synced();
        assert_eq!(first[..3], [dir.clone(), top.join("a"), top.clone()]);
        // Up to where another file system is mounted.
        assert!(first.len() > 3);
        disk.sync_names(&dir.join("other")).unwrap();
        assert_eq!(synced(), [&*dir]);
        // The same name, but another directory.
        fs::rename(&dir, top.join("moved")).unwrap();
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("file"), "").unwrap();
        disk.sync_path(&dir.join("file")).unwrap();
        assert_eq!(synced(), [dir.join("file"), dir.clone(), top.join("a")]);
    }
}
