//! What a command left behind.

use std::fmt;
use std::process::ExitStatus;

/// The end of a command.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command line, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Output {
    /// Its exit code; `None` when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Itself, when the exit code is `code`.
    ///
    /// # Panics
    ///
    /// With all that it wrote, when it is another one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self}");
        self
    }

    /// Itself, when it succeeded.
    ///
    /// # Panics
    ///
    /// With all that it wrote, when it did not.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Its stdout as one JSON value.
    ///
    /// # Panics
    ///
    /// When it is none.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => value,
            Err(e) => panic!("{e} in {self}"),
        }
    }

    /// Its stdout as one JSON value a line.
    ///
    /// # Panics
    ///
    /// When a line is none.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        let mut values = Vec::new();
        for line in self.stdout.lines() {
            match serde_json::from_str(line) {
                Ok(value) => values.push(value),
                Err(e) => panic!("{e} in the line {line:?} of {self}"),
            }
        }
        values
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "`{}`: {}", self.command, self.status)?;
        writeln!(f, "--- stdout\n{}", self.stdout.trim_end())?;
        write!(f, "--- stderr\n{}", self.stderr.trim_end())
    }
}
