//! How far an operation is, in words and in JSON.

use console::measure_text_width;
use mug::core::resume::{Operation, OperationProgress, OperationStatus, WaitingFor};
use resume_runtime::ProgressSnapshot;
use serde_json::{Value, json};

use super::format;

/// The status with what stands behind it.
pub(in crate::cli) fn status(op: &Operation, interrupted: bool) -> String {
    let why = match &op.waiting_for {
        _ if op.status != OperationStatus::Paused => None,
        _ if interrupted => Some("interrupted"),
        Some(WaitingFor::User(_)) => Some("waits for you"),
        Some(WaitingFor::Until(_)) => Some("retries soon"),
        Some(WaitingFor::Operation(_) | WaitingFor::Slot) => Some("waits its turn"),
        _ => None,
    };
    match why {
        Some(why) => format!("{} ({why})", op.status),
        None => op.status.to_string(),
    }
}

/// Percentage and items, or bytes where there are no items.
pub(in crate::cli) fn progress(progress: &OperationProgress) -> String {
    let amount = match (progress.processed, progress.total) {
        (0, None) => match (progress.bytes_processed, progress.total_bytes) {
            (0, None) => String::new(),
            (done, total) => format::of(done, total, format::bytes),
        },
        (done, total) => format::of(done, total, format::count),
    };
    match progress.percentage() {
        Some(percentage) => format!("{:>4}  {amount}", format::percent(percentage)),
        None if amount.is_empty() => "   -".to_owned(),
        None => format!("   -  {amount}"),
    }
}

/// The percentage of a snapshot, as that of a record.
pub(super) fn percentage(shot: &ProgressSnapshot) -> Option<f64> {
    let progress = OperationProgress {
        processed: shot.items,
        total: shot.total,
        bytes_processed: shot.bytes,
        total_bytes: shot.total_bytes,
        ..OperationProgress::default()
    };
    progress.percentage()
}

/// Parts of what a snapshot says, the first the most important.
struct Parts {
    percent: Option<String>,
    items: Option<String>,
    bytes: Option<String>,
    rate: Option<String>,
    left: Option<String>,
}

impl Parts {
    fn of(shot: &ProgressSnapshot) -> Self {
        let counts = shot.items > 0 || shot.total.is_some();
        let weighs = shot.bytes > 0 || shot.total_bytes.is_some();
        let rate = match (shot.bytes_per_second, shot.items_per_second) {
            (Some(bytes), _) => Some(format::rate(bytes, format::bytes)),
            (None, Some(items)) => Some(format::rate(items, format::count)),
            (None, None) => None,
        };
        Self {
            percent: percentage(shot).map(format::percent),
            items: counts.then(|| format::of(shot.items, shot.total, format::count)),
            bytes: weighs.then(|| format::of(shot.bytes, shot.total_bytes, format::bytes)),
            rate,
            // Of what is done nothing is left, whatever the rate says.
            left: shot
                .eta
                .filter(|_| percentage(shot) != Some(100.0))
                .map(|eta| format!("{} left", format::remaining(eta))),
        }
    }

    /// Drops the least telling part beside the percentage; `false` when none is
    /// left.
    fn drop_least(&mut self) -> bool {
        let both = self.items.is_some() && self.bytes.is_some();
        let least = if both {
            self.items.take()
        } else {
            let rest = [
                &mut self.rate,
                &mut self.bytes,
                &mut self.items,
                &mut self.left,
            ];
            rest.into_iter().find_map(Option::take)
        };
        least.is_some()
    }
}

/// What a snapshot says beside a bar, as much of it as fits into `width`.
pub(super) fn beside_bar(shot: &ProgressSnapshot, width: usize) -> String {
    let mut parts = Parts::of(shot);
    // A column of its own, so that what follows stands still.
    let percent = parts.percent.take().unwrap_or_default();
    loop {
        let rest = [&parts.items, &parts.bytes, &parts.rate, &parts.left];
        let rest: Vec<&str> = rest.into_iter().filter_map(Option::as_deref).collect();
        let text = format!("{percent:>4}  {}", rest.join("  "));
        if measure_text_width(&text) <= width || !parts.drop_least() {
            return text.trim_end().to_owned();
        }
    }
}

