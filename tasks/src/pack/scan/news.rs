//! What the tips reach beyond what is held already.
//!
//! What is held is closed: whatever a held object refers to is held too. So the walk from the tips
//! turns back where it meets a held object, and costs what is new, not what there is. Where most is
//! new, the pass over everything is the better way; the caller says from where on.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    Gap, Names, Reach, ScanError, Set, Universe,
    gaps::{has_promises, promises},
    links::{self, Link},
    names::NameCache,
    shallow,
};
use crate::pack::source::{Catalog, Kind, NONE, Oid, Reader, Shape, Sources, hex};

/// The objects that are new.
pub struct News {
    /// The objects of the sources; shapes are known for the new ones and their bases only.
    pub universe: Universe,
    /// The new objects.
    pub reach: Reach,
    /// What they refer to and is missing, by id; all of it is promised.
    pub gaps: Vec<Gap>,
}

impl News {
    /// Finds what `tips` reach and `held` does not have; nothing if that is more than `limit` objects,
    /// or if what is missing may be promised by an object that is not new.
    ///
    /// `stop` ends it with [`ScanError::Stopped`] once it is true.
    pub fn find(
        sources: &Arc<Sources>,
        catalog: &Arc<Catalog>,
        held: &Set,
        tips: &[u32],
        limit: u32,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, ScanError> {
        let mut walk = Walk {
            sources,
            catalog,
            held,
            shallow: shallow(sources, catalog),
            kinds: vec![0; catalog.len() as usize],
            pending: Vec::new(),
            found: 0,
            names: Names::new(catalog.len()),
            cache: NameCache::default(),
            gaps: has_promises(sources).then(BTreeMap::new),
        };
        let mut reader = Reader::new(sources, catalog);
        for tip in tips {
            walk.meet(&mut reader, *tip)?;
        }
        let mut content = Vec::new();
        while let Some(id) = walk.pending.pop() {
            if stop.load(Relaxed) {
                return Err(ScanError::Stopped);
            }
            if walk.found > limit {
                return Ok(None);
            }
            walk.visit(&mut reader, id, &mut content)?;
        }
        let mut objects = Set::new(catalog.len());
        let found = (0..).zip(&walk.kinds).filter(|(_, kind)| **kind != 0);
        found.for_each(|(id, _)| {
            objects.put(id);
        });
        let new = (0..catalog.len()).filter(|id| objects.has(*id));
        let shape = Shape::of(sources, catalog, new);
        let gaps: Vec<Gap> = walk.gaps.unwrap_or_default().into_values().collect();
        if !gaps.iter().all(|gap| gap.promised) {
            return Ok(None);
        }
        Ok(Some(Self {
            gaps,
            universe: Universe::new(Arc::clone(sources), Arc::clone(catalog), shape),
            reach: Reach::new(objects, walk.names),
        }))
    }
}

struct Walk<'a> {
    sources: &'a Sources,
    catalog: &'a Catalog,
    held: &'a Set,
    shallow: HashSet<u32>,
    /// The kind of each object that was met, 0 for the others.
    kinds: Vec<u8>,
    /// Objects that were met and not visited.
    pending: Vec<u32>,
    /// How many were met.
    found: u32,
    names: Names,
    cache: NameCache,
    /// What is missing, where it may be promised.
    gaps: Option<BTreeMap<Oid, Gap>>,
}

impl Walk<'_> {
    /// Puts a new object on the list.
    fn meet(&mut self, reader: &mut Reader<'_>, id: u32) -> Result<(), ScanError> {
        if self.held.has(id) || self.kinds[id as usize] != 0 {
            return Ok(());
        }
        let kind = reader.kind(id)?;
        self.kinds[id as usize] = kind.number();
        self.found += 1;
        if kind != Kind::Blob {
            self.pending.push(id);
        }
        Ok(())
    }

    /// Follows the references of a new object.
    fn visit(
        &mut self,
        reader: &mut Reader<'_>,
        id: u32,
        content: &mut Vec<u8>,
    ) -> Result<(), ScanError> {
        let kind = self.kind(id).unwrap_or(Kind::Blob);
        reader.object(id, content)?;
        let mut links: Vec<Link> = Vec::new();
        if kind == Kind::Tree {
            let mut at = 0;
            while at < content.len() {
                let entry =
                    links::tree_entry(content, at).map_err(|why| reader.damaged(id, why))?;
                at = entry.end;
                if let Some(link) = entry.link {
                    let target = reader.find(&link.0);
                    if target != NONE && !self.held.has(target) {
                        self.names.give(target, entry.name, &mut self.cache);
                    }
                    links.push(link);
                }
            }
        } else {
            let cut = kind == Kind::Commit && self.shallow.contains(&id);
            links::of(kind, content, |link| {
                if !(cut && link.1 == Kind::Commit) {
                    links.push(link);
                }
            })
            .map_err(|why| reader.damaged(id, why))?;
        }
        for link in links {
            self.follow(reader, (id, kind), link)?;
        }
        Ok(())
    }

    fn follow(
        &mut self,
        reader: &mut Reader<'_>,
        (by, kind): (u32, Kind),
        (oid, expected): Link,
    ) -> Result<(), ScanError> {
        let target = reader.find(&oid);
        if target == NONE {
            if let Some(damage) = self.sources.damage(&oid) {
                return Err(damage.into());
            }
            let gap = Gap {
                oid,
                needed_by: self.catalog.oid(self.sources, by),
                kind,
                promised: promises(self.sources, self.catalog, by),
            };
            let Some(gaps) = &mut self.gaps else {
                return Err(gap.error());
            };
            let known = gaps.entry(oid).or_insert_with(|| gap.clone());
            known.promised |= gap.promised;
            return Ok(());
        }
        self.meet(reader, target)?;
        match self.kind(target) {
            Some(found) if found != expected => Err(ScanError::WrongKind {
                id: hex(&oid),
                found: found.name(),
                expected: expected.name(),
                kind: kind.name(),
                by: hex(&self.catalog.oid(self.sources, by)),
            }),
            _ => Ok(()),
        }
    }

    /// The kind of an object that was met.
    fn kind(&self, id: u32) -> Option<Kind> {
        Kind::from_number(self.kinds[id as usize])
    }
}
