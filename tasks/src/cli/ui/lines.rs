//! When to write the next of few lines.

use std::time::{Duration, Instant};

use resume_runtime::ProgressSnapshot;

/// One at each new step, and one now and then in a long one.
#[derive(Debug)]
pub(super) struct Lines {
    every: Duration,
    last: Option<(Instant, String)>,
}

impl Lines {
    pub(super) const fn new(every: Duration) -> Self {
        Self { every, last: None }
    }

    /// Whether `shot` is worth a line; if so, the next one is counted from it.
    pub(super) fn is_due(&mut self, shot: &ProgressSnapshot, now: Instant) -> bool {
        let due = match &self.last {
            None => true,
            Some((at, step)) => {
                *step != shot.step || now.saturating_duration_since(*at) >= self.every
            }
        };
        if due {
            self.last = Some((now, shot.step.clone()));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_and_now_and_then() {
        let start = Instant::now();
        let mut lines = Lines::new(Duration::from_secs(10));
        let mut due = |step: &str, seconds| {
            let mut shot = ProgressSnapshot::default();
            step.clone_into(&mut shot.step);
            lines.is_due(&shot, start + Duration::from_secs(seconds))
        };
        assert!(due("scan", 0));
        assert!(!due("scan", 9));
        assert!(due("scan", 10));
        assert!(!due("scan", 19));
        assert!(due("plan", 19));
        assert!(!due("plan", 28));
        assert!(due("plan", 40));
    }
}
