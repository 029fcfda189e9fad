//! Waking the process that drives an operation when another one asks it to
//! pause.
//!
//! The request itself is in the store. Its author then touches the store's
//! `wake` file, which one thread of every process with the store open watches:
//! through inotify where that can be had, by looking four times a second otherwise
//! (other systems; a user whose inotify instances are used up) and at first.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::store::StoreError;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod inotify;
mod poll;

/// Waits for touches of one file.
trait Wait: Send {
    /// Waits for the next touch; `false` when it was stopped.
    fn next(&mut self) -> bool;
}

/// Ends a [`Wait`].
type Stop = Box<dyn Fn() + Send + Sync>;

/// The best way there is here to wait for touches of `path`.
fn wait(path: &Path) -> (Box<dyn Wait>, Stop) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Ok((wait, stop)) = inotify::wait(path) {
        return (Box::new(wait), stop);
    }
    let (wait, stop) = poll::wait(path);
    (Box::new(wait), stop)
}

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
        let (mut wait, stop) = wait(&path);
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
            stop();
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Each way to wait hears a touch, and is stopped.
    fn hears(wait: impl FnOnce(&Path) -> (Box<dyn Wait>, Stop)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("wake");
        open(&path).unwrap();
        let (mut wait, stop) = wait(&path);
        for _ in 0..3 {
            open(&path).unwrap().write_all_at(b"1", 0).unwrap();
            assert!(wait.next());
        }
        // The file goes away, and comes back.
        std::fs::remove_file(&path).unwrap();
        open(&path).unwrap().write_all_at(b"1", 0).unwrap();
        assert!(wait.next());
        let waiting = std::thread::spawn(move || while wait.next() {});
        stop();
        waiting.join().unwrap();
    }

    #[test]
    fn what_is_watched_here() {
        hears(super::wait);
    }

    #[test]
    fn what_is_looked_at() {
        hears(|path| {
            let (wait, stop) = poll::wait(path);
            (Box::new(wait), stop)
        });
    }
}
