//! Where there were conflicts: are there any left?

use resume_runtime::{Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::back::UndoLook;
use super::super::error::MergeError;
use super::super::input::Ended;
use super::super::machine::{Facts, Merge, Way, index, shared, unmerged};
use super::super::outside;
use super::Ask;

/// The state of waiting.
#[derive(Debug, Serialize, Deserialize)]
pub struct Resolve {
    pub(in super::super) facts: Facts,
    pub(in super::super) changes: u64,
}

impl Step<Merge> for Resolve {
    async fn run(self, cx: &mut Context<'_, Merge>) -> StepResult<Merge> {
        cx.blocking(move |b| {
            let repository = shared(b)?.to_thread_local();
            let facts = &self.facts;
            if facts.way != Way::Squash {
                let (theirs, commit) = (facts.merge_head, facts.theirs);
                let ended = outside::ended(&repository, &facts.head, theirs, commit)?;
                if let Some((ended, now)) = ended {
                    return Transition::done(facts.output(ended, now.commit, self.changes));
                }
            }
            if b.env().abort {
                return Transition::to(UndoLook::new(self.facts, self.changes));
            }
            let index = index(&repository)?;
            let paths = unmerged(&index);
            if !paths.is_empty() {
                return Transition::wait(self, MergeError::Unresolved { paths }.into());
            }
            let at = facts.head.commit;
            match facts.way {
                Way::Squash => Transition::done(facts.output(Ended::Squashed, at, self.changes)),
                Way::Stop => Transition::done(facts.output(Ended::Stopped, at, self.changes)),
                _ => Transition::to(Ask {
                    facts: self.facts,
                    changes: self.changes,
                    resolved: true,
                }),
            }
        })
        .await
    }
}
