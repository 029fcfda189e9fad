//! Working tree and index get the merged tree.

use resume_runtime::{Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::back::UndoLook;
use super::super::look::Look;
use super::super::machine::{Facts, Merge, shared};
use super::Record;
use crate::history::commit::Head;
use crate::history::worktree::{self, Advance};

/// How far the move is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Move {
    facts: Facts,
    state: worktree::Transition,
    /// Whether anything may have been written.
    begun: bool,
}

impl Move {
    pub(in super::super) fn new(facts: Facts, state: worktree::Transition) -> Self {
        Self {
            facts,
            state,
            begun: false,
        }
    }
}

impl Step<Merge> for Move {
    async fn run(mut self, cx: &mut Context<'_, Merge>) -> StepResult<Merge> {
        cx.blocking(move |b| {
            let repository = shared(b)?.to_thread_local();
            let now = Head::read(&repository)?;
            if !self.begun {
                // Nothing was written: what was found need not hold any more.
                if now != self.facts.head || b.env().abort {
                    return Transition::to(Look {});
                }
                self.begun = true;
                return Transition::to(self);
            }
            if now != self.facts.head {
                return Err(self.facts.head.moved(&now).into());
            }
            let Self { facts, state, .. } = self;
            match state.advance(b, |b| facts.plan(b))? {
                Advance::More(state) => Transition::to(Self {
                    facts,
                    state,
                    begun: true,
                }),
                Advance::Done { changes } if b.env().abort => {
                    Transition::to(UndoLook::new(facts, changes))
                }
                Advance::Done { changes } => Transition::to(Record { facts, changes }),
            }
        })
        .await
    }
}
