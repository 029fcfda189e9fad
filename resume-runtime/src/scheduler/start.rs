//! What an operation is started with, beside its input.

use std::collections::HashMap;

use crate::operation::{Operation, OperationType};

/// What an operation is started with, beside its input. All of it is optional.
#[derive(Clone, Debug, Default)]
pub struct Start {
    metadata: HashMap<String, String>,
    command: Vec<String>,
    directory: Option<String>,
    exclusive: Vec<String>,
    after: Vec<String>,
}

impl Start {
    /// Nothing but the input.
    pub fn new() -> Self {
        Self::default()
    }

    /// Something for people to see: a source, a target. No secrets: it is stored
    /// and shown.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// The command line that continues the operation when `--resume <id>` is
    /// added, and the directory to run it in. No secrets.
    pub fn command(mut self, words: Vec<String>, directory: impl Into<String>) -> Self {
        self.command = words;
        self.directory = Some(directory.into());
        self
    }

    /// The operation must have `name` for itself: it waits while another one
    /// runs that names the same.
    pub fn exclusive(mut self, name: impl Into<String>) -> Self {
        self.exclusive.push(name.into());
        self
    }

    /// The operation starts when that one is completed.
    pub fn after(mut self, id: impl Into<String>) -> Self {
        self.after.push(id.into());
        self
    }

    pub(crate) fn record(self, kind: &str) -> Operation {
        let mut op = Operation::new(OperationType::of_kind(kind), String::new(), self.metadata);
        op.kind = Some(kind.to_owned());
        op.command = self.command;
        op.directory = self.directory;
        op.exclusive = self.exclusive;
        op.after = self.after;
        op
    }
}
