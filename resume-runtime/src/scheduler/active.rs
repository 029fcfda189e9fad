//! The operations that this process has in hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::database::Database;
use crate::hands::Hand;
use crate::pause::{PauseFlag, PausedBy};

/// Pause flags of what a scheduler has in hand, and a counter that moves whenever
/// one ends.
#[derive(Debug)]
pub(crate) struct Active {
    inner: Mutex<Inner>,
    ended: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    flags: HashMap<String, Arc<PauseFlag>>,
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

    /// Takes an operation in hand; `None` when this process has it already.
    pub(crate) fn enter(&self, db: &Database, id: &str) -> Option<(Arc<PauseFlag>, Hand)> {
        let hand = db.take_in_hand(id)?;
        let mut inner = self.lock();
        let flag = Arc::new(PauseFlag::default());
        if let Some(by) = inner.pausing {
            flag.raise(by);
        }
        inner.flags.insert(id.to_owned(), Arc::clone(&flag));
        Some((flag, hand))
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
