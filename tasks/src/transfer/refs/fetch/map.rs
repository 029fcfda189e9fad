//! Which of a server's refs are fetched, and what becomes of each.

use std::collections::HashMap;

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::options::Tags;
use super::refspec::{ALL_TAGS, Refspec, local_name};
use super::remote::Remote;
use crate::transfer::refs::Local;
use crate::transfer::refs::RefsError;
use crate::transfer::refs::name::{expanded, is_valid};
use crate::transfer::{RemoteRef, text};

/// What stands of a ref in `FETCH_HEAD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Merge {
    /// It is what `git pull` merges.
    Yes,
    /// It is not.
    No,
    /// Nothing: it stands there under another refspec.
    Ignored,
}

/// A ref that is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name on the remote; the id itself if it was named by it.
    #[serde(with = "text::name")]
    pub name: BString,
    /// What it names.
    #[serde(with = "text::oid")]
    pub oid: ObjectId,
    /// The ref here that is to name the same.
    pub local: Option<Destination>,
    /// What stands of it in `FETCH_HEAD`.
    pub merge: Merge,
}

/// A ref here that is to move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// Its full name.
    #[serde(with = "text::name")]
    pub name: BString,
    /// Whether it may move to what is no fast-forward.
    pub force: bool,
    /// What it named when the fetch was planned.
    #[serde(
        with = "text::maybe_oid",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub old: Option<ObjectId>,
}

/// What is fetched of a server's refs.
pub(super) struct Mapped {
    /// The refs, in Git's order.
    pub(super) entries: Vec<Entry>,
    /// Whether tags are followed.
    pub(super) follow: bool,
    /// What the user should know.
    pub(super) remarks: Vec<String>,
}

/// Maps what a server lists, but for the tags that are followed.
pub(super) fn map(
    listed: &[RemoteRef],
    remote: &Remote,
    local: &Local,
) -> Result<(Mapped, Vec<Entry>), RefsError> {
    let mut mapping = Mapping::new(listed, local);
    let mut entries = Vec::new();
    let mut follow = false;
    let mut opportune = Vec::new();
    if !remote.given_specs.is_empty() {
        for spec in &remote.given_specs {
            entries.extend(mapping.all_of(spec, false)?);
            follow |= spec.destination().is_some();
        }
        for entry in &mut entries {
            entry.merge = Merge::Yes;
        }
        // Where remote-tracking refs are configured for what was given, they move too.
        let fetched: Vec<RemoteRef> = entries
            .iter()
            .map(|it| RemoteRef::new(it.name.clone(), it.oid))
            .collect();
        let mut again = Mapping::new(&fetched, local);
        for spec in &remote.configured_specs {
            opportune.extend(again.all_of(spec, true)?);
        }
        mapping.remarks.append(&mut again.remarks);
    } else if !remote.configured_specs.is_empty() || !remote.merge.is_empty() {
        for (at, spec) in remote.configured_specs.iter().enumerate() {
            entries.extend(mapping.all_of(spec, false)?);
            follow |= spec.destination().is_some();
            if at == 0
                && !remote.branch_merges
                && !spec.is_pattern()
                && let Some(first) = entries.first_mut()
            {
                first.merge = Merge::Yes;
            }
        }
        mapping.merges(&remote.merge, &mut entries)?;
    } else {
        let mut head = mapping.all_of(&Refspec::parse("HEAD".into())?, false)?;
        if let Some(head) = head.first_mut() {
            head.merge = Merge::Yes;
        }
        entries.extend(head);
    }
    if remote.tags == Tags::All {
        entries.extend(mapping.all_of(&Refspec::parse(ALL_TAGS.into())?, false)?);
    }
    for entry in &mut opportune {
        entry.merge = Merge::Ignored;
    }
    let mapped = Mapped {
        entries,
        follow: follow && remote.tags == Tags::Follow,
        remarks: mapping.remarks,
    };
    Ok((mapped, opportune))
}

/// Leaves out what is named by negative refspecs, and what goes to the same place twice, and notes
/// what is there.
pub(super) fn settle(
    mapped: &mut Mapped,
    opportune: Vec<Entry>,
    remote: &Remote,
    local: &Local,
) -> Result<(), RefsError> {
    let mut all = std::mem::take(&mut mapped.entries);
    all.extend(opportune);
    let negative: Vec<_> = remote.specs().iter().filter(|it| it.negative).collect();
    all.retain(|entry| !negative.iter().any(|it| it.omits(entry.name.as_bstr())));
    let mut places: HashMap<BString, usize> = HashMap::new();
    for mut entry in all {
        if let Some(to) = &mut entry.local {
            to.force |= remote.force();
            to.old = local.oid(to.name.as_bstr());
            if let Some(&at) = places.get(&to.name) {
                let there: &Entry = &mapped.entries[at];
                mapped.remarks.extend(duplicate(there, &entry)?);
                continue;
            }
            places.insert(to.name.clone(), mapped.entries.len());
        }
        mapped.entries.push(entry);
    }
    Ok(())
}

