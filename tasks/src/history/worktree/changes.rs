//! What differs between two trees, file by file.

use std::collections::{BTreeMap, HashSet};

use gix::bstr::{BStr, BString};
use gix::index::entry::Mode;
use gix::prelude::FindExt as _;
use gix::validate::path::component::Options;
use gix_hash::ObjectId;

use crate::checkout::{Refusal, check_name, protect};

/// Git's own limit (`core.maxTreeDepth`).
const DEEPEST: usize = 2_048;
const TREE: u16 = 0o040_000;

/// What a tree or the index has at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::history) struct Side {
    pub(in crate::history) mode: Mode,
    pub(in crate::history) id: ObjectId,
}

/// A path that is to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::history) struct Change {
    pub(in crate::history) path: BString,
    pub(in crate::history) old: Option<Side>,
    pub(in crate::history) new: Option<Side>,
    /// Whether there is something to do in the working tree.
    pub(super) file: bool,
    /// Whether the path is outside of a sparse checkout.
    pub(super) sparse: bool,
}

/// An entry's mode and object, on either side.
#[derive(Default)]
struct Pair {
    old: Option<(u16, ObjectId)>,
    new: Option<(u16, ObjectId)>,
}

struct Pending {
    path: BString,
    depth: usize,
    old: Option<ObjectId>,
    new: Option<ObjectId>,
}

/// The changes from one tree to another, with the names that the repository allows.
pub(in crate::history) fn changes(
    repository: &gix::Repository,
    from: ObjectId,
    to: ObjectId,
) -> Result<Vec<Change>, Refusal> {
    between(repository, from, to, protect(repository))
}

/// The changes from the tree `from` to the tree `to`, sorted by path. What comes new is looked at: a tree
/// that could write elsewhere, or one thing over another, is refused.
pub(super) fn between(
    repository: &gix::Repository,
    from: ObjectId,
    to: ObjectId,
    protect: Options,
) -> Result<Vec<Change>, Refusal> {
    let mut changes = Vec::new();
    let mut pending = vec![Pending {
        path: BString::default(),
        depth: 0,
        old: Some(from),
        new: Some(to),
    }];
    let mut buffer = Vec::new();
    while let Some(dir) = pending.pop() {
        if dir.old == dir.new {
            continue;
        }
        if dir.depth > DEEPEST {
            return Err(Refusal::TooDeep { most: 2_048 });
        }
        for ((name, is_tree), pair) in pairs(repository, &dir, &mut buffer)? {
            if pair.old == pair.new {
                continue;
            }
            let path = join(&dir.path, name.as_ref());
            if let Some((mode, _)) = pair.new {
                let link = mode & 0o170_000 == 0o120_000;
                if let Err(reason) = check_name(name.as_ref(), link, protect) {
                    return Err(Refusal::Path { path, reason });
                }
            }
            if is_tree {
                pending.push(Pending {
                    path,
                    depth: dir.depth + 1,
                    old: pair.old.map(|(_, id)| id),
                    new: pair.new.map(|(_, id)| id),
                });
                continue;
            }
            let old = pair.old.map(|it| side(&path, it)).transpose()?;
            let new = pair.new.map(|it| side(&path, it)).transpose()?;
            if old != new {
                changes.push(Change {
                    path,
                    old,
                    new,
                    file: true,
                    sparse: false,
                });
            }
        }
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

/// What both sides have in a directory, by name, files and directories apart.
fn pairs(
    repository: &gix::Repository,
    dir: &Pending,
    buffer: &mut Vec<u8>,
) -> Result<BTreeMap<(BString, bool), Pair>, Refusal> {
    let mut pairs = BTreeMap::<(BString, bool), Pair>::new();
    for (is_new, tree) in [(false, dir.old), (true, dir.new)] {
        let Some(tree) = tree.filter(|id| !id.is_empty_tree()) else {
            continue;
        };
        let unreadable = |reason: String| Refusal::Tree { oid: tree, reason };
        let entries = repository
            .objects
            .find_tree_iter(&tree, buffer)
            .map_err(|error| unreadable(error.to_string()))?;
        let mut names = HashSet::new();
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(error.to_string()))?;
            if !names.insert(entry.filename) {
                let path = join(&dir.path, entry.filename);
                return Err(Refusal::Twice { path });
            }
            let mode = entry.mode.value();
            let key = (entry.filename.to_owned(), mode & 0o170_000 == TREE);
            let pair = pairs.entry(key).or_default();
            let found = Some((mode, entry.oid.to_owned()));
            if is_new {
                pair.new = found;
            } else {
                pair.old = found;
            }
        }
    }
    Ok(pairs)
}

fn side(path: &BString, (mode, id): (u16, ObjectId)) -> Result<Side, Refusal> {
    let mode = match mode & 0o170_000 {
        0o100_000 if mode & 0o100 != 0 => Mode::FILE_EXECUTABLE,
        0o100_000 => Mode::FILE,
        0o120_000 => Mode::SYMLINK,
        0o160_000 => Mode::COMMIT,
        _ => {
            let path = path.clone();
            return Err(Refusal::Mode { path, mode });
        }
    };
    Ok(Side { mode, id })
}

fn join(dir: &BString, name: &BStr) -> BString {
    let mut path = dir.clone();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
