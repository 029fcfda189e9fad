//! The operations that this process has in hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::database::Database;
use crate::latch::Latch;
use crate::pause::{PauseFlag, PausedBy};

/// Pause flags of what is in hand, latches of all that ever was, and a counter
/// that moves whenever one ends.
#[derive(Debug)]
pub(crate) struct Active {
    inner: Mutex<Inner>,
    ended: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    flags: HashMap<String, Arc<PauseFlag>>,
    latches: HashMap<String, Latch>,
    /// Once everything was asked to pause, what comes later is paused too.
    pausing: Option<PausedBy>,
}

impl Active {
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::default(),
            ended: watch::Sender::new(0),
        }
    }

    /// Takes an operation in hand; `None` when it is already.
    pub(crate) fn enter(&self, id: &str) -> Option<(Arc<PauseFlag>, Latch)> {
        let mut inner = self.lock();
        if inner.flags.contains_key(id) {
            return None;
        }
        let flag = Arc::new(PauseFlag::default());
        if let Some(by) = inner.pausing {
            flag.raise(by);
        }
        inner.flags.insert(id.to_owned(), Arc::clone(&flag));
        // Latches that nobody holds any more have done their work.
        inner.latches.retain(|_, latch| latch.is_held());
        let latch = inner.latches.entry(id.to_owned()).or_default().clone();
        Some((flag, latch))
    }

    pub(crate) fn leave(&self, id: &str) {
        self.lock().flags.remove(id);
        self.ended.send_modify(|n| *n += 1);
    }

    pub(crate) fn pause(&self, id: &str, by: PausedBy) -> bool {
        let flag = self.lock().flags.get(id).cloned();
        flag.inspect(|flag| flag.raise(by)).is_some()
    }

    pub(crate) fn pause_all(&self, by: PausedBy) {
        let mut inner = self.lock();
        inner.pausing = Some(by);
        for flag in inner.flags.values() {
            flag.raise(by);
        }
    }

    /// Pauses those that another process asked for.
    pub(crate) fn pause_requested(&self, db: &Database) {
        let ids: Vec<String> = self.lock().flags.keys().cloned().collect();
        for id in ids {
            // An error to read shows itself at the next commit.
            if db.requested(&id).unwrap_or(false) {
                self.pause(&id, PausedBy::Request);
            }
        }
    }

    /// Moves whenever an operation ends.
    pub(crate) fn ended(&self) -> watch::Receiver<u64> {
        self.ended.subscribe()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.lock().flags.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
