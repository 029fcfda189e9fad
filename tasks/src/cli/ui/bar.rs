//! A bar on a terminal.

use console::{Term, measure_text_width};
use indicatif::{ProgressBar, ProgressStyle};
use resume_runtime::ProgressSnapshot;

use super::output::Ui;
use super::status;

/// The bar itself, in columns, with its brackets.
const WIDTH: usize = 26;
/// Parts of a bar that can be told apart.
const LENGTH: u64 = 10_000;

const KNOWN: &str = "{prefix:.bold} [{bar:24.cyan/dim}] {msg}";
const UNKNOWN: &str = "{prefix:.bold} {spinner:.cyan} {msg}";

/// One operation's line among the bars.
#[derive(Debug)]
pub(super) struct Bar {
    ui: Ui,
    label: String,
    line: Option<ProgressBar>,
    known: Option<bool>,
}

impl Bar {
    pub(super) fn new(ui: &Ui, label: Option<&str>) -> Self {
        Self {
            ui: ui.clone(),
            label: label.map_or_else(String::new, |label| format!("{label}  ")),
            line: None,
            known: None,
        }
    }

    pub(super) fn update(&mut self, shot: &ProgressSnapshot) {
        let _turn = self.ui.turn();
        let bars = &self.ui.bars;
        let bar = self
            .line
            .get_or_insert_with(|| bars.add(ProgressBar::new(LENGTH)));
        let percentage = status::percentage(shot);
        if self.known != Some(percentage.is_some()) {
            self.known = Some(percentage.is_some());
            bar.set_style(style(percentage.is_some()));
        }
        let prefix = format!("{}{}", self.label, status::step(&shot.step));
        let columns = usize::from(Term::stderr().size().1);
        let beside = measure_text_width(&prefix)
            + match percentage {
                Some(_) => WIDTH + 2,
                None => 3,
            };
        bar.set_position(position(percentage.unwrap_or_default()));
        let message = status::beside_bar(shot, columns.saturating_sub(beside));
        if bar.prefix() != prefix {
            bar.set_prefix(prefix);
        }
        bar.set_message(message);
        bar.tick();
        // Each of the above may have been drawn beside what was there before.
        bar.force_draw();
    }

    pub(super) fn clear(&self) {
        let _turn = self.ui.turn();
        if let Some(bar) = &self.line {
            bar.finish_and_clear();
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is between 0 and 100"
)]
fn position(percentage: f64) -> u64 {
    (percentage / 100.0 * LENGTH as f64) as u64
}

fn style(known: bool) -> ProgressStyle {
    let template = if known { KNOWN } else { UNKNOWN };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
        .tick_chars("|/-\\ ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_sound() {
        for template in [KNOWN, UNKNOWN] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
        assert_eq!(position(0.0), 0);
        assert_eq!(position(100.0), LENGTH);
    }
}
