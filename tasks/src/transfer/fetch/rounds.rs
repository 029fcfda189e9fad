//! What is to be got, in which order.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use gix_hash::ObjectId;
use resume_runtime::{Blocking, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::haves::Here;
use super::listing::{self, Listing};
use super::machine::{all_objects, objects_of, open, own_dir};
use super::steps::{Getting, Publish, Refs};
use super::{FetchError, Fetching};
use crate::transfer::connection::Haves;
use crate::transfer::missing::plan::Filter;
use crate::transfer::obtain::{Goal, Obtain};
use crate::transfer::refs::fetch::{Entry, FetchPlan, fetch_head};
use crate::transfer::refs::{Local, Objects};

/// What is to be got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Round {
    /// All that the refs reach.
    All,
    /// Tags that lead to what is there, and did not come along.
    Tags,
}

/// What this process is to reach.
pub(super) fn goal(b: &mut Blocking<Fetching>, round: Round) -> Result<Goal, StepError> {
    let Listing {
        plan,
        promised,
        filter,
    } = listing::read(b)?;
    let repo = open(&b.input().git_dir)?;
    let (existing, own) = (objects_of(&repo), own_dir(b, &repo));
    let here = Objects::at(&existing)?;
    let local = Local::read(&repo)?;
    let shallow = shallow(&repo)?;
    let depth = b.input().options.depth.filter(|_| round == Round::All);
    let complete = complete(&local, &here);
    let tips = match round {
        Round::All => tips(&plan, &complete, depth),
        Round::Tags => missing_tags(&plan, &all_objects(b, &repo)?),
    };
    // Where history is to be longer, what is here is not all that is to be.
    let mut known = match depth {
        Some(_) => Vec::new(),
        None => complete.clone(),
    };
    if round == Round::Tags {
        known.extend(plan.wants());
    }
    let env = b.env();
    let haves = {
        let (existing, shallow) = (existing.clone(), shallow.clone());
        let shared = plan.wants().into_iter().filter(|oid| here.has(oid));
        let whole = |oid: &ObjectId| complete.binary_search(oid).is_ok();
        let shared: Vec<ObjectId> = shared.filter(whole).collect();
        move || {
            let here = Here::new(&existing, &complete, &shared, shallow.clone())?;
            Ok(Box::new(here) as Box<dyn Haves>)
        }
    };
    Ok(Goal {
        tips,
        complete: known,
        haves: Some(Arc::new(haves)),
        shallow,
        depth,
        filter: filter.filter(|_| promised).map(|_| Filter::BlobNone),
        tags: plan.include_tags,
        own,
        existing: Some(existing),
        threads: env.threads,
        tries: env.tries,
        server: env.server.clone(),
    })
}

/// What the refs here name and is there: with all that it refers to, as Git takes it, too.
fn complete(local: &Local, here: &Objects) -> Vec<ObjectId> {
    let oids: HashSet<ObjectId> = local.direct().map(|(_, oid)| *oid).collect();
    let mut oids: Vec<ObjectId> = oids.into_iter().filter(|oid| here.has(oid)).collect();
    oids.sort();
    oids
}

/// What is asked for: what is not known to be whole here. Where history is to be longer or shorter, what
/// moves; or all, if nothing does.
fn tips(plan: &FetchPlan, complete: &[ObjectId], depth: Option<u32>) -> Vec<ObjectId> {
    let mut wants = plan.wants();
    if depth.is_none() {
        wants.retain(|oid| complete.binary_search(oid).is_err());
        return wants;
    }
    let moves = |it: &&Entry| it.local.as_ref().is_none_or(|to| to.old != Some(it.oid));
    let moving: HashSet<ObjectId> = plan.entries.iter().filter(moves).map(|it| it.oid).collect();
    if !moving.is_empty() {
        wants.retain(|oid| moving.contains(oid));
    }
    wants
}

/// The tags that follow what was received.
pub(super) fn late_tags(plan: &FetchPlan, objects: &Objects) -> Vec<Entry> {
    if plan.include_tags {
        plan.late_tags(objects)
    } else {
        Vec::new()
    }
}

fn missing_tags(plan: &FetchPlan, objects: &Objects) -> Vec<ObjectId> {
    let mut seen = HashSet::new();
    let late = late_tags(plan, objects).into_iter().map(|it| it.oid);
    late.filter(|oid| !objects.has(oid) && seen.insert(*oid))
        .collect()
}

/// The commits whose parents are cut off here.
pub(super) fn shallow(repo: &gix::Repository) -> Result<Vec<ObjectId>, StepError> {
    let failed = |error: gix::Error| FetchError::Repository {
        path: repo.git_dir().to_owned(),
        reason: error.to_string(),
    };
    let read = repo.shallow_commits().map_err(failed)?;
    Ok(read
        .map(|it| it.iter().copied().collect())
        .unwrap_or_default())
}

/// Where a fetch begins, or goes on after its refs were listed again.
pub(super) fn first(
    b: &mut Blocking<Fetching>,
    obtain: Obtain,
    remarks: Vec<String>,
) -> StepResult<Fetching> {
    let goal = goal(b, Round::All)?;
    if goal.tips.is_empty() {
        return after(b, Round::All, obtain, remarks);
    }
    let round = Round::All;
    Transition::to(
        Getting {
            round,
            obtain,
            remarks,
        }
        .into_step(),
    )
}

/// Whether all that is asked for is there: then it may be whole, and is looked through before the
/// server is asked.
pub(super) fn may_be_whole(goal: &Goal) -> Result<bool, StepError> {
    let Some(existing) = &goal.existing else {
        return Ok(false);
    };
    let here = Objects::at(existing)?;
    Ok(goal.depth.is_none() && goal.tips.iter().all(|oid| here.has(oid)))
}

/// A round is done: what comes next?
pub(super) fn after(
    b: &mut Blocking<Fetching>,
    round: Round,
    obtain: Obtain,
    remarks: Vec<String>,
) -> StepResult<Fetching> {
    let plan = listing::read(b)?.plan;
    let repo = open(&b.input().git_dir)?;
    if round == Round::All && !missing_tags(&plan, &all_objects(b, &repo)?).is_empty() {
        return Transition::to(
            Getting {
                round: Round::Tags,
                obtain: obtain.onward(),
                remarks,
            }
            .into_step(),
        );
    }
    let append_after = b
        .input()
        .options
        .append
        .then(|| fetch_head::length(repo.git_dir()));
    let refs = Refs {
        obtained: obtain.obtained(),
        remarks,
        append_after: append_after.flatten().unwrap_or(0),
    };
    let depth = b.input().options.depth.is_some();
    let cut_off = obtain.shallow(b)?;
    if !depth && !cut_off.is_empty() && is_cut_off(&repo, &cut_off)? {
        return Err(FetchError::ShallowRemote.into());
    }
    if b.input().options.dry_run || (is_empty(&own_dir(b, &repo)) && cut_off.is_empty() && !depth) {
        return Transition::to(refs);
    }
    Transition::to(Publish { refs, obtain })
}

/// Whether history that is whole here would be cut off.
fn is_cut_off(repo: &gix::Repository, cut_off: &[ObjectId]) -> Result<bool, StepError> {
    let before = shallow(repo)?;
    Ok(cut_off.iter().any(|oid| !before.contains(oid)))
}

/// Whether no pack was received.
fn is_empty(own: &Path) -> bool {
    let mut packs = std::fs::read_dir(own.join("objects/pack"))
        .into_iter()
        .flatten();
    packs.next().is_none()
}
