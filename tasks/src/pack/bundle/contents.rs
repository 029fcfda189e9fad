//! What a bundle holds, and what it presupposes.
//!
//! With `N` all that the excluded revisions reach:
//!
//! - A ref to a commit or tag in `N` is left out of the bundle, as Git does it.
//! - The *prerequisites* are the commits in `N` to which a commit outside of `N`, or a tag, refers
//!   that the other refs reach.
//! - Left out are the objects that the prerequisites reach, and no others.
//!
//! *The bundle is complete for every reader who has the prerequisites.* Take an object `x` that a
//! bundled ref reaches and that is not in the bundle: a prerequisite reaches it, so the reader has
//! it. *And nothing is left out that could not be.* An object in `N` that no prerequisite reaches
//! may be unknown to a reader who has just the prerequisites: a blob of an unrelated branch, say,
//! that a new commit happens to have too. It is in the bundle. A commit in `N` that a bundled ref
//! reaches is never such an object: the first commit in `N` on a way to it is a prerequisite.

use std::sync::atomic::AtomicBool;

use gix::bstr::BString;
use gix_hash::ObjectId;

use super::{
    BundleError,
    choice::ALL_EXCLUDED,
    header::{self, Prerequisite},
};
use crate::pack::{
    scan::{Reached, Scan, ScanError, Universe, explain, links},
    source::{Kind, NONE, Oid, Reader},
};

/// The objects of a bundle.
pub(super) struct Contents<'a> {
    universe: &'a Universe,
    reached: Reached,
    /// What the prerequisites reach; tags do not count.
    guaranteed: Option<Reached>,
}

impl Contents<'_> {
    /// Whether the object goes into the bundle.
    pub(super) fn has(&self, id: u32) -> bool {
        self.reached.has(id) && !self.guarantees(id)
    }

    /// Whether every reader of the bundle has the object already.
    pub(super) fn guarantees(&self, id: u32) -> bool {
        let guaranteed = self.guaranteed.as_ref();
        // Commits reach no tags.
        guaranteed.is_some_and(|set| set.has(id)) && self.universe.shape.kind(id) != Kind::Tag
    }

    /// Whether all that the bundle's objects refer to is there.
    fn check(&self, scan: &Scan, tips: &[u32], stop: &AtomicBool) -> Result<(), ScanError> {
        let (universe, sources) = (self.universe, &self.universe.sources);
        let checked = scan.check(universe, |id| self.has(id));
        checked.map_err(|error| explain(sources, &universe.catalog, tips, error, stop))
    }
}

/// A bundle, but for the bytes.
pub(super) struct Chosen<'a> {
    pub(super) contents: Contents<'a>,
    pub(super) refs: Vec<(BString, ObjectId)>,
    /// The refs that are not listed, since what they point to is excluded.
    pub(super) left_out: Vec<BString>,
    pub(super) prerequisites: Vec<Prerequisite>,
}

/// Decides what the bundle of `refs` holds, with `basis` (commits, and tags of commits) excluded.
pub(super) fn choose<'a>(
    universe: &'a Universe,
    scan: &Scan,
    mut refs: Vec<(BString, ObjectId)>,
    basis: &[ObjectId],
    stop: &AtomicBool,
) -> Result<Chosen<'a>, BundleError> {
    let mut ids = Vec::with_capacity(refs.len());
    for (name, id) in &refs {
        ids.push(find(universe, name, id)?);
    }
    if basis.is_empty() {
        let reached = Reached::of(universe, scan, &ids, stop)?;
        let contents = Contents {
            universe,
            reached,
            guaranteed: None,
        };
        contents.check(scan, &ids, stop)?;
        return Ok(Chosen {
            contents,
            refs,
            left_out: Vec::new(),
            prerequisites: Vec::new(),
        });
    }
    let mut excluding = Vec::with_capacity(basis.len());
    for id in basis {
        excluding.push(find(universe, &BString::from(format!("^{id}")), id)?);
    }
    let excluded = Reached::of(universe, scan, &excluding, stop)?;
    let has_history = |id: u32| matches!(universe.shape.kind(id), Kind::Commit | Kind::Tag);
    let goes = |id: u32| excluded.has(id) && has_history(id);
    let left_out = refs.iter().zip(&ids).filter(|(_, id)| goes(**id));
    let left_out = left_out.map(|((name, _), _)| name.clone()).collect();
    let mut kept = ids.iter().map(|id| !goes(*id));
    refs.retain(|_| kept.next().unwrap_or(false));
    ids.retain(|id| !goes(*id));
    if refs.is_empty() {
        return Err(BundleError::Empty(ALL_EXCLUDED));
    }
    let reached = Reached::of(universe, scan, &ids, stop)?;
    let required = boundary(universe, &reached, &excluded)?;
    let is_commit = |id: &&u32| universe.shape.kind(**id) == Kind::Commit;
    let mut commits = excluding.iter().filter(is_commit);
    let guaranteed = if commits.all(|id| required.binary_search(id).is_ok()) {
        // Nothing was excluded that no prerequisite reaches.
        excluded
    } else {
        Reached::of(universe, scan, &required, stop)?
    };
    let contents = Contents {
        universe,
        reached,
        guaranteed: Some(guaranteed),
    };
    contents.check(scan, &ids, stop)?;
    Ok(Chosen {
        contents,
        refs,
        left_out,
        prerequisites: described(universe, &required)?,
    })
}

/// The number of the object that `name` points to.
fn find(universe: &Universe, name: &BString, id: &ObjectId) -> Result<u32, ScanError> {
    let oid = bytes(id);
    let found = universe.catalog.find(&universe.sources, &oid);
    found.ok_or_else(|| {
        let damage = universe.sources.damage(&oid).map(ScanError::from);
        damage.unwrap_or(ScanError::MissingTip {
            name: name.to_string(),
            id: id.to_string(),
        })
    })
}

fn bytes(id: &ObjectId) -> Oid {
    let mut oid = [0; 20];
    oid.copy_from_slice(id.as_slice());
    oid
}

/// The excluded commits that what remains of the history refers to, sorted.
fn boundary(
    universe: &Universe,
    reached: &Reached,
    excluded: &Reached,
) -> Result<Vec<u32>, ScanError> {
    let mut reader = Reader::new(&universe.sources, &universe.catalog);
    let (mut required, mut content) = (Vec::new(), Vec::new());
    for id in 0..universe.catalog.len() {
        let kind = universe.shape.kind(id);
        let remains = match kind {
            Kind::Commit => !excluded.has(id),
            Kind::Tag => true,
            Kind::Tree | Kind::Blob => false,
        };
        if !remains || !reached.has(id) {
            continue;
        }
        reader.object(id, &mut content)?;
        let parsed = links::of(kind, &content, |(oid, kind)| {
            let target = reader.find(&oid);
            if kind == Kind::Commit && target != NONE && excluded.has(target) {
                required.push(target);
            }
        });
        parsed.map_err(|why| reader.damaged(id, why))?;
    }
    required.sort_unstable();
    required.dedup();
    Ok(required)
}

fn described(universe: &Universe, commits: &[u32]) -> Result<Vec<Prerequisite>, ScanError> {
    let mut reader = Reader::new(&universe.sources, &universe.catalog);
    let (mut described, mut content) = (Vec::new(), Vec::new());
    for id in commits {
        reader.object(*id, &mut content)?;
        described.push(Prerequisite {
            id: ObjectId::Sha1(reader.oid(*id)),
            subject: header::subject(&content),
        });
    }
    Ok(described)
}
