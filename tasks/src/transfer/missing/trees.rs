//! The trees of the history, and the blobs in them.
//!
//! Two trees that follow each other at one path have most entries in common. What was looked up
//! for the last tree at a path is not looked up again: the entries in which the bytes are the same
//! are skipped, and a tree costs what is new in it.

use gix_hash::ObjectId;

use super::{
    Missing, MissingError, Near, Start,
    error::Referrer,
    history::Pending,
    near::Notes,
    objects::{Objects, check},
    paths::{Paths, ROOT},
};
use crate::pack::{
    scan::{
        level::{Changes, Copied, Level},
        links,
    },
    source::Kind,
};

/// What the last trees at all paths may take.
const LAST: usize = 64 << 20;

/// So many root trees before a gap are told of.
const WHOLE: usize = 4;

/// Walks the trees; what is missing of them and in them is put into `found`.
pub(super) fn walk(
    objects: &mut Objects<'_>,
    pending: Pending,
    start: &Start,
    found: &mut Missing,
) -> Result<(), MissingError> {
    for tree in pending.whole {
        skip(objects, tree)?;
    }
    let mut walk = Walk {
        objects,
        promised: start.promised,
        near: (start.near != Near::No).then(Notes::default),
        paths: Paths::new(),
        last: Last::default(),
        stack: Vec::new(),
        below: Vec::new(),
        blobs: found.blobs.drain(..).map(|id| (id, ROOT)).collect(),
    };
    let mut gap = !walk.blobs.is_empty();
    for (root, by) in pending.trees {
        if walk.objects.meet(root, Kind::Tree, by)? && !walk.below(root, by)? {
            found.trees.push(root);
            if let Some(near) = &mut walk.near {
                near.missing(ROOT);
            }
        }
        if !gap {
            gap = !found.trees.is_empty() || !walk.below.is_empty() || !walk.blobs.is_empty();
            // Where blobs may be missing, nobody knows what is whole.
            if !gap && !start.promised {
                found.whole.push(root);
            }
        }
    }
    found.whole.drain(..found.whole.len().saturating_sub(WHOLE));
    found.roots = found.trees.len();
    found.trees.append(&mut walk.below);
    found.blobs = walk.in_order();
    if let Some(near) = walk.near.take()
        && !found.trees.is_empty()
    {
        found.near = near.end(walk.objects, start.near)?;
    }
    // A tip may be known under its kind by now.
    let mut tips = pending.tips;
    tips.sort_unstable();
    tips.dedup();
    tips.retain(|tip| !walk.objects.was_met(tip));
    found.others.append(&mut tips);
    Ok(())
}

/// Notes everything below a tree that is known to be whole.
fn skip(objects: &mut Objects<'_>, tree: ObjectId) -> Result<(), MissingError> {
    let (mut pending, mut content) = (vec![tree], Vec::new());
    while let Some(id) = pending.pop() {
        if objects.was_met(&id) || objects.get(id, &mut content)?.is_none() {
            continue;
        }
        objects.note(id, Kind::Tree);
        let mut at = 0;
        while at < content.len() {
            // A tree that makes no sense is told of where it is needed.
            let Ok(entry) = links::tree_entry(&content, at) else {
                break;
            };
            at = entry.end;
            match entry.link {
                Some((id, Kind::Tree)) => pending.push(ObjectId::Sha1(id)),
                Some((id, kind)) => objects.note(ObjectId::Sha1(id), kind),
                None => {}
            }
        }
    }
    Ok(())
}

struct Walk<'w, 'a> {
    objects: &'w mut Objects<'a>,
    promised: bool,
    near: Option<Notes>,
    paths: Paths,
    last: Last,
    /// Trees that were met and not looked into, their paths, and what refers to them.
    stack: Vec<(ObjectId, u32, ObjectId)>,
    /// Trees that are missing and no root.
    below: Vec<ObjectId>,
    /// Blobs that are missing, and their paths, in the order of the history.
    blobs: Vec<(ObjectId, u32)>,
}

impl Walk<'_, '_> {
    /// Looks into a root tree and everything below it; false if it is not there.
    fn below(&mut self, root: ObjectId, by: Referrer) -> Result<bool, MissingError> {
        if !self.tree(root, ROOT, by)? {
            return Ok(false);
        }
        while let Some((id, path, by)) = self.stack.pop() {
            if !self.tree(id, path, Referrer::Object(Kind::Tree, by))? {
                self.below.push(id);
                if let Some(near) = &mut self.near {
                    near.missing(path);
                }
            }
        }
        Ok(true)
    }

