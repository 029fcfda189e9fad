//! Quantities: times, counts, bytes.

use std::time::Duration;

use chrono::{DateTime, Local, Utc};
use indicatif::{HumanBytes, HumanCount};

/// A length of time in its two greatest units.
pub(in crate::cli) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..10 => format!("{:.1} s", time.as_millis() as f64 / 1e3),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {:02} s", seconds % 60),
        3600..86400 => format!("{hours} h {:02} min", minutes % 60),
        _ => format!("{days} d {:02} h", hours % 24),
    }
}

/// How much longer, in whole seconds: it is a guess.
pub(in crate::cli) fn remaining(time: Duration) -> String {
    match time.as_secs() + u64::from(time.subsec_millis() >= 500) {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => duration(Duration::from_secs(seconds)),
    }
}

/// How long ago.
pub(in crate::cli) fn ago(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - time).num_seconds();
    match seconds {
        ..0 => "in the future".to_owned(),
        0..5 => "just now".to_owned(),
        5..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86400),
    }
}

/// A time of day and date, where the user is.
pub(in crate::cli) fn time(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local)
        .format("%Y-%m-%d %H:%M:%S %:z")
        .to_string()
}

/// Between 0% and 100%, which is shown only when all is done.
pub(in crate::cli) fn percent(percentage: f64) -> String {
    format!("{:.0}%", percentage.floor())
}

pub(in crate::cli) fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

pub(in crate::cli) fn bytes(number: u64) -> String {
    HumanBytes(number).to_string()
}

/// `done` of `total`, or `done` alone.
pub(in crate::cli) fn of(done: u64, total: Option<u64>, show: fn(u64) -> String) -> String {
    match total {
        Some(total) => format!("{}/{}", show(done), show(total)),
        None => show(done),
    }
}

/// Bytes or items a second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is never negative, and far from the limit"
)]
pub(in crate::cli) fn rate(per_second: f64, show: fn(u64) -> String) -> String {
    format!("{}/s", show(per_second.round() as u64))
}

/// `one` or `many`, with the number.
pub(in crate::cli) fn plural(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let text = |millis| duration(Duration::from_millis(millis));
        assert_eq!(text(0), "0.0 s");
        assert_eq!(text(1_250), "1.2 s");
        assert_eq!(text(59_999), "59 s");
        assert_eq!(text(60_000), "1 min 00 s");
        assert_eq!(text(3_725_000), "1 h 02 min");
        assert_eq!(text(90_000_000), "1 d 01 h");
        let left = |millis| remaining(Duration::from_millis(millis));
        assert_eq!(
            (left(400), left(1_500), left(61_000)),
            ("0 s".into(), "2 s".into(), "1 min 01 s".into())
        );
        assert_eq!(left(59_600), "1 min 00 s");
    }

    #[test]
    fn times() {
        let now = Utc::now();
        let text = |seconds| ago(now - chrono::TimeDelta::seconds(seconds), now);
        assert_eq!(text(-9), "in the future");
        assert_eq!(text(1), "just now");
        assert_eq!(text(59), "59 s ago");
        assert_eq!(text(60), "1 min ago");
        assert_eq!(text(7_300), "2 h ago");
        assert_eq!(text(200_000), "2 d ago");
    }

    #[test]
    fn quantities() {
        assert_eq!(percent(99.99), "99%");
        assert_eq!(percent(100.0), "100%");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(1_572_864), "1.50 MiB");
        assert_eq!(of(1, Some(2_000), count), "1/2,000");
        assert_eq!(of(1, None, count), "1");
        assert_eq!(rate(1_048_576.4, bytes), "1.00 MiB/s");
        assert_eq!(plural(1, "operation", "operations"), "1 operation");
        assert_eq!(plural(0, "operation", "operations"), "0 operations");
    }
}
