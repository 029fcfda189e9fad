//! When to try again after an error that may pass.

use std::time::Duration;

/// Exponential backoff with jitter. Any commit that got further starts it anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The wait before the second try.
    pub first: Duration,
    /// The longest wait between two tries.
    pub longest: Duration,
    /// How many tries in a row may end without a commit that got further.
    pub attempts: u32,
}

impl Default for RetryPolicy {
    /// From half a second to a minute, ten tries: some four minutes.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(60),
            attempts: 10,
        }
    }
}

impl RetryPolicy {
    /// The wait after `failed` tries in a row: doubled each time, and between a
    /// half and the whole of that, so that many who failed together do not come
    /// back together.
    pub(crate) fn wait(&self, failed: u32) -> Duration {
        let doubled = self.first.saturating_mul(
            1_u32
                .checked_shl(failed.saturating_sub(1))
                .unwrap_or(u32::MAX),
        );
        let most = doubled.min(self.longest);
        most.mul_f64(fastrand::f64().mul_add(0.5, 0.5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_with_jitter() {
        let policy = RetryPolicy::default();
        for (failed, most) in [(1, 500), (2, 1_000), (5, 8_000), (9, 60_000), (80, 60_000)] {
            let wait = policy.wait(failed);
            let most = Duration::from_millis(most);
            assert!(wait <= most && wait >= most / 2, "{failed}: {wait:?}");
        }
    }
}
