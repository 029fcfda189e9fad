//! Counts an operation's work on blocking threads, so that its files are not cut
//! while a thread that nobody waits for any more still writes to them.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

/// Held by the thread that has the slice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latch(Arc<Mutex<()>>);

impl Latch {
    /// Waits for a thread that was left behind, then holds the latch.
    pub(crate) async fn enter(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.0).lock_owned().await
    }

    /// Waits until no thread holds it.
    pub(crate) async fn join(&self) {
        drop(self.enter().await);
    }

    /// Whether a thread holds it.
    pub(crate) fn is_held(&self) -> bool {
        self.0.try_lock().is_err()
    }
}
