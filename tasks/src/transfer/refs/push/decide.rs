//! What is sent and what is rejected, when the server has this or that.

use std::collections::BTreeMap;

use gix::bstr::{BStr, ByteSlice as _};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::{Expected, Pair};
use crate::transfer::{RemoteRef, text};

/// What becomes of a ref.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is to be changed.
    Send,
    /// It was changed.
    Done,
    /// It is what it should be.
    UpToDate,
    /// It would lose history.
    NonFastForward,
    /// It has what is not known here.
    FetchFirst,
    /// It, or what it should become, is no commit.
    NeedsForce,
    /// It is a tag, and tags stay what they are.
    AlreadyExists,
    /// It is not what the lease says.
    Stale,
    /// The server can't delete.
    NoDelete,
    /// Another one was rejected, and it is all or nothing.
    AtomicFailed,
    /// The server said no.
    Remote(String),
    /// The server did not say what became of it.
    Unreported,
}

impl Status {
    /// Whether it stands in the way of success.
    pub const fn is_failure(&self) -> bool {
        !matches!(self, Self::Send | Self::Done | Self::UpToDate)
    }
}

/// A pair, with what the server has and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// The pair.
    #[serde(flatten)]
    pub pair: Pair,
    /// What the server's ref is; none: there is no such ref.
    #[serde(with = "text::maybe_oid", default)]
    pub old: Option<ObjectId>,
    /// What becomes of it.
    pub status: Status,
    /// It loses what it had.
    #[serde(default)]
    pub forced: bool,
}

impl Update {
    /// The server's ref.
    pub fn to(&self) -> &BStr {
        self.pair.to.as_bstr()
    }
}

/// What is known here of objects.
pub trait Ancestry {
    /// Whether the object is here.
    fn has(&self, id: ObjectId) -> bool;
    /// The commit that it is or leads to.
    fn commit(&self, id: ObjectId) -> Option<ObjectId>;
    /// Whether `old` is `new` or below it; both are commits.
    fn contains(&self, new: ObjectId, old: ObjectId) -> bool;
}

/// How it is pushed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Whatever is lost.
    pub force: bool,
    /// All or nothing.
    pub atomic: bool,
    /// The server can't delete refs.
    pub no_delete: bool,
}

/// Decides on all pairs.
pub fn decide(
    pairs: &[Pair],
    expected: &[Expected],
    rules: Rules,
    remote: &[RemoteRef],
    here: &dyn Ancestry,
) -> Vec<Update> {
    let there: BTreeMap<&BStr, ObjectId> = remote
        .iter()
        .filter_map(|it| it.target.map(|id| (it.name(), id)))
        .collect();
    let mut updates: Vec<Update> = pairs
        .iter()
        .map(|pair| {
            let old = there.get(pair.to.as_bstr()).copied();
            let expected = expected.iter().find(|it| it.to == pair.to);
            one(pair, old, expected, rules, here)
        })
        .collect();
    if rules.atomic && updates.iter().any(|it| it.status.is_failure()) {
        for update in &mut updates {
            if update.status == Status::Send {
                update.status = Status::AtomicFailed;
            }
        }
    }
    updates
}

fn one(
    pair: &Pair,
    old: Option<ObjectId>,
    expected: Option<&Expected>,
    rules: Rules,
    here: &dyn Ancestry,
) -> Update {
    let mut update = Update {
        pair: pair.clone(),
        old,
        status: Status::Send,
        forced: false,
    };
    if pair.new == old && old.is_some() {
        update.status = Status::UpToDate;
        return update;
    }
    if pair.new.is_none() && rules.no_delete {
        update.status = Status::NoDelete;
        return update;
    }
    let mut force = rules.force || pair.force;
    let mut reason = None;
    match expected {
        Some(expected) if expected.old != old => reason = Some(Status::Stale),
        Some(_) => force = true,
        None => {}
    }
    if reason.is_none()
        && let (Some(new), Some(old)) = (pair.new, old)
    {
        reason = if pair.to.starts_with(b"refs/tags/") {
            Some(Status::AlreadyExists)
        } else if !here.has(old) {
            Some(Status::FetchFirst)
        } else {
            match (here.commit(new), here.commit(old)) {
                (Some(new), Some(old)) if here.contains(new, old) => None,
                (Some(_), Some(_)) => Some(Status::NonFastForward),
                _ => Some(Status::NeedsForce),
            }
        };
    }
    match reason {
        Some(_) if force => update.forced = true,
        Some(reason) => update.status = reason,
        // What is gone needs no deletion.
        None if pair.new.is_none() && old.is_none() => update.status = Status::Done,
        None => {}
    }
    update
}