/// What a snapshot says, as a line.
pub(super) fn line(shot: &ProgressSnapshot) -> String {
    let parts = Parts::of(shot);
    let parts = [
        parts.percent,
        parts.items,
        parts.bytes,
        parts.rate,
        parts.left,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let step = step(&shot.step);
    if parts.is_empty() {
        return step;
    }
    format!("{step}: {}", parts.join(", "))
}

/// A step's name for people.
pub(in crate::cli) fn step(name: &str) -> String {
    super::text::plain(&name.replace(['_', '-'], " "))
}

/// What a snapshot says, as a message.
pub(super) fn message(id: &str, shot: &ProgressSnapshot) -> Value {
    json!({
        "message_type": "progress",
        "id": id,
        "step": shot.step,
        "percentage": percentage(shot),
        "processed": shot.items,
        "total": shot.total,
        "bytes_processed": shot.bytes,
        "total_bytes": shot.total_bytes,
        "items_per_second": shot.items_per_second,
        "bytes_per_second": shot.bytes_per_second,
        "eta_seconds": shot.eta.map(|eta| eta.as_secs_f64()),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mug::core::resume::OperationType;

    use super::*;

    fn shot() -> ProgressSnapshot {
        let mut shot = ProgressSnapshot::default();
        shot.step = "write_frames".into();
        shot.items = 12_345;
        shot.total = Some(27_000);
        shot.bytes = 1 << 30;
        shot.bytes_per_second = Some(104_857_600.0);
        shot.eta = Some(Duration::from_secs(12));
        shot
    }

    #[test]
    fn a_line_says_all() {
        assert_eq!(
            line(&shot()),
            "write frames: 45%, 12,345/27,000, 1.00 GiB, 100.00 MiB/s, 12 s left"
        );
        let mut silent = ProgressSnapshot::default();
        silent.step = "plan".into();
        assert_eq!(line(&silent), "plan");
    }

    #[test]
    fn beside_a_bar_stands_what_fits() {
        let text = |width| beside_bar(&shot(), width);
        assert_eq!(
            text(80),
            " 45%  12,345/27,000  1.00 GiB  100.00 MiB/s  12 s left"
        );
        assert_eq!(text(50), " 45%  1.00 GiB  100.00 MiB/s  12 s left");
        assert_eq!(text(30), " 45%  1.00 GiB  12 s left");
        assert_eq!(text(20), " 45%  12 s left");
        assert_eq!(text(5), " 45%");
    }

    #[test]
    fn a_message_has_every_field() {
        let message = message("op-1", &shot());
        assert_eq!(message["message_type"], "progress");
        assert_eq!(message["processed"], 12_345);
        assert_eq!(message["total_bytes"], Value::Null);
        assert_eq!(message["eta_seconds"], 12.0);
    }

    #[test]
    fn progress_in_a_list() {
        let text = |processed, total, bytes_processed, total_bytes| {
            progress(&OperationProgress {
                processed,
                total,
                bytes_processed,
                total_bytes,
                ..OperationProgress::default()
            })
        };
        assert_eq!(text(450, Some(1_000), 9, None), " 45%  450/1,000");
        assert_eq!(text(0, Some(0), 0, None), "100%  0/0");
        assert_eq!(text(0, None, 512, Some(1_024)), " 50%  512 B/1.00 KiB");
        assert_eq!(text(7, None, 0, None), "   -  7");
        assert_eq!(text(0, None, 0, None), "   -");
    }

    #[test]
    fn a_status_says_what_stands_behind_it() {
        let mut op = Operation::new(OperationType::Pack, String::new(), [].into());
        assert_eq!(status(&op, false), "running");
        op.status = OperationStatus::Paused;
        assert_eq!(status(&op, false), "paused");
        assert_eq!(status(&op, true), "paused (interrupted)");
        op.waiting_for = Some(WaitingFor::User("free some space".into()));
        assert_eq!(status(&op, false), "paused (waits for you)");
        op.status = OperationStatus::Failed;
        assert_eq!(status(&op, false), "failed");
    }
}
