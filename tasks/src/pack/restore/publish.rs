//! Makes the repository around the restored pack: the skeleton first, the pack, the refs, and
//! `HEAD` last. Without `HEAD`, Git does not take the directory for a repository, so a half
//! restored one never looks finished. Each function can be repeated.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, ByteSlice as _};
use gix_hash::ObjectId;
use rustix::fs::CWD;
use rustix::io::Errno;

use super::super::format::{RefTarget, Refs};
use super::RestoreError;
pub use crate::disk::Disk;
use crate::rename::rename_new;

/// Where an operation's store lies within a Git directory.
pub const STORE_NAME: &str = "mug";

/// Where the repository goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What the user named.
    pub path: PathBuf,
    /// Whether it is to have no working tree.
    pub bare: bool,
}

impl Target {
    /// The Git directory.
    pub fn git_dir(&self) -> PathBuf {
        if self.bare {
            self.path.clone()
        } else {
            self.path.join(".git")
        }
    }

    /// Refuses a directory that holds anything but the store of a restore that has published
    /// nothing yet, and one that another operation than `own` has begun to restore to.
    pub fn check_free(&self, own: Option<&str>) -> Result<(), RestoreError> {
        let begun = if self.holds_store_only()? {
            self.begun(own)?
        } else {
            let other = Self {
                path: self.path.clone(),
                bare: !self.bare,
            };
            // It may be that of another kind of repository.
            let begun = if other.holds_store_only()? {
                other.begun(own)?
            } else {
                None
            };
            Some(begun.ok_or_else(|| RestoreError::TargetTaken {
                path: self.path.clone(),
            })?)
        };
        begun.map_or(Ok(()), |id| {
            Err(RestoreError::TargetBusy {
                path: self.path.clone(),
                id,
            })
        })
    }

    fn holds_store_only(&self) -> Result<bool, RestoreError> {
        Ok(if self.bare {
            only_holds(&self.path, STORE_NAME)?
        } else {
            only_holds(&self.path, ".git")? && only_holds(&self.git_dir(), STORE_NAME)?
        })
    }

    /// The operation, another than `own`, that has begun to restore to here.
    fn begun(&self, own: Option<&str>) -> Result<Option<String>, RestoreError> {
        let ops = self.git_dir().join(STORE_NAME).join("ops");
        let entries = match fs::read_dir(&ops) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            entries => entries.map_err(RestoreError::io(&ops))?,
        };
        for entry in entries {
            let name = entry.map_err(RestoreError::io(&ops))?.file_name();
            if own.is_none_or(|own| name != own) {
                return Ok(Some(name.to_string_lossy().escape_debug().to_string()));
            }
        }
        Ok(None)
    }

    /// Refuses a directory that has a `HEAD`, which somebody else wrote.
    pub fn check_unborn(&self) -> Result<(), RestoreError> {
        let head = self.git_dir().join(HEAD);
        match head.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(RestoreError::io(&head)(error)),
            Ok(_) => Err(RestoreError::Appeared { path: head }),
        }
    }
}

