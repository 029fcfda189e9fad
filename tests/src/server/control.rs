//! What a test tells a server, and asks it.

use std::sync::Arc;

use super::fault::Rule;
use super::state::Shared;
use super::{Body, Fault, Kind, Served};

/// A server's faults and counts.
#[derive(Clone, Debug)]
pub struct Control {
    pub(super) shared: Arc<Shared>,
}

impl Control {
    /// Does this to the next answer of this kind, when `pass` others have gone by.
    pub fn once(&self, kind: Kind, pass: usize, fault: Fault) {
        self.times(kind, pass, 1, fault);
    }

    /// Does this to all answers of this kind from now on.
    pub fn always(&self, kind: Kind, fault: Fault) {
        self.times(kind, 0, usize::MAX, fault);
    }

    /// Does this to `count` answers of this kind, when `pass` others have gone by.
    pub fn times(&self, kind: Kind, pass: usize, count: usize, fault: Fault) {
        let rule = Rule::new(kind, pass, count, fault);
        self.shared.change(|state| state.rules.push(rule));
    }

    /// Cuts the connection at each of these places in the bytes of all answers
    /// with objects from now on.
    pub fn cut_at(&self, places: &[u64]) {
        self.shared.change(|state| {
            let mut places: Vec<_> = places.iter().map(|place| state.objects + place).collect();
            places.sort_unstable();
            state.cuts = places.into();
        });
    }

    /// Cuts the connection of the next requests that bring a pack, each at one of these places of
    /// its body, or not at all; those that are shorter are left alone.
    pub fn cut_bodies_at(&self, places: &[Option<u64>]) {
        let places = places.iter().copied().collect();
        self.shared.change(|state| state.body_cuts = places);
    }

    /// How many of these cuts are still to come.
    pub fn body_cuts_left(&self) -> usize {
        let state = self.shared.lock();
        state.body_cuts.iter().flatten().count()
    }

    /// The requests with packs so far.
    pub fn bodies(&self) -> Vec<Body> {
        self.shared.lock().bodies.clone()
    }

    /// How many of these cuts are still to come.
    pub fn cuts_left(&self) -> usize {
        self.shared.lock().cuts.len()
    }

    /// No more faults; what stands still goes on.
    pub fn behave(&self) {
        self.shared.change(|state| {
            state.rules.clear();
            state.cuts.clear();
            state.body_cuts.clear();
            state.releases += 1;
        });
    }

    /// Waits until an answer stands still that was to be held.
    ///
    /// # Panics
    ///
    /// When none does for long.
    #[track_caller]
    pub fn wait_holding(&self) {
        self.wait_holding_all(1);
    }

    /// Waits until so many answers stand still.
    ///
    /// # Panics
    ///
    /// When they do not for long.
    #[track_caller]
    pub fn wait_holding_all(&self, count: usize) {
        crate::wait_until("an answer stands still", || {
            self.shared.lock().holding >= count
        });
    }

    /// Lets all answers that stand still go on.
    pub fn release(&self) {
        self.shared.change(|state| state.releases += 1);
    }

    /// All requests so far, in the order in which they came.
    pub fn served(&self) -> Vec<Served> {
        self.shared.lock().served.clone()
    }

    /// Those of one kind.
    pub fn served_as(&self, kind: Kind) -> Vec<Served> {
        let mut served = self.served();
        served.retain(|served| served.kind == kind);
        served
    }

    /// The bytes of all answers' bodies that were sent.
    pub fn sent(&self) -> u64 {
        let state = self.shared.lock();
        state.served.iter().map(|served| served.sent).sum()
    }

    /// The bytes of packs among them.
    pub fn pack_sent(&self) -> u64 {
        let state = self.shared.lock();
        state.served.iter().map(|served| served.pack).sum()
    }

    /// Forgets what was served; what is still being sent is let finish first.
    ///
    /// # Panics
    ///
    /// When it takes too long.
    #[track_caller]
    pub fn forget(&self) {
        self.release();
        crate::wait_until("all answers are sent", || self.shared.lock().busy == 0);
        self.shared.change(|state| {
            state.served.clear();
            state.bodies.clear();
        });
    }
}
