//! The comparison of three trees, path by path.

use std::collections::BTreeMap;

use gix::bstr::{BStr, BString, ByteSlice as _, ByteVec as _};
use gix::objs::tree::EntryMode;
use gix::objs::{FindExt as _, Tree, TreeRefIter, Write as _, tree};
use gix_hash::ObjectId;

use super::attributes::Attributes;
use super::content;
use super::error::EngineError;

/// Deeper trees are left to Git.
const DEEPEST: usize = 500;

/// What one tree has under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    mode: EntryMode,
    id: ObjectId,
}

/// The entries of base, ours and theirs under one name.
type Versions = [Option<Entry>; 3];

/// What becomes of a path.
enum Merged<T> {
    /// There is this under it, or nothing.
    Is(Option<T>),
    /// That is not for us to say.
    Unsure,
}

/// A comparison on its way.
pub(super) struct Walk<'a> {
    pub(super) repository: &'a gix::Repository,
    pub(super) attributes: &'a mut Attributes,
    /// The files of which the content was merged, by path.
    pub(super) merged: Vec<BString>,
}

/// What both sides did in one directory.
#[derive(Default)]
struct Done {
    added: [bool; 2],
    deleted: [bool; 2],
}

impl Done {
    /// Whether a file may have been renamed by one side, and be followed by one that the other added.
    const fn may_follow(&self) -> bool {
        (self.added[0] && self.deleted[1]) || (self.added[1] && self.deleted[0])
    }

    /// Counts what a side made of an entry that the other left alone.
    fn count(&mut self, side: usize, base: Option<Entry>, now: Option<Entry>) {
        let is_file = |entry: Option<Entry>| entry.is_some_and(|entry| !entry.mode.is_tree());
        if is_file(base) && !is_file(now) {
            self.deleted[side] = true;
        }
        if is_file(now) && !is_file(base) {
            self.added[side] = true;
        }
    }
}

