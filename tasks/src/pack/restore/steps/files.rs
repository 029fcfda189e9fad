//! Writes the working tree, then its index.

use std::path::PathBuf;

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::machine::{Plan, Restore, own_dir};
use super::super::{publish, worktree};
use super::Refs;
use crate::checkout::{self, Advance, Checkout, CheckoutError, Written};

/// The state of writing the working tree.
#[derive(Debug, Serialize, Deserialize)]
pub struct Files {
    pub(super) plan: Plan,
    pub(super) pack_bytes: u64,
    #[serde(default)]
    pub(super) checkout: Checkout,
}

/// The state of writing the working tree's index.
#[derive(Debug, Serialize, Deserialize)]
pub struct TreeIndex {
    plan: Plan,
    pack_bytes: u64,
    written: Written,
}

/// What the files are written from.
fn plan(b: &mut Blocking<Restore>, plan: &Plan) -> Result<checkout::Plan, CheckoutError> {
    let source = b.env().source(&b.input().pack, plan);
    let source = source.map_err(StepError::from)?;
    let (target, refs) = (b.input().target(), source.newest().refs());
    match worktree::plan(&target, &scratch(b), refs, b).map_err(StepError::from)? {
        Ok(mut plan) => {
            plan.threads = b.env().threads();
            #[cfg(test)]
            b.env().count_staged(&mut plan);
            Ok(plan)
        }
        Err(reason) => Err(checkout::Refusal::Repository { reason }.into()),
    }
}

/// Where the checkout works.
pub(super) fn scratch(b: &Blocking<Restore>) -> PathBuf {
    own_dir(b).join("tree")
}

impl Step<Restore> for Files {
    async fn run(self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(move |b| {
            b.input().target().check_unborn()?;
            let Self {
                plan: pack,
                pack_bytes,
                checkout,
            } = self;
            match checkout.advance(b, |b| plan(b, &pack)) {
                Ok(Advance::More(checkout)) => Transition::to(Self {
                    plan: pack,
                    pack_bytes,
                    checkout,
                }),
                Ok(Advance::Done(written)) => Transition::to(TreeIndex {
                    plan: pack,
                    pack_bytes,
                    written,
                }),
                Err(CheckoutError::Refused(refusal)) => {
                    let reason = refusal.to_string();
                    publish::remove_dir(&scratch(b), b)?;
                    b.note(format!("the working tree was not written: {reason}"));
                    Transition::to(Refs {
                        plan: pack,
                        pack_bytes,
                        written: None,
                        no_tree: Some(reason),
                    })
                }
                Err(CheckoutError::Step(error)) => Err(error),
            }
        })
        .await
    }
}

impl Step<Restore> for TreeIndex {
    async fn run(self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(move |b| {
            let written = plan(b, &self.plan).and_then(|plan| checkout::write_index(b, &plan));
            match written {
                Ok(()) => Transition::to(Refs {
                    plan: self.plan,
                    pack_bytes: self.pack_bytes,
                    written: Some(self.written),
                    no_tree: None,
                }),
                Err(CheckoutError::Step(error)) => Err(error),
                // It was none when the files were written.
                Err(CheckoutError::Refused(refusal)) => Err(StepError::fatal(refusal)),
            }
        })
        .await
    }
}
