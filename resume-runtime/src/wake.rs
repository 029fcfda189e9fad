//! Waking the process that drives an operation when another one asks it to
//! pause.
//!
//! The request itself is in the store. Its author then touches the store's
//! `wake` file, which one thread of every process with the store open watches:
//! through inotify where that exists, by looking four times a second otherwise.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::store::StoreError;

#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    path = "wake/poll.rs"
)]
#[cfg_attr(
    any(target_os = "linux", target_os = "android"),
    path = "wake/inotify.rs"
)]
mod wait;

use wait::{Stop, Wait};

/// A counter that moves when somebody asks for a pause.
pub(crate) struct Wake {
    counter: Arc<watch::Sender<u64>>,
    path: Option<PathBuf>,
    watcher: Option<(Stop, JoinHandle<()>)>,
}

impl Wake {
    /// For a store that no other process sees.
    pub(crate) fn private() -> Self {
        Self {
            counter: Arc::new(watch::Sender::new(0)),
            path: None,
            watcher: None,
        }
    }

    /// Watches the store at `dir` until this is dropped.
    pub(crate) fn watch(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join("wake");
        open(&path).map_err(|e| StoreError::io(&path, e))?;
        let (mut wait, stop) = Wait::new(&path).map_err(|e| StoreError::io(&path, e))?;
        let counter = Arc::new(watch::Sender::new(0));
        let moved = Arc::clone(&counter);
        let thread = std::thread::Builder::new()
            .name("store-wake".to_owned())
            .spawn(move || {
                while wait.next() {
                    moved.send_modify(|count| *count += 1);
                }
            })
            .map_err(|e| StoreError::io(&path, e))?;
        Ok(Self {
            counter,
            path: Some(path),
            watcher: Some((stop, thread)),
        })
    }

    /// The counter; its value says nothing but that it moved.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.counter.subscribe()
    }

    /// Wakes every process that has the store open, this one included.
    pub(crate) fn touch(&self) -> Result<(), StoreError> {
        self.counter.send_modify(|count| *count += 1);
        if let Some(path) = &self.path {
            open(path)
                .and_then(|file| file.write_all_at(b"1", 0))
                .map_err(|e| StoreError::io(path, e))?;
        }
        Ok(())
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.watcher.take() {
            stop.stop();
            // It does nothing that can panic.
            let _ = thread.join();
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
