//! Waiting for a touch by looking at the file's time.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime};

const INTERVAL: Duration = Duration::from_millis(250);

/// Ends a [`Wait`].
pub(super) struct Stop(Sender<()>);

impl Stop {
    pub(super) fn stop(&self) {
        // A thread that is gone needs no stop.
        let _ = self.0.send(());
    }
}

/// The watch on one file.
pub(super) struct Wait {
    path: PathBuf,
    seen: Option<SystemTime>,
    stop: Receiver<()>,
}

impl Wait {
    #[expect(clippy::unnecessary_wraps, reason = "the other ways to wait can fail")]
    pub(super) fn new(path: &Path) -> io::Result<(Self, Stop)> {
        let (stop, stopped) = channel();
        let wait = Self {
            path: path.to_owned(),
            seen: modified(path),
            stop: stopped,
        };
        Ok((wait, Stop(stop)))
    }

    /// Waits for the next touch; `false` when it was stopped.
    pub(super) fn next(&mut self) -> bool {
        while let Err(RecvTimeoutError::Timeout) = self.stop.recv_timeout(INTERVAL) {
            let now = modified(&self.path);
            if now != self.seen {
                self.seen = now;
                return true;
            }
        }
        false
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|m| m.modified()).ok()
}
