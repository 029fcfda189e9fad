//! How far an operation is, and how fast: counters that any thread may set, and
//! snapshots of them with a rate over a window.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::operation::OperationProgress;

/// What a rate is measured over.
const WINDOW: Duration = Duration::from_secs(30);
/// The least time between two samples.
const SAMPLE: Duration = Duration::from_millis(100);
const UNKNOWN: u64 = u64::MAX;

/// The counters of one operation. Items and bytes; a total may be unknown.
#[derive(Debug)]
pub struct Progress {
    items: AtomicU64,
    total: AtomicU64,
    bytes: AtomicU64,
    total_bytes: AtomicU64,
    step: Mutex<String>,
    samples: Mutex<VecDeque<Sample>>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    items: u64,
    bytes: u64,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ProgressSnapshot {
    /// The current step's name.
    pub step: String,
    /// Items done.
    pub items: u64,
    /// Items in all.
    pub total: Option<u64>,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes in all.
    pub total_bytes: Option<u64>,
    /// Items a second over the window; what was done before this process took
    /// over does not count.
    pub items_per_second: Option<f64>,
    /// Bytes a second, likewise.
    pub bytes_per_second: Option<f64>,
    /// The time that the rest takes at this rate.
    pub eta: Option<Duration>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            items: AtomicU64::new(0),
            total: AtomicU64::new(UNKNOWN),
            bytes: AtomicU64::new(0),
            total_bytes: AtomicU64::new(UNKNOWN),
            step: Mutex::default(),
            samples: Mutex::default(),
        }
    }

    /// Sets the items done, and their total where it is known.
    pub fn set_items(&self, done: u64, total: Option<u64>) {
        self.items.store(done, Ordering::Relaxed);
        self.total
            .store(total.unwrap_or(UNKNOWN), Ordering::Relaxed);
    }

    /// Sets the bytes done, and their total where it is known.
    pub fn set_bytes(&self, done: u64, total: Option<u64>) {
        self.bytes.store(done, Ordering::Relaxed);
        self.total_bytes
            .store(total.unwrap_or(UNKNOWN), Ordering::Relaxed);
    }

    /// Adds to the items done.
    pub fn add_items(&self, more: u64) {
        self.items.fetch_add(more, Ordering::Relaxed);
    }

    /// Adds to the bytes done.
    pub fn add_bytes(&self, more: u64) {
        self.bytes.fetch_add(more, Ordering::Relaxed);
    }

    /// The counters and rates now.
    pub fn snapshot(&self) -> ProgressSnapshot {
        self.snapshot_at(Instant::now())
    }

    pub(crate) fn set_step(&self, step: &str) {
        let mut current = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != step {
            step.clone_into(&mut current);
        }
    }

    /// Sets the counters to what is committed, and starts the rate anew.
    pub(crate) fn reset(&self, to: &OperationProgress) {
        self.set_items(to.processed, to.total);
        self.set_bytes(to.bytes_processed, to.total_bytes);
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.clear();
        samples.push_back(Sample {
            at: Instant::now(),
            items: to.processed,
            bytes: to.bytes_processed,
        });
    }

    /// Writes the counters into a record.
    pub(crate) fn store(&self, into: &mut OperationProgress) {
        into.processed = self.items.load(Ordering::Relaxed);
        into.total = known(self.total.load(Ordering::Relaxed));
        into.bytes_processed = self.bytes.load(Ordering::Relaxed);
        into.total_bytes = known(self.total_bytes.load(Ordering::Relaxed));
    }

    fn snapshot_at(&self, at: Instant) -> ProgressSnapshot {
        let mut now = OperationProgress::default();
        self.store(&mut now);
        let first = self.sample(Sample {
            at,
            items: now.processed,
            bytes: now.bytes_processed,
        });
        let seconds = at.saturating_duration_since(first.at).as_secs_f64();
        let rate = |done: u64, from: u64| {
            (seconds >= 0.2 && done > from).then(|| (done - from) as f64 / seconds)
        };
        let items_per_second = rate(now.processed, first.items);
        let bytes_per_second = rate(now.bytes_processed, first.bytes);
        let eta = remaining(now.bytes_processed, now.total_bytes, bytes_per_second)
            .or_else(|| remaining(now.processed, now.total, items_per_second));
        ProgressSnapshot {
            step: self
                .step
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            items: now.processed,
            total: now.total,
            bytes: now.bytes_processed,
            total_bytes: now.total_bytes,
            items_per_second,
            bytes_per_second,
            eta,
        }
    }

    /// Takes a sample and gives the oldest one of the window. Counters that went
    /// back (a new phase, a rollback) start a new window.
    fn sample(&self, new: Sample) -> Sample {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples
            .back()
            .is_some_and(|last| new.items < last.items || new.bytes < last.bytes)
        {
            samples.clear();
        }
        while samples
            .get(1)
            .is_some_and(|second| new.at.saturating_duration_since(second.at) >= WINDOW)
        {
            samples.pop_front();
        }
        if samples
            .back()
            .is_none_or(|last| new.at.saturating_duration_since(last.at) >= SAMPLE)
        {
            samples.push_back(new);
        }
        samples.front().copied().unwrap_or(new)
    }
}

fn known(total: u64) -> Option<u64> {
    (total != UNKNOWN).then_some(total)
}

fn remaining(done: u64, total: Option<u64>, rate: Option<f64>) -> Option<Duration> {
    let left = total?.checked_sub(done)? as f64;
    Duration::try_from_secs_f64(left / rate?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resumed(processed: u64) -> (Progress, Instant) {
        let progress = Progress::new();
        progress.reset(&OperationProgress {
            processed,
            total: Some(100),
            ..OperationProgress::default()
        });
        (progress, Instant::now())
    }

    #[test]
    fn resumed_work_counts_as_done_but_not_in_the_rate() {
        let (progress, start) = resumed(50);
        progress.set_items(60, Some(100));
        let shot = progress.snapshot_at(start + Duration::from_secs(10));
        assert_eq!(shot.items, 60);
        let rate = shot.items_per_second.expect("something was done");
        assert!((rate - 1.0).abs() < 0.01, "{rate}");
        let eta = shot.eta.expect("total and rate are known").as_secs_f64();
        assert!((eta - 40.0).abs() < 0.5, "{eta}");
    }

    #[test]
    fn the_rate_is_that_of_the_window() {
        let (progress, start) = resumed(0);
        for second in 0..100 {
            // Slow for a minute, then ten times as fast.
            progress.add_items(if second < 60 { 1 } else { 10 });
            progress.snapshot_at(start + Duration::from_secs(second));
        }
        let shot = progress.snapshot_at(start + Duration::from_secs(100));
        let rate = shot.items_per_second.expect("something was done");
        assert!((9.0..11.0).contains(&rate), "{rate}");
    }

    #[test]
    fn counters_that_go_back_start_a_new_window() {
        let (progress, start) = resumed(90);
        progress.set_items(5, None);
        let shot = progress.snapshot_at(start + Duration::from_secs(1));
        assert_eq!((shot.items, shot.total), (5, None));
        assert_eq!((shot.items_per_second, shot.eta), (None, None));
    }
}
