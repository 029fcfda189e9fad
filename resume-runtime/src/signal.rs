//! Signals that pause.
//!
//! SIGINT, SIGTERM and SIGHUP ask every operation of the scheduler to pause. A
//! second SIGINT ends the process at once, inside the signal handler, whatever
//! its threads are doing: that is as safe as kill -9. The signals are watched by
//! a thread of their own, so that a runtime whose workers are all busy still
//! pauses.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator;

use crate::pause::PausedBy;
use crate::scheduler::Scheduler;

/// The exit code of a process that a signal ended: 128 + SIGINT.
pub const PAUSED_BY_SIGNAL: i32 = 130;

/// Signals are watched until this is dropped.
#[derive(Debug)]
pub struct Signals {
    handle: iterator::Handle,
    thread: Option<JoinHandle<()>>,
}

/// Pauses everything that `scheduler` drives, now and later, on SIGINT, SIGTERM
/// and SIGHUP. `asked` is called for each signal with its number, on a thread of
/// its own, after the operations were asked.
///
/// A signal that the process was started to ignore (`nohup`) stays ignored.
///
/// SIGXFSZ no longer ends the process either: a write beyond the file size limit
/// (`ulimit -f`) fails like one on a full disk does, and the operation waits for
/// the user.
pub fn pause_on_signals(
    scheduler: &Scheduler,
    asked: impl Fn(i32) + Send + 'static,
) -> io::Result<Signals> {
    let again = Arc::new(AtomicBool::new(false));
    let ignored = ignored();
    let watched: Vec<i32> = [SIGINT, SIGTERM, SIGHUP]
        .into_iter()
        .filter(|signal| ignored & (1 << (signal - 1)) == 0)
        .collect();
    if watched.contains(&SIGINT) {
        // Actions run in the order of their registration: the first SIGINT finds
        // the flag down and raises it, the second finds it up.
        flag::register_conditional_shutdown(SIGINT, PAUSED_BY_SIGNAL, Arc::clone(&again))?;
        flag::register(SIGINT, again)?;
    }
    survive_file_size_limit()?;
    let mut signals = iterator::Signals::new(&watched)?;
    let handle = signals.handle();
    let active = scheduler.pauser();
    let thread = std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                active.pause_all(PausedBy::Signal);
                asked(signal);
            }
        })?;
    Ok(Signals {
        handle,
        thread: Some(thread),
    })
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // It ends at once; a panic in `asked` was its own.
            let _ = thread.join();
        }
    }
}

/// Has a write beyond the process's file size limit fail, with `EFBIG`, where it
/// would end the process. Programs that it starts are ended as ever: a handler is
/// not inherited.
pub(crate) fn survive_file_size_limit() -> io::Result<()> {
    flag::register(SIGXFSZ, Arc::default()).map(drop)
}

/// The signals that are ignored, as a mask with bit 0 for signal 1.
#[cfg(target_os = "linux")]
fn ignored() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .as_deref()
        .and_then(|status| status.lines().find_map(|line| line.strip_prefix("SigIgn:")))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn ignored() -> u64 {
    0
}
