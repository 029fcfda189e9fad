//! What is missing: in a partial clone, what a remote has promised.

use std::{collections::BTreeMap, sync::atomic::AtomicBool};

use super::{
    Scan, ScanError, Universe,
    along::read_along,
    links,
    reach::{diagnose, fault},
    state::Fault,
};
use crate::pack::source::{Catalog, Kind, Location, NONE, Oid, Reader, Sources, hex};

/// An object that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Its id.
    pub oid: Oid,
    /// An object that refers to it.
    pub needed_by: Oid,
    /// That object's kind.
    pub kind: Kind,
    /// Whether an object that came from a promising remote refers to it.
    pub promised: bool,
}

impl Gap {
    /// That it is missing.
    pub fn error(&self) -> ScanError {
        ScanError::Missing {
            id: hex(&self.oid),
            kind: self.kind.name(),
            needed_by: hex(&self.needed_by),
            within: String::new(),
        }
    }
}

/// Whether a remote may have promised what is missing: that its objects are complete over there.
pub fn has_promises(sources: &Sources) -> bool {
    sources.list.packs.iter().any(|pack| pack.promisor)
}

/// Whether object `id` came from a remote that promises whatever it refers to.
pub(super) fn promises(sources: &Sources, catalog: &Catalog, id: u32) -> bool {
    let promising = |pack: usize| sources.list.packs[pack].promisor;
    if let Location::Pack { pack, .. } = catalog.location(id)
        && promising(usize::from(pack))
    {
        return true;
    }
    let oid = gix_hash::ObjectId::Sha1(catalog.oid(sources, id));
    (0..sources.packs.len())
        .any(|pack| promising(pack) && sources.packs[pack].index.lookup(oid).is_some())
}

impl Scan {
    /// What the `included` objects refer to and is not there, by id.
    ///
    /// Whatever else is wrong with these objects is an error.
    pub fn gaps(
        &self,
        universe: &Universe,
        included: impl Fn(u32) -> bool,
        stop: &AtomicBool,
    ) -> Result<Vec<Gap>, ScanError> {
        let (sources, catalog) = (&universe.sources, &universe.catalog);
        let mut faults = self.faults().clone();
        faults.sort_unstable();
        let damaged = faults.iter().filter(|(_, fault)| *fault == Fault::Damaged);
        let damaged = damaged.map(|(id, _)| *id).chain(universe.shape.damaged());
        if let Some(id) = damaged.filter(|id| included(*id)).min() {
            return Err(diagnose(universe, id));
        }
        let broken = faults.iter().filter(|(_, fault)| *fault == Fault::Broken);
        let broken = broken.map(|(id, _)| *id);
        // Any object that a remote sent can tell that something is promised.
        let mut trees = Vec::new();
        let mut found = Found {
            universe,
            reader: Reader::new(sources, catalog),
            gaps: BTreeMap::new(),
        };
        let mut content = Vec::new();
        for id in broken {
            let needed = included(id);
            if !needed && !promises(sources, catalog, id) {
                continue;
            }
            if universe.shape.kind(id) == Kind::Tree {
                trees.push(id);
            } else {
                found.reader.object(id, &mut content)?;
                found.look(id, &content, needed)?;
            }
        }
        read_along(universe, &trees, stop, |id, content| {
            found.look(id, content, included(id))
        })?;
        let mut gaps = Vec::new();
        for (oid, (needed_by, promised)) in found.gaps {
            let Some(by) = needed_by else {
                continue;
            };
            if let Some(damage) = sources.damage(&oid) {
                return Err(damage.into());
            }
            gaps.push(Gap {
                oid,
                needed_by: catalog.oid(sources, by),
                kind: universe.shape.kind(by),
                promised,
            });
        }
        Ok(gaps)
    }
}

struct Found<'a> {
    universe: &'a Universe,
    reader: Reader<'a>,
    /// For each missing object the first included one that needs it, and whether it is promised.
    gaps: BTreeMap<Oid, (Option<u32>, bool)>,
}

impl Found<'_> {
    fn look(&mut self, id: u32, content: &[u8], needed: bool) -> Result<(), ScanError> {
        let universe = self.universe;
        let kind = universe.shape.kind(id);
        let cut = universe.shallow.contains(&id);
        let promised = promises(&universe.sources, &universe.catalog, id);
        let mut wrong = None;
        links::of(kind, content, |link| {
            if cut && link.1 == Kind::Commit {
                return;
            }
            if self.reader.find(&link.0) == NONE {
                let gap = self.gaps.entry(link.0).or_default();
                gap.1 |= promised;
                if needed {
                    gap.0 = Some(gap.0.map_or(id, |by| by.min(id)));
                }
            } else if needed && wrong.is_none() {
                wrong = fault(universe, &self.reader, (id, kind), link);
            }
        })
        .map_err(|why| self.reader.damaged(id, why))?;
        wrong.map_or(Ok(()), Err)
    }
}
