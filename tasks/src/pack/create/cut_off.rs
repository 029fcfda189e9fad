//! Where the pack's history ends, and what is left out of it.

use gix_hash::ObjectId;
use resume_runtime::{Blocking, StepError};

use super::{Create, CreateError, base::Base, open};
use crate::pack::{
    format::Refs,
    scan::{Gap, Reach, Set, Universe},
    source::Oid,
};

/// What a scan found of it.
pub(super) struct CutOff {
    /// Commits that are reached, and whose parents are not followed.
    pub(super) shallow: Vec<Oid>,
    /// Commits of older layers that were cut off there, and are not any more.
    pub(super) grown: Vec<Oid>,
    /// What is missing.
    pub(super) gaps: Vec<Gap>,
}

impl CutOff {
    /// For what `reach` has; the held objects are still in it if older layers were cut off.
    pub(super) fn of(
        universe: &Universe,
        reach: &Reach,
        gaps: Vec<Gap>,
        base: Option<(&Base, &Set)>,
    ) -> Self {
        let mut cut_off = Self {
            shallow: Vec::new(),
            grown: Vec::new(),
            gaps,
        };
        let before: Vec<Oid> = base.map_or_else(Vec::new, |(base, _)| base.shallow());
        let oid = |id: u32| universe.catalog.oid(&universe.sources, id);
        for &id in universe.shallow.iter().filter(|id| reach.has(**id)) {
            let whole = base.is_some_and(|(_, held)| held.has(id)) && !before.contains(&oid(id));
            if !whole {
                cut_off.shallow.push(oid(id));
            }
        }
        for oid in before {
            let found = universe.catalog.find(&universe.sources, &oid);
            if found.is_some_and(|id| reach.has(id) && !universe.shallow.contains(&id)) {
                cut_off.grown.push(oid);
            }
        }
        cut_off
    }

    /// The chosen refs with what is cut off, which must be allowed.
    pub(super) fn refs(
        self,
        b: &mut Blocking<Create>,
        base: Option<&Base>,
        added: impl Fn(&Oid) -> bool,
    ) -> Result<Result<Refs, CreateError>, StepError> {
        let mut refs = open::refs(b)?;
        let missing = match self.missing(b.input().allow_promised, base) {
            Ok(missing) => missing,
            Err(error) => return Ok(Err(error)),
        };
        let mut shallow = self.shallow;
        if let Some(base) = base {
            shallow.extend(
                base.shallow()
                    .iter()
                    .filter(|oid| !self.grown.contains(oid)),
            );
        }
        refs.shallow = sorted(shallow);
        let mut missing = missing;
        if let Some(base) = base {
            missing.extend(base.missing().into_iter().filter(|oid| !added(oid)));
        }
        refs.missing = sorted(missing);
        Ok(Ok(refs))
    }

    /// What is missing and not held either, if that may be.
    fn missing(&self, allowed: bool, base: Option<&Base>) -> Result<Vec<Oid>, CreateError> {
        let mut missing: Vec<&Gap> = Vec::new();
        for gap in &self.gaps {
            let held = match base {
                Some(base) => base.has(&gap.oid)?,
                None => false,
            };
            if !held {
                missing.push(gap);
            }
        }
        if let Some(gap) = missing.iter().find(|gap| !gap.promised) {
            return Err(gap.error().into());
        }
        match missing.first() {
            Some(first) if !allowed => Err(CreateError::Promised {
                first: first.error(),
                count: missing.len(),
            }),
            _ => Ok(missing.iter().map(|gap| gap.oid).collect()),
        }
    }
}

fn sorted(oids: Vec<Oid>) -> Vec<ObjectId> {
    let mut oids: Vec<ObjectId> = oids.into_iter().map(ObjectId::Sha1).collect();
    oids.sort_unstable();
    oids.dedup();
    oids
}
