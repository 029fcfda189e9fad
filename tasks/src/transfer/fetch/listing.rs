//! The plan of the fetch, kept in a file of the operation.

use std::io::Read as _;

use gix_hash::ObjectId;
use resume_runtime::{Blocking, StepError};
use serde::{Deserialize, Serialize};

use super::machine::{objects_of, open};
use super::{FetchError, Fetching};
use crate::transfer::RemoteRef;
use crate::transfer::refs::fetch::{FetchPlan, Remote, for_fetch};
use crate::transfer::refs::{Local, Objects};

/// The operation's file with the plan.
const PLAN: &str = "plan.json";

/// What was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listing {
    pub(super) plan: FetchPlan,
    /// Whether the remote has promised what a partial clone lacks.
    pub(super) promised: bool,
    /// What a partial clone leaves out.
    pub(super) filter: Option<String>,
}

/// The remote that is fetched from.
pub(super) fn remote(b: &Blocking<Fetching>) -> Result<Remote, StepError> {
    let repo = open(&b.input().git_dir)?;
    Ok(Remote::find(&repo, &b.input().options)?)
}

/// Plans from what a server lists.
pub(super) fn plan(
    b: &Blocking<Fetching>,
    remote: &Remote,
    listed: &[RemoteRef],
) -> Result<Listing, StepError> {
    let repo = open(&b.input().git_dir)?;
    let plan = for_fetch(
        listed,
        remote,
        &Local::read(&repo)?,
        &Objects::at(&objects_of(&repo))?,
        b.input().options.update_head_ok,
    )?;
    Ok(Listing {
        plan,
        promised: remote.promisor,
        filter: remote.filter.clone().filter(|_| remote.promisor),
    })
}

/// Writes the plan down, in the place of one that is there.
pub(super) fn write(b: &mut Blocking<Fetching>, listing: &Listing) -> Result<(), StepError> {
    let bytes = serde_json::to_vec(listing).map_err(|error| unfit(&error))?;
    let mut file = b.append_file(PLAN)?;
    file.restart()?;
    file.append(&bytes)
}

/// Reads it.
pub(super) fn read(b: &mut Blocking<Fetching>) -> Result<Listing, StepError> {
    let mut bytes = Vec::new();
    b.read_file(PLAN)?.read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes).map_err(|error| unfit(&error))?)
}

fn unfit(error: &serde_json::Error) -> FetchError {
    FetchError::Plan {
        reason: error.to_string(),
    }
}

/// How the refs of a remote have changed, in a sentence.
pub(super) fn difference(before: &FetchPlan, now: &FetchPlan) -> String {
    let oid = |plan: &FetchPlan, name: &gix::bstr::BString| -> Option<ObjectId> {
        let entry = plan.entries.iter().find(|it| it.name == *name);
        entry.map(|it| it.oid)
    };
    let moved = before
        .entries
        .iter()
        .filter(|it| oid(now, &it.name).is_some_and(|oid| oid != it.oid))
        .count();
    let gone = before
        .entries
        .iter()
        .filter(|it| oid(now, &it.name).is_none())
        .count();
    let new = now
        .entries
        .iter()
        .filter(|it| oid(before, &it.name).is_none())
        .count();
    format!("the remote has changed: {moved} refs moved, {gone} are gone, {new} are new")
}
