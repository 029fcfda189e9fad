//! The hooks are told.

use gix_hash::ObjectId;
use resume_runtime::{Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::input::Ended;
use super::super::machine::{Facts, Merge, Way, own_dir, shared};
use crate::history::hooks::{HookError, Hooks};
use crate::transfer::text;

/// The state of telling.
#[derive(Debug, Serialize, Deserialize)]
pub struct Post {
    pub(super) facts: Facts,
    pub(super) changes: u64,
    /// What `HEAD` is now, if it was moved.
    #[serde(with = "text::maybe_oid")]
    pub(super) commit: Option<ObjectId>,
    pub(super) resolved: bool,
    pub(super) said: Vec<String>,
}

impl Post {
    pub(super) fn squashed(facts: Facts, changes: u64) -> Self {
        Self {
            facts,
            changes,
            commit: None,
            resolved: false,
            said: Vec::new(),
        }
    }
}

impl Step<Merge> for Post {
    async fn run(mut self, cx: &mut Context<'_, Merge>) -> StepResult<Merge> {
        cx.blocking(move |b| {
            let hooks = Hooks::of(&shared(b)?.to_thread_local());
            let squash = if self.facts.way == Way::Squash {
                "1"
            } else {
                "0"
            };
            let (name, args) = if self.resolved {
                ("post-commit", vec![])
            } else {
                ("post-merge", vec![squash.as_ref()])
            };
            match hooks.run(name, &args, None, &own_dir(b), b.interrupt()) {
                Ok(said) => self.said.extend(said),
                Err(error @ HookError::Interrupted { .. }) => return Err(error.into()),
                // It is too late for it to matter.
                Err(error) => self.said.push(error.to_string()),
            }
            self.said.retain(|text| !text.trim().is_empty());
            let ended = match self.facts.way {
                Way::FastForward => Ended::FastForward,
                Way::Squash => Ended::Squashed,
                Way::Commit | Way::Stop => Ended::Merged,
            };
            let after = self.commit.or(self.facts.head.commit);
            let mut output = self.facts.output(ended, after, self.changes);
            output.said = self.said;
            let _ = std::fs::remove_dir_all(own_dir(b));
            Transition::done(output)
        })
        .await
    }
}
