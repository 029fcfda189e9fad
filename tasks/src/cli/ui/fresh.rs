//! Counters that belong to the step that is shown.

use resume_runtime::ProgressSnapshot;

/// A step that counts nothing leaves the counters as the one before it had them,
/// at their end. To show these again would say that it is done when it has begun.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    step: String,
    /// Items and bytes that the step began with, while it has not moved them from
    /// their end.
    left: Option<(u64, u64)>,
}

impl Fresh {
    /// The snapshot, without counters that an earlier step left behind.
    pub(super) fn filter(&mut self, shot: &ProgressSnapshot) -> ProgressSnapshot {
        if self.step != shot.step {
            // What is known of the first step is its own.
            let ended = shot.total == Some(shot.items) && !self.step.is_empty();
            self.left = ended.then_some((shot.items, shot.bytes));
            self.step.clone_from(&shot.step);
        }
        if self.left != Some((shot.items, shot.bytes)) {
            self.left = None;
            return shot.clone();
        }
        let mut silent = ProgressSnapshot::default();
        silent.step.clone_from(&shot.step);
        silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_step_left_is_not_shown() {
        let mut fresh = Fresh::default();
        let mut total = |step: &str, items, total| {
            let mut shot = ProgressSnapshot::default();
            step.clone_into(&mut shot.step);
            shot.items = items;
            shot.total = total;
            fresh.filter(&shot).total
        };
        assert_eq!(total("scan", 9, Some(9)), Some(9));
        assert_eq!(total("plan", 9, Some(9)), None);
        assert_eq!(total("plan", 9, Some(9)), None);
        assert_eq!(total("frames", 0, Some(20)), Some(20));
        assert_eq!(total("frames", 20, Some(20)), Some(20));
        assert_eq!(total("index", 20, Some(20)), None);
        assert_eq!(total("index", 1, Some(20)), Some(20));
        assert_eq!(total("index", 20, Some(20)), Some(20));
        assert_eq!(total("publish", 7, Some(20)), Some(20));
    }
}
