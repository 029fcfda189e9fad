//! How long to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::ConnectionError;

/// After so long the interrupt flag is looked at again.
pub(super) const GLANCE: Duration = Duration::from_millis(40);

/// Watches over waits: none goes on when the interrupt flag is raised, or when nothing has moved
/// for the stall time.
#[derive(Clone, Debug)]
pub(in super::super) struct Watch {
    interrupt: Arc<AtomicBool>,
    stall: Duration,
}

impl Watch {
    pub(in super::super) fn new(interrupt: &Arc<AtomicBool>, stall: Duration) -> Self {
        Self {
            interrupt: Arc::clone(interrupt),
            stall,
        }
    }

    /// The longest that nothing may move.
    pub(super) const fn stall(&self) -> Duration {
        self.stall
    }

    /// Whether a wait may go on in which nothing has moved since `since`.
    pub(super) fn check(&self, since: Instant) -> Result<(), ConnectionError> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Err(ConnectionError::Interrupted);
        }
        if since.elapsed() >= self.stall {
            return Err(ConnectionError::Stalled { after: self.stall });
        }
        Ok(())
    }
}