fn only_holds(path: &Path, name: &str) -> Result<bool, RestoreError> {
    match fs::read_dir(path) {
        Ok(mut entries) => {
            entries.try_fold(true, |free, entry| Ok(free && entry?.file_name() == name))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    }
    .map_err(RestoreError::io(path))
}

/// Moves what `git init` would make into the Git directory, all but `HEAD`. `scratch` is a
/// directory of the operation on the same file system; it is emptied.
///
/// Where `refs` say that history was cut off or objects were left out, Git is told: without that it
/// would take the repository for a broken one.
pub fn skeleton(
    target: &Target,
    scratch: &Path,
    refs: &Refs,
    disk: &dyn Disk,
) -> Result<(), RestoreError> {
    let git_dir = target.git_dir();
    let error = |path: &Path, error| RestoreError::io(path)(error);
    remove_dir(scratch, disk)?;
    fs::create_dir_all(scratch).map_err(|e| error(scratch, e))?;
    let kind = if target.bare {
        gix::create::Kind::Bare
    } else {
        gix::create::Kind::WithWorktree
    };
    gix::create::into(scratch, kind, gix::create::Options::default())
        .map_err(|e| error(scratch, io::Error::other(e.to_string())))?;
    let made = if target.bare {
        scratch.to_owned()
    } else {
        scratch.join(".git")
    };
    if !refs.shallow.is_empty() {
        let path = made.join("shallow");
        fs::write(&path, shallow_file(&refs.shallow)).map_err(|e| error(&path, e))?;
    }
    if !refs.missing.is_empty() {
        let path = made.join("config");
        partial_config(&path).map_err(|e| error(&path, e))?;
    }
    disk.sync_tree(&made).map_err(|e| error(&made, e))?;
    for entry in fs::read_dir(&made).map_err(|e| error(&made, e))? {
        let entry = entry.map_err(|e| error(&made, e))?;
        let to = git_dir.join(entry.file_name());
        if entry.file_name() == "HEAD" {
            continue;
        }
        match rename_new(CWD, &entry.path(), CWD, &to) {
            // It was moved there before.
            Ok(()) | Err(Errno::EXIST) => {}
            Err(failed) => return Err(error(&to, failed.into())),
        }
    }
    disk.sync(&git_dir).map_err(|e| error(&git_dir, e))?;
    remove_dir(scratch, disk)
}

/// Git's `shallow` file.
pub(super) fn shallow_file(commits: &[ObjectId]) -> Vec<u8> {
    let lines = commits
        .iter()
        .flat_map(|oid| [oid.to_string(), "\n".to_owned()]);
    lines.collect::<String>().into_bytes()
}

/// Says in a new repository's configuration that objects are promised, as a partial clone's does;
/// the remote that promises them has no URL yet.
fn partial_config(path: &Path) -> io::Result<()> {
    let set = || -> gix::Result<Vec<u8>> {
        let source = gix::config::Source::Local;
        let mut config = gix::config::File::from_path_no_includes(path.to_owned(), source)?;
        config.set_raw_value("core.repositoryformatversion", "1")?;
        config.set_raw_value("extensions.partialClone", "origin")?;
        config.set_raw_value("remote.origin.promisor", "true")?;
        Ok(config.to_bstring().into())
    };
    let bytes = set().map_err(|error| io::Error::other(error.to_string()))?;
    fs::write(path, bytes)
}

/// Makes the pack one whose objects may name others that are not there.
pub fn promise(stem: &Path, disk: &dyn Disk) -> Result<(), RestoreError> {
    let path = stem.with_extension("promisor");
    let make = || {
        fs::write(&path, b"")?;
        disk.sync(&path)
    };
    make().map_err(RestoreError::io(&path))
}

/// Writes the refs: those that name objects as packed refs, symbolic ones as files.
pub fn refs(git_dir: &Path, refs: &Refs, disk: &dyn Disk) -> Result<(), RestoreError> {
    let packed = packed_refs(refs);
    if !packed.is_empty() {
        write_file(&git_dir.join("packed-refs"), &packed, disk)?;
    }
    for (name, target) in &refs.refs {
        if let RefTarget::Symbolic(to) = target {
            let path = git_dir.join(OsStr::from_bytes(name));
            let parent = path.parent().unwrap_or(git_dir);
            fs::create_dir_all(parent).map_err(RestoreError::io(parent))?;
            write_file(&path, &symbolic(to.as_bstr()), disk)?;
        }
    }
    Ok(())
}

const HEAD: &str = "HEAD";

/// Writes `HEAD` into the operation's directory `own`, from where [`install_head`] takes it.
pub fn prepare_head(own: &Path, refs: &Refs, disk: &dyn Disk) -> Result<(), RestoreError> {
    let head = match &refs.head {
        Some(RefTarget::Object(oid)) => format!("{oid}\n").into_bytes(),
        Some(RefTarget::Symbolic(to)) => symbolic(to.as_bstr()),
        // Git needs one; a branch that does not exist is what a new repository has.
        None => symbolic(b"refs/heads/main".as_bstr()),
    };
    fs::create_dir_all(own).map_err(RestoreError::io(own))?;
    write_file(&own.join(HEAD), &head, disk)
}

/// Whether `HEAD` is still to be installed. One that somebody else made is an error.
pub fn awaits_head(own: &Path, target: &Target) -> Result<bool, RestoreError> {
    let head = target.git_dir().join(HEAD);
    match (own.join(HEAD).exists(), head.symlink_metadata().is_ok()) {
        (true, false) => Ok(true),
        (false, true) => Ok(false),
        (true, true) => Err(RestoreError::Appeared { path: head }),
        (false, false) => Err(RestoreError::Unfinished {
            reason: "its HEAD is gone",
        }),
    }
}

/// Moves `HEAD` from the operation's directory into the repository, which it makes one. It replaces
/// nothing: whoever made a repository there meanwhile keeps it.
pub fn install_head(own: &Path, git_dir: &Path, disk: &dyn Disk) -> Result<(), RestoreError> {
    let head = git_dir.join(HEAD);
    match rename_new(CWD, &own.join(HEAD), CWD, &head) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Err(RestoreError::Appeared { path: head }),
        Err(error) => return Err(RestoreError::io(&head)(error.into())),
    }
    for dir in [git_dir, own] {
        disk.sync(dir).map_err(RestoreError::io(dir))?;
    }
    Ok(())
}

fn packed_refs(refs: &Refs) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, target) in &refs.refs {
        if let RefTarget::Object(oid) = target {
            if out.is_empty() {
                out.extend_from_slice(b"# pack-refs with: sorted \n");
            }
            out.extend_from_slice(format!("{oid} ").as_bytes());
            out.extend_from_slice(name);
            out.push(b'\n');
        }
    }
    out
}

fn symbolic(to: &BStr) -> Vec<u8> {
    [b"ref: ".as_slice(), to, b"\n"].concat()
}

/// Replaces `path` by a file with these bytes, which are on disk before they can be seen.
fn write_file(path: &Path, bytes: &[u8], disk: &dyn Disk) -> Result<(), RestoreError> {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let lock = PathBuf::from(lock);
    let write = || {
        fs::write(&lock, bytes)?;
        disk.sync(&lock)?;
        fs::rename(&lock, path)?;
        disk.sync(path.parent().unwrap_or(Path::new(".")))
    };
    write().map_err(RestoreError::io(path))
}

pub(super) fn remove_dir(path: &Path, disk: &dyn Disk) -> Result<(), RestoreError> {
    crate::checkout::borrow::remove(path, disk).map_err(RestoreError::io(path))
}

/// Makes the pack and its index read-only, as Git does.
pub fn seal(stem: &Path, disk: &dyn Disk) -> Result<(), RestoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    for extension in ["pack", "idx"] {
        let path = stem.with_extension(extension);
        let seal = || {
            let mut permissions = fs::metadata(&path)?.permissions();
            permissions.set_mode(permissions.mode() & 0o444);
            fs::set_permissions(&path, permissions)?;
            disk.sync(&path)
        };
        seal().map_err(RestoreError::io(&path))?;
    }
    Ok(())
}
