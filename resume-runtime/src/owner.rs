//! Instances: who drives an operation, and whether that process lives.
//!
//! A process that opens a store creates a file in the store's `instances`
//! directory and holds a kernel lock on it for as long as the store is open. The
//! kernel drops the lock with the process, however it ends. So whoever can take
//! the lock knows that its process is dead, and no timeout is needed.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::operation::Owner;
use crate::store::StoreError;

/// What an instance file says, for people and for the check of namespaces.
const CONTENT_LIMIT: u64 = 4096;

/// This process, as the owner of operations in one store.
#[derive(Debug)]
pub struct Instance {
    owner: Owner,
    /// Its file and the lock on it; none where the store has no directory.
    file: Option<(PathBuf, File)>,
}

#[derive(Serialize, Deserialize)]
struct Content {
    pid: u32,
    pid_ns: String,
}

impl Instance {
    /// An instance for a store that no other process sees.
    pub(crate) fn private() -> Self {
        Self {
            owner: Owner {
                instance: Uuid::new_v4().to_string(),
                pid: std::process::id(),
            },
            file: None,
        }
    }

    /// An instance in the store at `dir`, locked until it is dropped.
    pub(crate) fn create(dir: &Path) -> Result<Self, StoreError> {
        let instances = instances(dir);
        match std::fs::DirBuilder::new().mode(0o700).create(&instances) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(StoreError::io(&instances, e));
            }
            _ => {}
        }
        loop {
            let mut instance = Self::private();
            let path = instances.join(&instance.owner.instance);
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map_err(|e| StoreError::io(&path, e))?;
            lock(&file, FlockOperation::LockExclusive).map_err(|e| StoreError::io(&path, e))?;
            // Before the lock was held the file looked dead, and may be gone.
            if !is_at(&file, &path) {
                continue;
            }
            let content = Content {
                pid: instance.owner.pid,
                pid_ns: pid_namespace(),
            };
            serde_json::to_vec(&content)
                .map_err(std::io::Error::from)
                .and_then(|bytes| file.write_all(&bytes))
                .map_err(|e| StoreError::io(&path, e))?;
            instance.file = Some((path, file));
            return Ok(instance);
        }
    }

    /// What the records of this process's operations carry.
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The instance's name, unique for this process and store.
    pub fn id(&self) -> &str {
        &self.owner.instance
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some((path, _locked)) = &self.file {
            // Removed while locked: nobody takes it for a dead one meanwhile.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Whether the process behind `owner` still has the store at `dir` open. A dead
/// one's file is removed.
pub(crate) fn is_alive(dir: &Path, owner: &Owner) -> Result<bool, StoreError> {
    // A record is data: it must not lead out of the directory.
    match Uuid::parse_str(&owner.instance) {
        Ok(id) => Ok(probe(&instances(dir).join(id.to_string()))?.is_some()),
        Err(_) => Ok(false),
    }
}

/// Refuses when a live process of another PID namespace has the store open, and
/// removes what dead ones left behind.
pub(crate) fn check_namespaces(dir: &Path) -> Result<(), StoreError> {
    let own = pid_namespace();
    let other = living(dir)?
        .into_iter()
        .find(|other| !own.is_empty() && !other.pid_ns.is_empty() && other.pid_ns != own);
    match other {
        Some(other) => Err(StoreError::Namespace {
            path: dir.to_owned(),
            pid: other.pid,
        }),
        None => Ok(()),
    }
}

/// A live process that has the store open and is stopped by a signal, as far as
/// the system tells.
pub(crate) fn stopped(dir: &Path) -> Option<u32> {
    let pids = living(dir).ok()?.into_iter().map(|content| content.pid);
    pids.into_iter().find(|pid| {
        // The state stands behind the name in parentheses (proc(5)).
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
        state.is_some_and(|rest| rest.starts_with(['T', 't']))
    })
}

/// What the files of live instances say. Those of dead ones are removed.
fn living(dir: &Path) -> Result<Vec<Content>, StoreError> {
    let instances = instances(dir);
    let entries = match std::fs::read_dir(&instances) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(StoreError::io(&instances, e)),
    };
    let mut living = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| StoreError::io(&instances, e))?.path();
        let known = path
            .file_name()
            .and_then(|name| Uuid::parse_str(name.to_str()?).ok());
        if known.is_some() {
            living.extend(probe(&path)?);
        }
    }
    Ok(living)
}

