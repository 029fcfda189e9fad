//! Asking a running operation to pause.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PausedBy {
    /// Ctrl-C, SIGTERM or SIGHUP.
    Signal,
    /// Another process, through the store.
    Request,
    /// This process, through its handle or scheduler.
    Caller,
}

/// The flag of one operation, seen by its steps, and the time it was raised.
///
/// It is an atomic that blocking code can poll (and hand to libraries that take
/// an interrupt flag), and a notification that async code can await.
#[derive(Debug, Default)]
pub(crate) struct PauseFlag {
    raised: Arc<AtomicBool>,
    by: Mutex<Option<(PausedBy, Instant)>>,
    notify: Notify,
}

impl PauseFlag {
    /// Raises the flag; the first to ask is remembered.
    pub(crate) fn raise(&self, by: PausedBy) {
        self.by
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| (by, Instant::now()));
        self.raised.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }

    /// The flag itself, for libraries that poll one.
    pub(crate) const fn as_atomic(&self) -> &Arc<AtomicBool> {
        &self.raised
    }

    /// Who raised it, and when.
    pub(crate) fn raised_by(&self) -> Option<(PausedBy, Instant)> {
        *self.by.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is raised.
    pub(crate) async fn raised(&self) {
        loop {
            let notified = self.notify.notified();
            if self.is_raised() {
                return;
            }
            notified.await;
        }
    }
}
