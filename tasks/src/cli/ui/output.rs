//! The two streams of a command.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use console::{Style, Term};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde_json::Value;

use super::text;
use crate::cli::args::{Global, When};
use crate::cli::error::Error;

/// How often bars are drawn at most, a second.
const HZ: u8 = 20;

/// Where a command shows things. It never lets control characters of data
/// through.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "options are given or not")]
pub(crate) struct Ui {
    pub(in crate::cli) json: bool,
    pub(in crate::cli) quiet: bool,
    pub(in crate::cli) verbose: bool,
    pub(in crate::cli) progress: When,
    /// Whether bars can be drawn on stderr.
    pub(super) terminal: bool,
    pub(super) bars: MultiProgress,
    /// Held by whoever writes: bars and lines take turns.
    pub(super) screen: Arc<Mutex<()>>,
}

impl Ui {
    pub(crate) fn new(global: &Global) -> Self {
        // Cursor movements are beyond a dumb terminal.
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        let terminal = Term::stderr().is_term() && !dumb;
        let target = if terminal {
            ProgressDrawTarget::stderr_with_hz(HZ)
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            progress: global.progress,
            terminal,
            bars: MultiProgress::with_draw_target(target),
            screen: Arc::default(),
        }
    }

    /// Writes a result: a line for people.
    pub(in crate::cli) fn result(&self, line: &str) -> Result<(), Error> {
        self.write(format!("{line}\n").as_bytes())
    }

    /// Writes a result as JSON, in one line.
    pub(in crate::cli) fn json_line(&self, value: &Value) -> Result<(), Error> {
        self.result(&value.to_string())
    }

    /// Writes a result as JSON, for people who look at it too.
    pub(in crate::cli) fn json_document(&self, value: &Value) -> Result<(), Error> {
        self.result(&format!("{value:#}"))
    }

    /// Writes to stdout.
    pub(in crate::cli) fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        let turn = self.turn();
        // Its error shows where it matters: in what is written next.
        let _ = self.bars.clear();
        let mut out = io::stdout().lock();
        let written = out.write_all(bytes).and_then(|()| out.flush());
        drop(turn);
        written.map_err(|e| Error::failed("cannot write to stdout").because(e))
    }

    /// Says something beside the results; not with `-q` or `--json`.
    pub(in crate::cli) fn note(&self, line: &str) {
        if !self.quiet && !self.json {
            self.tell(line);
        }
    }

    /// Says something that must be known even with `-q`. There is nobody to tell
    /// that it cannot be said.
    pub(in crate::cli) fn tell(&self, line: &str) {
        let _turn = self.turn();
        let _ = self.bars.clear();
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// The screen, until it is dropped. Bars that were cleared come back when they
    /// are next drawn.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether questions make sense: somebody sees them and can answer.
    pub(in crate::cli) fn can_ask(&self) -> bool {
        use std::io::IsTerminal as _;
        self.terminal && !self.quiet && !self.json && io::stdin().is_terminal()
    }

    /// Asks a question; an empty answer is a yes, the end of the input a no.
    pub(in crate::cli) fn ask(question: &str) -> bool {
        let mut answer = String::new();
        let read = {
            let mut err = io::stderr().lock();
            let asked = write!(err, "{question} [Y/n] ").and_then(|()| err.flush());
            asked.and_then(|()| io::stdin().read_line(&mut answer))
        };
        matches!(read, Ok(1..)) && matches!(answer.trim(), "" | "y" | "Y" | "yes")
    }

    /// `text` in a style, where stderr shows it.
    pub(in crate::cli) fn styled(style: Style, text: &str) -> String {
        style.for_stderr().apply_to(text::plain(text)).to_string()
    }
}
