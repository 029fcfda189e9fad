//! The way back (`--abort`): what Git calls `reset --merge`.

use resume_runtime::{Blocking, Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::files;
use super::input::Ended;
use super::machine::{Facts, Merge, own_dir, shared};
use crate::history::worktree::{self, Advance, Plan, WorktreeError};

/// The state of looking whether there is a way back.
#[derive(Debug, Serialize, Deserialize)]
pub struct UndoLook {
    facts: Facts,
    changes: u64,
}

impl UndoLook {
    pub(super) fn new(facts: Facts, changes: u64) -> Self {
        Self { facts, changes }
    }
}

/// The state of going back.
#[derive(Debug, Serialize, Deserialize)]
pub struct UndoMove {
    facts: Facts,
    state: worktree::Transition,
}

/// The state of removing the files.
#[derive(Debug, Serialize, Deserialize)]
pub struct UndoEnd {
    facts: Facts,
}

/// To the tree that `HEAD` has.
fn plan(b: &mut Blocking<Merge>, facts: &Facts) -> Result<Plan, WorktreeError> {
    let mut plan = Plan::new(shared(b)?, facts.tree, facts.from);
    plan.branch.clone_from(&facts.head.branch);
    plan.treeish = facts.head.commit.unwrap_or(facts.from);
    plan.force = true;
    plan.keep = true;
    Ok(plan)
}

impl Step<Merge> for UndoLook {
    async fn run(self, cx: &mut Context<'_, Merge>) -> StepResult<Merge> {
        cx.blocking(move |b| {
            let plan = plan(b, &self.facts)?;
            let state = worktree::check(b, &plan)?;
            Transition::to(UndoMove {
                facts: self.facts,
                state,
            })
        })
        .await
    }
}

impl Step<Merge> for UndoMove {
    async fn run(self, cx: &mut Context<'_, Merge>) -> StepResult<Merge> {
        cx.blocking(move |b| {
            let Self { facts, state } = self;
            match state.advance(b, |b| plan(b, &facts))? {
                Advance::More(state) => Transition::to(Self { facts, state }),
                Advance::Done { .. } => Transition::to(UndoEnd { facts }),
            }
        })
        .await
    }
}

impl Step<Merge> for UndoEnd {
    async fn run(self, cx: &mut Context<'_, Merge>) -> StepResult<Merge> {
        cx.blocking(move |b| {
            let git_dir = b.input().repository.clone();
            files::clear(&git_dir, &*b)?;
            let _ = std::fs::remove_dir_all(own_dir(b));
            let at = self.facts.head.commit;
            Transition::done(self.facts.output(Ended::Aborted, at, 0))
        })
        .await
    }
}
