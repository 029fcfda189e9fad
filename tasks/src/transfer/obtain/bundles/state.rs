//! What is committed of the server's bundles.

use serde::{Deserialize, Serialize};

use super::super::state::Stage;

/// A name of a bundle that can be kept.
pub(in super::super) type Key = u64;

/// What became of the server's bundles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Bundling {
    /// What would be done without bundles.
    pub(super) then: Stage,
    /// The one that comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) current: Option<Current>,
    /// Those that came or can't be had.
    #[serde(default)]
    pub(super) done: Vec<Key>,
    /// Those that need what was not there when they began to come.
    #[serde(default)]
    pub(super) put_off: Vec<Key>,
    /// One has come since: those may be of use now.
    #[serde(default)]
    pub(super) returns: bool,
    /// How many came whole.
    #[serde(default)]
    pub(super) taken: u32,
    /// Something is kept of one that did not.
    #[serde(default)]
    pub(super) parts: bool,
}

/// A bundle that comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Current {
    /// Which one.
    pub(super) key: Key,
    /// The bytes before its pack; 0 as long as they have not come.
    #[serde(default)]
    pub(super) head: u64,
    /// What tells the file from a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) validator: Option<String>,
    /// How often in a row nothing came.
    #[serde(default)]
    pub(super) in_vain: u32,
}

impl Bundling {
    /// Before the first one.
    pub(in super::super) fn before(then: Stage) -> Self {
        Self {
            then,
            current: None,
            done: Vec::new(),
            put_off: Vec::new(),
            returns: false,
            taken: 0,
            parts: false,
        }
    }

    /// The one that comes.
    pub(super) fn current(&mut self, key: Key) -> &mut Current {
        if self.current.as_ref().is_some_and(|it| it.key != key) {
            self.current = None;
        }
        self.current.get_or_insert(Current {
            key,
            head: 0,
            validator: None,
            in_vain: 0,
        })
    }

    /// The one that came has ended; `taken`: it is whole.
    pub(super) fn ended(&mut self, taken: bool, parts: bool) {
        if let Some(current) = self.current.take() {
            self.done.push(current.key);
        }
        if taken {
            self.taken += 1;
            self.returns = true;
        }
        self.parts |= parts;
    }

    /// The one that begins to come needs what is not there. Whether it will be tried again.
    pub(super) fn lacks(&mut self) -> bool {
        // What came since it was put off has not helped.
        let again = !self.returns;
        if let Some(current) = self.current.take() {
            let list = if again {
                &mut self.put_off
            } else {
                &mut self.done
            };
            list.push(current.key);
        }
        again
    }
}
