//! The steps of the operation, one after the other.

mod check;
mod entries;
mod files;
mod into;
mod publish;
mod refs;

pub(super) use check::Check;
pub(super) use entries::{Entries, Index};
pub(super) use files::{Files, TreeIndex};
pub(super) use into::{PublishInto, RefsInto};
pub(super) use publish::Publish;
pub(super) use refs::Refs;

use super::machine::Plan;
use super::{Input, Restore};
use resume_runtime::StepResult;

/// The step after the pack is written, or where there is nothing to write.
fn publish(input: &Input, plan: Plan, checksum: Option<String>) -> StepResult<Restore> {
    match input.into {
        Some(_) => resume_runtime::Transition::to(PublishInto { plan, checksum }),
        None => resume_runtime::Transition::to(Publish { plan, checksum }),
    }
}