    /// Looks into one tree, and puts the trees in it on the stack; false if it is not there.
    fn tree(&mut self, id: ObjectId, path: u32, by: Referrer) -> Result<bool, MissingError> {
        let mut level = std::mem::take(&mut self.last.spare);
        level.clear();
        if !self.objects.read(id, Kind::Tree, by, &mut level.raw)? {
            self.last.spare = level;
            return Ok(false);
        }
        let malformed = |why| MissingError::Malformed {
            id,
            kind: Kind::Tree.name(),
            by,
            why,
        };
        let base = self.last.take(path);
        let (mut copies, mut changes) = (Vec::new(), Changes::default());
        alike(&base, &level.raw, &mut copies);
        let first = self.stack.len();
        let looked = level.derive(&base, &copies, &mut changes, |raw, at| {
            let entry = links::tree_entry(raw, at).map_err(malformed)?;
            let end = u32::try_from(entry.end);
            let end = end.map_err(|_| malformed("a tree of more than 4 GiB"))?;
            if let Some((target, kind)) = entry.link {
                let by = Referrer::Object(Kind::Tree, id);
                let target = ObjectId::Sha1(target);
                if self.objects.meet(target, kind, by)? {
                    if kind == Kind::Tree {
                        let path = self.paths.within(path, entry.name);
                        self.stack.push((target, path, id));
                    } else if !self.has_blob(target, by)? {
                        let path = self.paths.within(path, entry.name);
                        self.blobs.push((target, path));
                    }
                }
            }
            Ok((0, end))
        });
        looked?;
        self.stack[first..].reverse();
        if let Some(near) = &mut self.near {
            near.there(id, path);
        }
        self.last.put(path, level);
        self.last.spare = base;
        Ok(true)
    }

    /// Whether a blob is there, or need not be.
    fn has_blob(&mut self, id: ObjectId, by: Referrer) -> Result<bool, MissingError> {
        self.objects.look()?;
        match self.objects.kind(&id, by)? {
            Some(kind) => check(id, kind, Kind::Blob, by).map(|()| true),
            None => Ok(self.promised),
        }
    }

    /// The missing blobs in the order in which to ask for them.
    fn in_order(&mut self) -> Vec<ObjectId> {
        let places = self.paths.places();
        let mut blobs = std::mem::take(&mut self.blobs);
        blobs.sort_by_key(|(_, path)| places[*path as usize]);
        blobs.into_iter().map(|(id, _)| id).collect()
    }
}

/// The last tree at each path.
#[derive(Default)]
struct Last {
    trees: Vec<Option<Level>>,
    bytes: usize,
    spare: Level,
}

impl Last {
    fn take(&mut self, path: u32) -> Level {
        let tree = self.trees.get_mut(path as usize).and_then(Option::take);
        let tree = tree.unwrap_or_default();
        self.bytes -= size(&tree);
        tree
    }

    fn put(&mut self, path: u32, tree: Level) {
        if self.bytes > LAST {
            *self = Self::default();
        }
        let at = path as usize;
        if self.trees.len() <= at {
            self.trees.resize_with(at + 1, || None);
        }
        self.bytes += size(&tree);
        self.trees[at] = Some(tree);
    }
}

/// What a tree takes, about: its bytes, and two numbers for each entry.
fn size(tree: &Level) -> usize {
    tree.raw.len() + 8 * tree.ends.len()
}

/// Finds what a tree has in common with the last one at its path.
///
/// Entries that begin and end alike are found wherever those before them have kept their lengths,
/// and at the end: so a changed entry costs no more than itself.
fn alike(last: &Level, raw: &[u8], copies: &mut Vec<Copied>) {
    let mut at = 0;
    while at < raw.len() {
        let n = common(&last.raw[at.min(last.raw.len())..], &raw[at..]);
        if n > 0 {
            copies.push((at, at, n));
        }
        // The entry that differs, if it is as long as the one in its place.
        let index = last.ends.partition_point(|end| *end as usize <= at + n);
        let end = last.ends.get(index).map(|end| *end as usize);
        match end {
            Some(end) if links_end(raw, index, last) == Some(end) => at = end,
            _ => {
                at += n;
                break;
            }
        }
    }
    let rest = (
        &last.raw[at.min(last.raw.len())..],
        &raw[at.min(raw.len())..],
    );
    let n = common_end(rest.0, rest.1);
    if n > 0 {
        copies.push((raw.len() - n, last.raw.len() - n, n));
    }
}

/// Where the entry of `raw` ends that stands where entry `index` of the last tree stands.
fn links_end(raw: &[u8], index: usize, last: &Level) -> Option<usize> {
    let start = index
        .checked_sub(1)
        .map_or(0, |before| last.ends[before] as usize);
    links::tree_entry(raw, start).ok().map(|entry| entry.end)
}

const STRIDE: usize = 64;

/// How many bytes two slices begin with alike.
fn common(a: &[u8], b: &[u8]) -> usize {
    let strides = a.chunks_exact(STRIDE).zip(b.chunks_exact(STRIDE));
    let at = STRIDE * strides.take_while(|(a, b)| a == b).count();
    let rest = a[at..].iter().zip(&b[at..]);
    at + rest.take_while(|(a, b)| a == b).count()
}

/// How many bytes two slices end with alike.
fn common_end(a: &[u8], b: &[u8]) -> usize {
    let strides = a.rchunks_exact(STRIDE).zip(b.rchunks_exact(STRIDE));
    let n = STRIDE * strides.take_while(|(a, b)| a == b).count();
    let rest = a[..a.len() - n]
        .iter()
        .rev()
        .zip(b[..b.len() - n].iter().rev());
    n + rest.take_while(|(a, b)| a == b).count()
}
