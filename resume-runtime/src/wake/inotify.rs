//! Waiting for a touch through inotify.
//!
//! Linux lets go of a watch behind a grace period: the process that had one waits for some ten
//! milliseconds when it ends. So there is none in the first moments, and what is over soon never pays
//! for it.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use super::Stop;

/// How soon the watch is set up, and set up again when it was lost with its file.
const SOON: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 250_000_000,
};

/// The watch on one file.
pub(super) struct Wait {
    path: PathBuf,
    events: OwnedFd,
    stop: Arc<OwnedFd>,
    watching: bool,
}

pub(super) fn wait(path: &Path) -> io::Result<(Wait, Stop)> {
    let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let stopped = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
    let wait = Wait {
        path: path.to_owned(),
        events,
        stop: Arc::clone(&stopped),
        watching: false,
    };
    let stop = move || {
        // An eventfd takes eight bytes at once; its counter cannot be full.
        let _ = rustix::io::write(&*stopped, &1_u64.to_ne_bytes());
    };
    Ok((wait, Box::new(stop)))
}

impl super::Wait for Wait {
    fn next(&mut self) -> bool {
        loop {
            let mut ready = [
                PollFd::new(&*self.stop, PollFlags::IN),
                PollFd::new(&self.events, PollFlags::IN),
            ];
            let timeout = if self.watching { None } else { Some(&SOON) };
            let polled = poll(&mut ready, timeout);
            let [stopped, touched] = ready.map(|fd| !fd.revents().is_empty());
            match polled {
                Err(Errno::INTR) => {}
                Err(_) => return false,
                Ok(_) if stopped => return false,
                Ok(_) => {
                    if touched {
                        self.drain();
                    }
                    if !self.watching {
                        // What came meanwhile is not known: look once. Without a watch (a user's
                        // may be used up) that is so each time.
                        self.watching = self.add().is_ok();
                    }
                    return true;
                }
            }
        }
    }
}

impl Wait {
    fn add(&mut self) -> io::Result<()> {
        super::open(&self.path)?;
        let flags = WatchFlags::MODIFY | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        inotify::add_watch(&self.events, &self.path, flags)?;
        Ok(())
    }

    /// Takes all events, and notes when the file is gone.
    fn drain(&mut self) {
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut reader = inotify::Reader::new(&self.events, &mut buffer);
        let gone = ReadFlags::IGNORED | ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF;
        while let Ok(event) = reader.next() {
            if event.events().intersects(gone) {
                self.watching = false;
            }
        }
    }
}
