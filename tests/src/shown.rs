//! What `mug resume` tells of operations.

use std::path::Path;

use serde_json::Value;

use crate::Scratch;

/// An operation as `mug resume … --json` shows it.
#[derive(Clone, Debug)]
pub struct Shown(pub Value);

impl Shown {
    /// Its id.
    ///
    /// # Panics
    ///
    /// When there is none, as for all fields.
    pub fn id(&self) -> &str {
        self.text("/id")
    }

    /// Its status.
    pub fn status(&self) -> &str {
        self.text("/status")
    }

    /// Its step, as of the last commit.
    pub fn step(&self) -> &str {
        self.text("/state/current_step")
    }

    /// The number of its commits.
    pub fn commits(&self) -> u64 {
        self.number("/commits")
    }

    /// The bytes that it says are done.
    pub fn bytes(&self) -> u64 {
        self.number("/progress/bytes_processed")
    }

    /// The bytes done at each of its commits in `step`, in order. Only a record
    /// that was shown with its journal has them.
    ///
    /// # Panics
    ///
    /// On a record that is none.
    pub fn commits_in(&self, step: &str) -> Vec<u64> {
        let events = self.0["journal"].as_array().expect("the journal");
        events
            .iter()
            .filter(|event| event["kind"] == "commit" && event["step"] == step)
            .map(|event| {
                let bytes = event.pointer("/progress/bytes_processed");
                bytes.and_then(Value::as_u64).expect("a number")
            })
            .collect()
    }

    fn text(&self, pointer: &str) -> &str {
        let value = self.0.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no text at {pointer} in {:#}", self.0))
    }

    fn number(&self, pointer: &str) -> u64 {
        let value = self.0.pointer(pointer).and_then(Value::as_u64);
        value.unwrap_or_else(|| panic!("no number at {pointer} in {:#}", self.0))
    }
}

impl Scratch {
    /// The operations that are seen from `dir`, with these options of `mug resume
    /// list`; the newest first.
    #[track_caller]
    ///
    /// # Panics
    ///
    /// When the list is none.
    pub fn operations(&self, dir: impl AsRef<Path>, options: &[&str]) -> Vec<Shown> {
        let args = [&["resume", "list", "--json"], options].concat();
        match self.mug(dir, &args).ok().json() {
            Value::Array(records) => records.into_iter().map(Shown).collect(),
            other => panic!("no list: {other:#}"),
        }
    }

    /// The operation `id` with its journal.
    #[track_caller]
    pub fn operation(&self, dir: impl AsRef<Path>, id: &str) -> Shown {
        let shown = self.mug(dir, &["resume", "show", "--json", "-v", id]);
        Shown(shown.ok().json())
    }
}
