//! Waiting for a touch by looking at the file's time.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, SystemTime};

use super::Stop;

const INTERVAL: Duration = Duration::from_millis(250);
/// File systems keep times no finer than this, or than FAT's two seconds, which are
/// not worth more looks: a touch just after a look may leave the time as it was.
const COARSE: Duration = Duration::from_secs(1);

/// Looks at one file now and then.
pub(super) struct Wait {
    path: PathBuf,
    seen: Option<SystemTime>,
    stop: Receiver<()>,
}

pub(super) fn wait(path: &Path) -> (Wait, Stop) {
    let (stop, stopped) = channel();
    let wait = Wait {
        path: path.to_owned(),
        seen: modified(path),
        stop: stopped,
    };
    let stop = Mutex::new(stop);
    let stop = move || {
        if let Ok(stop) = stop.lock() {
            // A thread that is gone needs no stop.
            let _ = stop.send(());
        }
    };
    (wait, Box::new(stop))
}

impl super::Wait for Wait {
    fn next(&mut self) -> bool {
        while let Err(RecvTimeoutError::Timeout) = self.stop.recv_timeout(INTERVAL) {
            let now = modified(&self.path);
            let fresh = now.and_then(|at| at.elapsed().ok());
            // Who is told without need only looks once more.
            if now != self.seen || fresh.is_some_and(|age| age < COARSE) {
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