impl Walk<'_> {
    /// The merged tree; none if this is not for us to say. The trees differ.
    pub(super) fn root(&mut self, trees: [ObjectId; 3]) -> Result<Option<ObjectId>, EngineError> {
        let lists = self.lists(trees.map(Some))?;
        let Some(lists) = lists else { return Ok(None) };
        // All of it may have been moved into a directory.
        let is_gone = |side: &BTreeMap<BString, Entry>| {
            !lists[0].is_empty() && !lists[0].keys().any(|name| side.contains_key(name))
        };
        if is_gone(&lists[1]) || is_gone(&lists[2]) {
            return Ok(None);
        }
        let mut path = BString::default();
        match self.directory(&lists, trees.map(Some), &mut path, 0)? {
            Merged::Is(Some(tree)) => Ok(Some(tree)),
            Merged::Is(None) => Ok(Some(self.write(&Tree::default())?)),
            Merged::Unsure => Ok(None),
        }
    }

    /// The tree of a directory that both sides changed.
    fn directory(
        &mut self,
        lists: &[BTreeMap<BString, Entry>; 3],
        trees: [Option<ObjectId>; 3],
        path: &mut BString,
        depth: usize,
    ) -> Result<Merged<ObjectId>, EngineError> {
        if depth > DEEPEST {
            return Ok(Merged::Unsure);
        }
        let mut names: Vec<&BString> = lists.iter().flat_map(BTreeMap::keys).collect();
        names.sort_unstable();
        names.dedup();
        let (mut entries, mut done) = (Vec::new(), Done::default());
        let length = path.len();
        for name in names {
            let versions = [0, 1, 2].map(|side| lists[side].get(name).copied());
            if length > 0 {
                path.push(b'/');
            }
            path.push_str(name);
            let merged = self.entry(versions, &mut done, path, depth)?;
            path.truncate(length);
            match merged {
                Merged::Unsure => return Ok(Merged::Unsure),
                Merged::Is(None) => {}
                Merged::Is(Some(entry)) => entries.push(tree::Entry {
                    mode: entry.mode,
                    filename: name.clone(),
                    oid: entry.id,
                }),
            }
        }
        if done.may_follow() {
            return Ok(Merged::Unsure);
        }
        if entries.is_empty() {
            return Ok(Merged::Is(None));
        }
        entries.sort();
        // Most often it is what one side had.
        for side in [1, 2] {
            if entries.len() == lists[side].len()
                && entries.iter().all(|entry| {
                    lists[side].get(&entry.filename)
                        == Some(&Entry {
                            mode: entry.mode,
                            id: entry.oid,
                        })
                })
            {
                return Ok(Merged::Is(trees[side]));
            }
        }
        Ok(Merged::Is(Some(self.write(&Tree { entries })?)))
    }

    /// What becomes of one name.
    fn entry(
        &mut self,
        versions: Versions,
        done: &mut Done,
        path: &mut BString,
        depth: usize,
    ) -> Result<Merged<Entry>, EngineError> {
        let [base, ours, theirs] = versions;
        if base == ours {
            done.count(1, base, theirs);
            return Ok(Merged::Is(theirs));
        }
        if base == theirs {
            done.count(0, base, ours);
            return Ok(Merged::Is(ours));
        }
        // Both changed it; a path that is gone on one side may have been renamed.
        let (Some(our), Some(their)) = (ours, theirs) else {
            return Ok(Merged::Unsure);
        };
        if our.mode.is_tree() && their.mode.is_tree() {
            if base.is_some_and(|base| !base.mode.is_tree()) {
                return Ok(Merged::Unsure);
            }
            let trees = versions.map(|entry| entry.map(|entry| entry.id));
            let Some(lists) = self.lists(trees)? else {
                return Ok(Merged::Unsure);
            };
            let tree = self.directory(&lists, trees, path, depth + 1)?;
            let mode = our.mode;
            return Ok(match tree {
                Merged::Is(tree) => Merged::Is(tree.map(|id| Entry { mode, id })),
                Merged::Unsure => Merged::Unsure,
            });
        }
        let Some(base) = base.filter(|base| base.mode.is_no_tree()) else {
            return Ok(Merged::Unsure);
        };
        if our == their {
            return Ok(Merged::Is(ours));
        }
        let is_plain = base.mode.is_blob() && base.mode == our.mode && base.mode == their.mode;
        if !is_plain {
            return Ok(Merged::Unsure);
        }
        let id = self.content([base.id, our.id, their.id], path.as_bstr())?;
        let mode = base.mode;
        Ok(id.map_or(Merged::Unsure, |id| Merged::Is(Some(Entry { mode, id }))))
    }

    /// The merged content of a file.
    fn content(
        &mut self,
        ids: [ObjectId; 3],
        path: &BStr,
    ) -> Result<Option<ObjectId>, EngineError> {
        if !self.attributes.allow_text(self.repository, path)? {
            return Ok(None);
        }
        let mut buffers = [Vec::new(), Vec::new(), Vec::new()];
        for (id, buffer) in ids.iter().zip(&mut buffers) {
            let found = self.repository.objects.find_blob(id, buffer);
            found.map_err(EngineError::object)?;
        }
        let [base, ours, theirs] = &buffers;
        let Some(merged) = content::merge(base, ours, theirs) else {
            return Ok(None);
        };
        let kind = gix::object::Kind::Blob;
        let written = self.repository.objects.write_buf(kind, &merged);
        self.merged.push(path.to_owned());
        Ok(Some(written.map_err(EngineError::object)?))
    }

    /// The entries of three trees; none if one of them is no tree that Git would write.
    fn lists(
        &mut self,
        trees: [Option<ObjectId>; 3],
    ) -> Result<Option<[BTreeMap<BString, Entry>; 3]>, EngineError> {
        let mut lists = [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()];
        for (list, tree) in lists.iter_mut().zip(trees) {
            let Some(tree) = tree else { continue };
            if !self.list(tree, list)? {
                return Ok(None);
            }
        }
        Ok(Some(lists))
    }

    fn list(
        &self,
        tree: ObjectId,
        list: &mut BTreeMap<BString, Entry>,
    ) -> Result<bool, EngineError> {
        if tree.is_empty_tree() {
            return Ok(true);
        }
        let mut buffer = Vec::new();
        let entries: TreeRefIter<'_> = self
            .repository
            .objects
            .find_tree_iter(&tree, &mut buffer)
            .map_err(EngineError::object)?;
        for entry in entries {
            let entry = entry.map_err(EngineError::object)?;
            let is_usual = matches!(
                entry.mode.value(),
                0o040_000 | 0o100_644 | 0o100_755 | 0o120_000 | 0o160_000
            );
            let id = entry.oid.to_owned();
            if !is_usual || (entry.mode.is_tree() && id.is_empty_tree()) {
                return Ok(false);
            }
            let mode = entry.mode;
            if list
                .insert(entry.filename.to_owned(), Entry { mode, id })
                .is_some()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn write(&self, tree: &Tree) -> Result<ObjectId, EngineError> {
        let written = self.repository.objects.write(tree);
        written.map_err(EngineError::object)
    }
}
