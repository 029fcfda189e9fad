//! Writes the working tree, then its index.

use std::path::PathBuf;

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::machine::own_dir;
use super::super::{CloneError, Cloning, listing};
use super::Refs;
use crate::checkout::{self, Advance, Checkout, CheckoutError, Refusal, Written, borrow};
use crate::transfer::obtain::Obtained;
use crate::transfer::refs::{NewHead, Objects, RefsError};

/// The state of writing the working tree.
#[derive(Debug, Serialize, Deserialize)]
pub struct Files {
    pub(super) obtained: Obtained,
    pub(super) remarks: Vec<String>,
    #[serde(default)]
    pub(super) checkout: Checkout,
}

/// The state of writing the working tree's index.
#[derive(Debug, Serialize, Deserialize)]
pub struct TreeIndex {
    obtained: Obtained,
    remarks: Vec<String>,
    written: Written,
}

/// Where the checkout works.
pub(super) fn scratch(b: &Blocking<Cloning>) -> PathBuf {
    own_dir(b).join("tree")
}

/// What the files are written from.
fn plan(b: &mut Blocking<Cloning>) -> Result<checkout::Plan, CheckoutError> {
    let plan = listing::read(b)?;
    let target = b.input().target();
    let objects = target.git_dir().join("objects");
    let found = head(&plan.head, &Objects::at(&objects).map_err(StepError::from)?);
    let Some((commit, tree)) = found.map_err(StepError::from)? else {
        let reason = "HEAD leads to no commit".to_owned();
        return Err(Refusal::Repository { reason }.into());
    };
    let at = scratch(b).join("borrow");
    let made = borrow::repository(&objects, Some(&commit), &at, b);
    let repository = made.map_err(CloneError::io(&at)).map_err(StepError::from)?;
    let worktree = target.path.clone();
    let mut to = checkout::Plan::new(repository.into_sync(), tree, worktree, scratch(b));
    to.treeish = commit;
    to.threads = b.env().threads;
    if let NewHead::Branch(branch) = &plan.head {
        to.branch = Some(branch.name.clone());
    }
    #[cfg(test)]
    b.env().count_staged(&mut to);
    Ok(to)
}

/// The commit that `HEAD` is to lead to, and its tree.
fn head(
    head: &NewHead,
    objects: &Objects,
) -> Result<Option<(gix_hash::ObjectId, gix_hash::ObjectId)>, RefsError> {
    let (NewHead::Branch(to) | NewHead::Detached(to)) = head else {
        return Ok(None);
    };
    let Some(commit) = objects.commit(&to.oid)? else {
        return Ok(None);
    };
    Ok(objects.tree(&commit)?.map(|tree| (commit, tree)))
}

impl Step<Cloning> for Files {
    async fn run(self, cx: &mut Context<'_, Cloning>) -> StepResult<Cloning> {
        cx.blocking(move |b| {
            let unborn = b.input().target().check_unborn();
            unborn.map_err(CloneError::from)?;
            let Self {
                obtained,
                remarks,
                checkout,
            } = self;
            match checkout.advance(b, plan) {
                Ok(Advance::More(checkout)) => Transition::to(Self {
                    obtained,
                    remarks,
                    checkout,
                }),
                Ok(Advance::Done(written)) => Transition::to(TreeIndex {
                    obtained,
                    remarks,
                    written,
                }),
                Err(CheckoutError::Refused(refusal)) => {
                    let reason = refusal.to_string();
                    borrow::remove(&scratch(b), b).map_err(CloneError::io(scratch(b)))?;
                    b.note(format!("the working tree was not written: {reason}"));
                    Transition::to(Refs {
                        obtained,
                        remarks,
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

impl Step<Cloning> for TreeIndex {
    async fn run(self, cx: &mut Context<'_, Cloning>) -> StepResult<Cloning> {
        cx.blocking(move |b| {
            let written = plan(b).and_then(|plan| checkout::write_index(b, &plan));
            match written {
                Ok(()) => Transition::to(Refs {
                    obtained: self.obtained,
                    remarks: self.remarks,
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