/// What the instance file says if its process lives; removes it otherwise.
fn probe(path: &Path) -> Result<Option<Content>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(StoreError::io(path, e)),
    };
    match lock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {
            // Locked, so its creator (who checks) either is dead or starts anew.
            // On a read-only disk it stays; the next one to look removes it.
            if is_at(&file, path) {
                let _ = std::fs::remove_file(path);
            }
            Ok(None)
        }
        Err(Errno::WOULDBLOCK) => {
            let mut bytes = Vec::new();
            let read = file.take(CONTENT_LIMIT).read_to_end(&mut bytes);
            read.map_err(|e| StoreError::io(path, e))?;
            Ok(Some(serde_json::from_slice(&bytes).unwrap_or(Content {
                pid: 0,
                pid_ns: String::new(),
            })))
        }
        Err(e) => Err(StoreError::io(path, e)),
    }
}

fn instances(dir: &Path) -> PathBuf {
    dir.join("instances")
}

/// Whether `file` is still the one at `path`.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |m: std::fs::Metadata| (m.dev(), m.ino());
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => identity(open) == identity(there),
        _ => false,
    }
}

/// Takes a lock, however often a signal comes in between.
pub(crate) fn lock(file: &File, operation: FlockOperation) -> Result<(), Errno> {
    rustix::io::retry_on_intr(|| flock(file, operation))
}

/// The name of this process's PID namespace; empty where there are none.
fn pid_namespace() -> String {
    std::fs::read_link("/proc/self/ns/pid")
        .map(|link| link.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alive_as_long_as_the_lock_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let instance = Instance::create(dir.path()).unwrap();
        let owner = instance.owner().clone();
        assert!(is_alive(dir.path(), &owner).unwrap());
        let path = instances(dir.path()).join(&owner.instance);
        let mode = std::fs::metadata(&path).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(instance);
        assert!(!is_alive(dir.path(), &owner).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn whoever_finds_a_dead_instance_removes_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let _own = Instance::create(dir.path()).unwrap();
        let dead = Instance::private();
        let path = instances(dir.path()).join(dead.id());
        std::fs::write(&path, r#"{"pid":1,"pid_ns":"pid:[1]"}"#).unwrap();
        assert!(!is_alive(dir.path(), dead.owner()).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn a_record_cannot_lead_out_of_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("file");
        std::fs::write(&outside, "x").unwrap();
        let owner = Owner {
            instance: "../file".into(),
            pid: 1,
        };
        assert!(!is_alive(dir.path(), &owner).unwrap());
        assert!(outside.exists());
    }

    #[test]
    fn another_namespace_is_refused_only_while_its_process_lives() {
        let dir = tempfile::tempdir().unwrap();
        let own = Instance::create(dir.path()).unwrap();
        check_namespaces(dir.path()).unwrap();
        let path = instances(dir.path()).join(Instance::private().id());
        std::fs::write(&path, r#"{"pid":7,"pid_ns":"pid:[1]"}"#).unwrap();
        let held = File::open(&path).unwrap();
        lock(&held, FlockOperation::LockExclusive).unwrap();
        let refused = check_namespaces(dir.path());
        assert!(matches!(refused, Err(StoreError::Namespace { pid: 7, .. })));
        drop(held);
        check_namespaces(dir.path()).unwrap();
        assert!(!path.exists());
        drop(own);
    }
}
