//! From the refs that a server lists to what a fetch does.

use std::collections::HashSet;

use gix::bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::map::{self, Entry, Mapped};
use super::remote::Remote;
use super::tags;
use crate::transfer::refs::Local;
use crate::transfer::refs::clone::{NewRef, RemoteTag};
use crate::transfer::refs::name::is_valid;
use crate::transfer::refs::{Objects, RefsError};
use crate::transfer::{RemoteRef, text};

/// What a fetch does with a server's refs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchPlan {
    /// The refs that are fetched, in Git's order.
    pub entries: Vec<Entry>,
    /// The refs here that go, since the remote no longer has theirs, with what they named.
    pub prune: Vec<NewRef>,
    /// Tags that come along if what they lead to is there in the end: see [`FetchPlan::late_tags`].
    pub follow: Vec<RemoteTag>,
    /// Whether the server is to send annotated tags with what they lead to.
    pub include_tags: bool,
    /// What the user should know.
    pub remarks: Vec<String>,
    /// What the server listed and no repository can have.
    #[serde(with = "text::names")]
    pub left_out: Vec<BString>,
}

impl FetchPlan {
    /// The objects that are to be there, each once.
    pub fn wants(&self) -> Vec<ObjectId> {
        let mut seen = HashSet::new();
        let all = self.entries.iter().map(|it| it.oid);
        all.filter(|oid| seen.insert(*oid)).collect()
    }

    /// The tags that follow what was received and were not planned yet. Their objects may be
    /// missing: a server need not send them.
    pub fn late_tags(&self, objects: &Objects) -> Vec<Entry> {
        let planned = self.entries.iter().filter_map(|it| it.local.as_ref());
        let planned = planned.map(|it| it.name.clone()).collect();
        tags::followed(&self.follow, objects, &HashSet::new(), &planned)
    }
}

/// Plans a fetch from the refs that a server lists. `objects` are those that are there before.
pub fn for_fetch(
    listed: &[RemoteRef],
    remote: &Remote,
    local: &Local,
    objects: &Objects,
    update_head_ok: bool,
) -> Result<FetchPlan, RefsError> {
    let (usable, left_out) = usable(listed);
    let (mut mapped, opportune) = map::map(&usable, remote, local)?;
    let mut follow = Vec::new();
    if mapped.follow {
        follow = tags::foreign(&usable, local);
        let fetched = mapped.entries.iter().map(|it| it.oid).collect();
        let early = tags::followed(&follow, objects, &fetched, &HashSet::new());
        mapped.entries.extend(early);
    }
    map::settle(&mut mapped, opportune, remote, local)?;
    let Mapped {
        entries,
        follow: include_tags,
        remarks,
    } = mapped;
    if !update_head_ok {
        refuse_checked_out(&entries, local)?;
    }
    let prune = if remote.prune {
        stale(remote, &entries, local)
    } else {
        Vec::new()
    };
    Ok(FetchPlan {
        entries,
        prune,
        follow,
        include_tags,
        remarks,
        left_out,
    })
}

/// The refs that a repository can have, each once, and the names of the others.
fn usable(listed: &[RemoteRef]) -> (Vec<RemoteRef>, Vec<BString>) {
    let (mut usable, mut left_out) = (Vec::with_capacity(listed.len()), Vec::new());
    let mut seen = HashSet::new();
    for it in listed {
        if it.target.is_none() {
            continue;
        }
        if (it.is_head() || is_valid(it.name())) && seen.insert(it.name()) {
            usable.push(it.clone());
        } else {
            left_out.push(it.name.clone());
        }
    }
    (usable, left_out)
}

/// Refuses to move a branch under a working tree.
fn refuse_checked_out(entries: &[Entry], local: &Local) -> Result<(), RefsError> {
    for to in entries.iter().filter_map(|it| it.local.as_ref()) {
        if to.name.starts_with(b"refs/heads/")
            && let Some(path) = local.checked_out(to.name.as_bstr())
        {
            return Err(RefsError::CheckedOut {
                branch: to.name.clone(),
                path: path.to_owned(),
            });
        }
    }
    Ok(())
}

/// The refs here that come from refs which the remote no longer has.
fn stale(remote: &Remote, entries: &[Entry], local: &Local) -> Vec<NewRef> {
    let there: HashSet<&BString> = entries.iter().map(|it| &it.name).collect();
    let written = entries.iter().filter_map(|it| it.local.as_ref());
    let written: HashSet<&BString> = written.map(|it| &it.name).collect();
    let specs = remote.specs();
    let negative: Vec<_> = specs.iter().filter(|it| it.negative).collect();
    let is_stale = |name: &BString| {
        let mut origins = Vec::new();
        for spec in specs.iter().filter(|it| !it.negative) {
            origins.extend(spec.origin_of(name.as_bstr()));
        }
        let omitted = |it: &BString| negative.iter().any(|spec| spec.omits(it.as_bstr()));
        !origins.is_empty()
            && !written.contains(name)
            && !origins.iter().any(|it| there.contains(it) || omitted(it))
    };
    let gone = local.direct().filter(|(name, _)| is_stale(name));
    gone.map(|(name, oid)| NewRef {
        name: name.clone(),
        oid: *oid,
    })
    .collect()
}