/// Two refs that go to one place: an error, unless one is only there by the way.
fn duplicate(first: &Entry, second: &Entry) -> Result<Option<String>, RefsError> {
    let place = second.local.as_ref().map(|it| it.name.clone());
    let place = place.unwrap_or_default();
    if first.name == second.name {
        return Ok(None);
    }
    if first.merge != Merge::Ignored && second.merge == Merge::Ignored {
        return Ok(Some(format!(
            "{place} usually tracks {}, not {}",
            second.name, first.name
        )));
    }
    Err(RefsError::Twice {
        first: first.name.clone(),
        second: second.name.clone(),
        place,
    })
}

struct Mapping<'a> {
    listed: &'a [RemoteRef],
    by_name: HashMap<&'a BStr, ObjectId>,
    local: &'a Local,
    remarks: Vec<String>,
}

impl<'a> Mapping<'a> {
    fn new(listed: &'a [RemoteRef], local: &'a Local) -> Self {
        let by_name = listed
            .iter()
            .filter_map(|it| Some((it.name(), it.target?)))
            .collect();
        Self {
            listed,
            by_name,
            local,
            remarks: Vec::new(),
        }
    }

    /// All refs that a refspec names. One that names a single ref fails if it is not there, unless
    /// it `may_lack`.
    fn all_of(&mut self, spec: &Refspec, may_lack: bool) -> Result<Vec<Entry>, RefsError> {
        let mut found: Vec<Entry> = Vec::new();
        if spec.negative {
            return Ok(found);
        }
        if spec.is_pattern() {
            for listed in self.listed {
                let Some(oid) = listed.target else { continue };
                if let Some(to) = spec.expand(listed.name())
                    && !self.local.is_symbolic(to.as_bstr())
                {
                    found.push(entry(listed.name(), oid, Some(to), spec.force));
                }
            }
        } else {
            let one = match spec.exact() {
                Some(oid) => Some((spec.source(), oid)),
                None => self.find(spec.source()),
            };
            match one {
                Some((name, oid)) => {
                    let to = spec.destination().map(local_name);
                    found.push(entry(name, oid, to, spec.force));
                }
                None if may_lack => {}
                None => {
                    return Err(RefsError::NotListed {
                        name: spec.source().to_owned(),
                    });
                }
            }
        }
        found.retain(|entry| {
            let Some(to) = &entry.local else { return true };
            let valid = is_valid(to.name.as_bstr());
            if !valid {
                self.remarks
                    .push(format!("ignoring the funny ref '{}'", to.name));
            }
            valid
        });
        Ok(found)
    }

    /// The ref that a name, which may be shortened, means on the remote.
    fn find(&self, name: &BStr) -> Option<(&'a BStr, ObjectId)> {
        let full = expanded(name).into_iter();
        let mut found = full.filter_map(|it| self.by_name.get_key_value(it.as_bstr()));
        found.next().map(|(name, oid)| (*name, *oid))
    }

    /// Marks what the current branch merges with, and adds what of it is not fetched yet.
    fn merges(&mut self, merge: &[BString], entries: &mut Vec<Entry>) -> Result<(), RefsError> {
        for name in merge {
            let full = expanded(name.as_bstr());
            let fetched = entries.iter_mut().find(|it| full.contains(&it.name));
            if let Some(entry) = fetched {
                entry.merge = Merge::Yes;
                continue;
            }
            let spec = Refspec {
                force: false,
                negative: false,
                source: name.clone(),
                destination: None,
            };
            let mut found = self.all_of(&spec, true)?;
            for entry in &mut found {
                entry.merge = Merge::Yes;
            }
            entries.append(&mut found);
        }
        Ok(())
    }
}

fn entry(name: &BStr, oid: ObjectId, to: Option<BString>, force: bool) -> Entry {
    Entry {
        name: name.to_owned(),
        oid,
        local: to.filter(|it| !it.is_empty()).map(|name| Destination {
            name,
            force,
            old: None,
        }),
        merge: Merge::No,
    }
}
