//! The plan of the new repository, kept in a file of the operation.

use std::io::Read as _;

use resume_runtime::{Blocking, StepError};

use super::{CloneError, Cloning};
use crate::transfer::refs::ClonePlan;
use crate::transfer::refs::clone::NewRef;
use crate::transfer::refs::name::{pretty, shown};

/// The operation's file with the plan.
const PLAN: &str = "plan.json";
/// So many refs that have changed are named.
const NAMED: usize = 3;

/// Writes the plan down, in the place of one that is there.
pub(super) fn write(b: &mut Blocking<Cloning>, plan: &ClonePlan) -> Result<(), StepError> {
    let unwritable = |error: serde_json::Error| CloneError::Plan {
        reason: error.to_string(),
    };
    let bytes = serde_json::to_vec(plan).map_err(unwritable)?;
    let mut file = b.append_file(PLAN)?;
    file.restart()?;
    file.append(&bytes)
}

/// Reads it.
pub(super) fn read(b: &mut Blocking<Cloning>) -> Result<ClonePlan, StepError> {
    let mut bytes = Vec::new();
    b.read_file(PLAN)?.read_to_end(&mut bytes)?;
    let unreadable = |error: serde_json::Error| CloneError::Plan {
        reason: error.to_string(),
    };
    Ok(serde_json::from_slice(&bytes).map_err(unreadable)?)
}

/// How the refs of a remote have changed, in a sentence.
pub(super) fn difference(before: &ClonePlan, now: &ClonePlan) -> String {
    let mut changes = Vec::new();
    for old in &before.refs {
        let name = shown(pretty(old.name.as_slice().into()));
        match now.refs.iter().find(|new| new.name == old.name) {
            None => changes.push(format!("{name} is gone")),
            Some(new) if new.oid != old.oid => {
                changes.push(format!("{name} was {} and is {}", old.oid, new.oid));
            }
            Some(_) => {}
        }
    }
    let new = |it: &&NewRef| !before.refs.iter().any(|old| old.name == it.name);
    let added = now.refs.iter().filter(new).count();
    if added > 0 {
        changes.push(format!("{added} refs are new"));
    }
    if changes.is_empty() && before.head != now.head {
        changes.push("its HEAD is another one".to_owned());
    }
    let more = changes.len().saturating_sub(NAMED);
    changes.truncate(NAMED);
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("the remote has changed: {}{more}", changes.join(", "))
}
