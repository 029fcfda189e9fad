//! What objects refer to, held against what is there.

use std::collections::HashSet;

use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::super::format::{Kind, Refs};
use super::super::restore::source::{Source, SourceEntry};
use super::super::scan::level::{Changes, Copied, Level};
use super::super::scan::links;
use super::super::source::{Oid, hex};
use super::known::Known;
use super::report::{Damage, DamageKind};

/// What a pack may lack: what its refs files say was cut off, or left out on request.
///
/// An older layer's lists count too. Its objects were complete with them, and what they refer to
/// may have gone out of the newest refs' reach.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    shallow: HashSet<Oid>,
    missing: HashSet<Oid>,
}

impl Allowed {
    pub(super) fn of(source: &Source) -> Self {
        let mut allowed = Self::default();
        let add = |set: &mut HashSet<Oid>, ids: &[ObjectId]| {
            set.extend(ids.iter().filter_map(|id| match id {
                ObjectId::Sha1(id) => Some(*id),
                _ => None,
            }));
        };
        for Refs {
            shallow, missing, ..
        } in source.layers().map(super::super::format::Layer::refs)
        {
            add(&mut allowed.shallow, shallow);
            add(&mut allowed.missing, missing);
        }
        allowed
    }
}

/// A reference to what is not there, or is something else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Absent {
    /// The object referred to, in hex.
    pub(super) id: String,
    /// What it is taken for, by name.
    kind: String,
    /// What it is.
    found: Option<String>,
    /// The object that refers to it.
    by: String,
    by_kind: String,
}

impl Absent {
    pub(super) fn damage(self) -> Damage {
        let Self {
            id,
            kind,
            found,
            by,
            by_kind,
        } = self;
        let reason = match found {
            None => format!("{by_kind} {by} needs {kind} {id}, which is not in the pack"),
            Some(found) => format!("{by_kind} {by} takes {id} for a {kind}, but it is a {found}"),
        };
        Damage {
            objects: 1,
            names: vec![by],
            ..Damage::new(DamageKind::Reference, reason)
        }
    }
}

/// Looks for what trees refer to; each thread has its own.
pub(super) struct Trees {
    changes: Changes,
    scratch: Level,
}

/// What is looked in.
pub(super) struct Pack<'a> {
    pub(super) known: &'a Known,
    pub(super) allowed: &'a Allowed,
}

impl Trees {
    pub(super) fn new() -> Self {
        Self {
            changes: Changes::default(),
            scratch: Level::default(),
        }
    }

    /// Looks for the entries of a tree, but for those that it took over from its delta base, with
    /// these copies: they were looked for there. Gives where its entries end, as a note for the
    /// trees that stand on this one.
    pub(super) fn look(
        &mut self,
        pack: &Pack<'_>,
        entry: &SourceEntry,
        content: &mut Vec<u8>,
        base: Option<(&Level, &[Copied])>,
        absent: &mut Vec<Absent>,
    ) -> Result<Level, &'static str> {
        let mut level = std::mem::take(&mut self.scratch);
        level.clear();
        // A tree is read where it lies.
        std::mem::swap(&mut level.raw, content);
        let none = Level::default();
        let (base, copies) = base.unwrap_or((&none, &[]));
        let derived = level.derive(base, copies, &mut self.changes, |raw, at| {
            let found = links::tree_entry(raw, at)?;
            if let Some(link) = found.link {
                absent.extend(pack.look(entry, link));
            }
            let end = u32::try_from(found.end).map_err(|_| "a tree of more than 4 GiB")?;
            Ok((0, end))
        });
        std::mem::swap(&mut level.raw, content);
        derived.map(|()| level)
    }

    /// A note that is not needed any more.
    pub(super) fn recycle(&mut self, level: Level) {
        self.scratch = level;
    }
}

impl Pack<'_> {
    /// Looks for the references of a commit or tag.
    pub(super) fn references(
        &self,
        entry: &SourceEntry,
        content: &[u8],
        absent: &mut Vec<Absent>,
    ) -> Result<(), &'static str> {
        links::of(entry.kind, content, |link| {
            absent.extend(self.look(entry, link));
        })
    }

    /// Whether `entry`'s reference finds something else than what it takes it for.
    fn look(&self, entry: &SourceEntry, (id, kind): links::Link) -> Option<Absent> {
        let found = self.known.kind_of(&id);
        if found == Some(kind) {
            return None;
        }
        let by = self.known.oid(entry.rank);
        if found.is_none() && self.may_lack(&id, kind, entry.kind, &by) {
            return None;
        }
        Some(Absent {
            id: hex(&id),
            kind: kind.name().to_owned(),
            found: found.map(|kind| kind.name().to_owned()),
            by: by.to_string(),
            by_kind: entry.kind.name().to_owned(),
        })
    }

    fn may_lack(&self, id: &Oid, kind: Kind, by_kind: Kind, by: &ObjectId) -> bool {
        let cut_off = (kind, by_kind) == (Kind::Commit, Kind::Commit)
            && matches!(by, ObjectId::Sha1(by) if self.allowed.shallow.contains(by));
        cut_off || self.allowed.missing.contains(id)
    }
}
