//! What this process drives of a store's operations, over all its schedulers.
//!
//! Between processes the record says who drives an operation; within one it
//! would say the same of everybody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::latch::Latch;

/// The operations in hand, and those with a thread that was left behind.
#[derive(Debug, Default)]
pub(crate) struct Hands(Mutex<HashMap<String, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    driven: bool,
    latch: Latch,
}

impl Hands {
    /// Takes an operation in hand; `None` when it is already.
    pub(crate) fn take(self: &Arc<Self>, id: &str) -> Option<Hand> {
        let mut entries = self.lock();
        let entry = entries.entry(id.to_owned()).or_default();
        if std::mem::replace(&mut entry.driven, true) {
            return None;
        }
        let latch = entry.latch.clone();
        // Latches that nobody holds any more have done their work.
        entries.retain(|_, entry| entry.driven || entry.latch.is_held());
        drop(entries);
        Some(Hand {
            hands: Arc::clone(self),
            id: id.to_owned(),
            latch,
            released: false,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        // Entries are changed in one step each.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An operation in hand, until it is released or dropped.
#[derive(Debug)]
pub(crate) struct Hand {
    hands: Arc<Hands>,
    id: String,
    latch: Latch,
    released: bool,
}

impl Hand {
    /// Held by the operation's threads, one after the other, also over the time
    /// that it is in hand.
    pub(crate) const fn latch(&self) -> &Latch {
        &self.latch
    }

    pub(crate) fn release(&mut self) {
        if !std::mem::replace(&mut self.released, true)
            && let Some(entry) = self.hands.lock().get_mut(&self.id)
        {
            entry.driven = false;
        }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_operation_is_in_one_hand_and_its_latch_outlives_that() {
        let hands = Arc::<Hands>::default();
        let mut hand = hands.take("a").unwrap();
        assert!(hands.take("a").is_none());
        let other = hands.take("b").unwrap();
        let left_behind = hand.latch().enter().await;
        hand.release();
        let again = hands.take("a").unwrap();
        // Released once: dropping it must not take it out of the next hand.
        drop(hand);
        assert!(hands.take("a").is_none());
        assert!(again.latch().is_held());
        drop((left_behind, other, again));
        let last = hands.take("b").unwrap();
        assert_eq!(hands.lock().len(), 1, "{last:?}");
    }
}
