//! Which commit needs an object that is missing, and as what.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use gix_hash::ObjectId;

use super::{ScanError, Set, links};
use crate::pack::source::{Catalog, Kind, NONE, Oid, Reader, Sources, hex};

/// Adds to the error that an object is missing which commit needs it, and at what path.
///
/// This walks from `tips` until it comes upon the object. `stop` ends the search, with the error as
/// it was.
pub fn explain(
    sources: &Sources,
    catalog: &Catalog,
    tips: &[u32],
    error: ScanError,
    stop: &AtomicBool,
) -> ScanError {
    let ScanError::Missing { id, .. } = &error else {
        return error;
    };
    let Ok(ObjectId::Sha1(wanted)) = ObjectId::from_hex(id.as_bytes()) else {
        return error;
    };
    let mut search = Search {
        catalog,
        sources,
        reader: Reader::new(sources, catalog),
        seen: Set::new(catalog.len()),
        wanted,
        stop,
    };
    search.run(tips).unwrap_or(error)
}

struct Search<'a> {
    sources: &'a Sources,
    catalog: &'a Catalog,
    reader: Reader<'a>,
    seen: Set,
    wanted: Oid,
    stop: &'a AtomicBool,
}

/// A tree that is to be looked into, and the path that leads to it.
type Pending = (u32, Vec<u8>);

impl Search<'_> {
    fn run(&mut self, tips: &[u32]) -> Option<ScanError> {
        let mut heads: Vec<u32> = tips.to_vec();
        let mut content = Vec::new();
        while let Some(id) = heads.pop() {
            if self.stop.load(Relaxed) {
                return None;
            }
            if !self.seen.put(id) {
                continue;
            }
            let kind = self.reader.kind(id).ok()?;
            if kind == Kind::Tree {
                let found = self.tree(id, Vec::new());
                if let Some((by, path)) = found {
                    return Some(self.missing(Kind::Tree, by, None, &path));
                }
                continue;
            }
            self.reader.object(id, &mut content).ok()?;
            let (mut links, cut) = (Vec::new(), self.is_shallow(id));
            links::of(kind, &content, |link| links.push(link)).ok()?;
            // The tree first: it is what the commit is about.
            for (oid, expected) in links {
                if cut && expected == Kind::Commit {
                    continue;
                }
                let target = self.reader.find(&oid);
                if oid == self.wanted {
                    return Some(self.missing(kind, id, None, b""));
                }
                if target == NONE {
                    continue;
                }
                if expected != Kind::Tree {
                    heads.push(target);
                } else if self.seen.put(target)
                    && let Some((by, path)) = self.tree(target, Vec::new())
                {
                    let commit = (kind == Kind::Commit).then_some(id);
                    return Some(self.missing(Kind::Tree, by, commit, &path));
                }
            }
        }
        None
    }

    /// The tree at or below `root` that needs the object, and the path to that.
    fn tree(&mut self, root: u32, path: Vec<u8>) -> Option<(u32, Vec<u8>)> {
        let mut pending: Vec<Pending> = vec![(root, path)];
        let mut content = Vec::new();
        while let Some((id, path)) = pending.pop() {
            if self.stop.load(Relaxed) {
                return None;
            }
            self.reader.object(id, &mut content).ok()?;
            let mut at = 0;
            while at < content.len() {
                let entry = links::tree_entry(&content, at).ok()?;
                at = entry.end;
                let Some((oid, kind)) = entry.link else {
                    continue;
                };
                let below = || [&path, entry.name].concat();
                if oid == self.wanted {
                    return Some((id, below()));
                }
                match self.reader.find(&oid) {
                    NONE => {}
                    target if kind == Kind::Tree && self.seen.put(target) => {
                        pending.push((target, [&below(), &b"/"[..]].concat()));
                    }
                    _ => {}
                }
            }
        }
        None
    }

    fn missing(&self, kind: Kind, by: u32, commit: Option<u32>, path: &[u8]) -> ScanError {
        let name = |id| hex(&self.catalog.oid(self.sources, id));
        let path = String::from_utf8_lossy(path);
        ScanError::Missing {
            id: hex(&self.wanted),
            kind: kind.name(),
            needed_by: name(by),
            within: match commit {
                Some(commit) => format!(" (in commit {}, as {path:?})", name(commit)),
                None => String::new(),
            },
        }
    }

    fn is_shallow(&self, id: u32) -> bool {
        let oid = self.catalog.oid(self.sources, id);
        self.sources.list.shallow.contains(&oid)
    }
}
