//! When a commit is due.
//!
//! A commit costs a sync of the disk. Waiting for it may take at most 2 % of the
//! time, so the interval is 50 times what the last one took, but never less than
//! 100 ms (nobody loses more by that) nor more than 5 s (nobody should lose
//! more).

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::faults::Faults;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
const SHARE: u32 = 50;

/// How often to commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// By the clock and the cost of the last commit.
    Measured,
    /// As the harness says.
    Told,
}

pub(crate) struct Pacer {
    pace: Pace,
    faults: Arc<dyn Faults>,
    last: Instant,
    interval: Duration,
    /// What commits took and nobody has written down yet.
    cost: Duration,
    /// Whether the step wants one.
    wanted: bool,
}

impl Pacer {
    pub(crate) fn new(pace: Pace, faults: Arc<dyn Faults>) -> Self {
        Self {
            pace,
            faults,
            last: Instant::now(),
            interval: SHORTEST,
            cost: Duration::ZERO,
            wanted: false,
        }
    }

    /// Makes a commit due.
    pub(crate) const fn want(&mut self) {
        self.wanted = true;
    }

    pub(crate) fn is_due(&self) -> bool {
        if self.wanted {
            return true;
        }
        match self.pace {
            Pace::Measured => self.last.elapsed() >= self.interval,
            Pace::Told => self.faults.is_due(),
        }
    }

    /// Notes that a commit ended now and took `cost`.
    pub(crate) fn committed(&mut self, cost: Duration) {
        self.interval = (cost * SHARE).clamp(SHORTEST, LONGEST);
        self.last = Instant::now();
        self.wanted = false;
        self.cost += cost;
    }

    /// What the commits since the last call took, in whole milliseconds; the
    /// rest is kept for the next call.
    pub(crate) fn take_cost_ms(&mut self) -> u64 {
        let ms = u64::try_from(self.cost.as_millis()).unwrap_or(u64::MAX);
        self.cost -= Duration::from_millis(ms);
        ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::NoFaults;

    #[test]
    fn the_interval_follows_the_cost_within_its_bounds() {
        let mut pacer = Pacer::new(Pace::Measured, Arc::new(NoFaults));
        for (cost, interval) in [(0, 100), (10, 500), (1_000, 5_000)] {
            pacer.committed(Duration::from_millis(cost));
            assert_eq!(pacer.interval, Duration::from_millis(interval));
            assert!(!pacer.is_due());
        }
    }
}
