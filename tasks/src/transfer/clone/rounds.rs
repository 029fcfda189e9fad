//! What is to be got, in which order.

use resume_runtime::{Blocking, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::machine::own_dir;
use super::steps::{Getting, Publish};
use super::{Cloning, listing};
use crate::transfer::missing::plan::Filter;
use crate::transfer::obtain::{Goal, Obtain};
use crate::transfer::refs::{ClonePlan, Objects};

/// What is to be got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Round {
    /// All that the refs reach.
    All,
    /// Tags that lead to what is there, and did not come along.
    Tags,
    /// The blobs of the working tree, in a repository that has none.
    Blobs,
}

/// What this process is to reach.
pub(super) fn goal(b: &mut Blocking<Cloning>, round: Round) -> Result<Goal, StepError> {
    let plan = listing::read(b)?;
    let options = &plan.options;
    let env = b.env();
    let own = own_dir(b);
    let mut goal = Goal {
        tips: plan.wants(),
        complete: Vec::new(),
        haves: None,
        shallow: Vec::new(),
        depth: options.depth,
        filter: options.filter.as_ref().map(|_| Filter::BlobNone),
        tags: !plan.follow.is_empty(),
        own,
        existing: None,
        threads: env.threads,
        tries: env.tries,
        server: env.server.clone(),
    };
    match round {
        Round::All => {}
        Round::Tags => {
            goal.complete = std::mem::take(&mut goal.tips);
            goal.tips = plan.missing_tags(&Objects::at(&goal.objects())?);
            goal.depth = None;
        }
        Round::Blobs => {
            goal.tips = Vec::from_iter(tree(&plan, &Objects::at(&goal.objects())?)?);
            goal.filter = None;
            goal.depth = None;
        }
    }
    Ok(goal)
}

/// The tree that is to be checked out.
fn tree(plan: &ClonePlan, objects: &Objects) -> Result<Option<gix_hash::ObjectId>, StepError> {
    let Some(head) = plan.head_oid() else {
        return Ok(None);
    };
    Ok(match objects.commit(&head)? {
        Some(commit) => objects.tree(&commit)?,
        None => None,
    })
}

/// A round is done: what comes next?
pub(super) fn after(
    b: &mut Blocking<Cloning>,
    round: Round,
    obtain: Obtain,
    remarks: Vec<String>,
) -> StepResult<Cloning> {
    let plan = listing::read(b)?;
    let objects = own_dir(b).join("objects");
    let next = match round {
        Round::All
            if !plan.is_empty() && !plan.missing_tags(&Objects::at(&objects)?).is_empty() =>
        {
            Some(Round::Tags)
        }
        Round::All | Round::Tags if plan.options.filter.is_some() && checks_out(&plan) => {
            Some(Round::Blobs)
        }
        _ => None,
    };
    match next {
        Some(round) => Transition::to(
            Getting {
                round,
                obtain: obtain.onward(),
                remarks,
            }
            .into_step(),
        ),
        None => Transition::to(Publish { obtain, remarks }),
    }
}

/// Whether there is to be a working tree with files.
pub(super) fn checks_out(plan: &ClonePlan) -> bool {
    !plan.options.is_bare() && !plan.options.no_checkout && plan.head_oid().is_some()
}
