//! What a commit has at a new place and its parents have at another one.
//!
//! Files that are moved or copied are found, as git finds them, in the directories that changed, and
//! in those that are gone: the other side has them.

use gix::hashtable::HashSet;
use gix::objs::{TreeRefIter, tree::EntryRef};
use gix_hash::ObjectId;

use super::store::Store;
use crate::pack::source::Kind;

/// Where to look.
#[derive(Default)]
pub(super) struct Elsewhere {
    /// Trees of the parents in whose places there is another one.
    pub(super) trees: Vec<ObjectId>,
    /// Those in whose place there is none.
    gone: Vec<ObjectId>,
    /// Something is where nothing was.
    pub(super) added: bool,
    buffer: Vec<u8>,
}

impl Elsewhere {
    /// For the next commit.
    pub(super) fn clear(&mut self) {
        self.trees.clear();
        self.gone.clear();
        self.added = false;
    }

    /// The parents have an entry in whose place there is none.
    pub(super) fn gone(&mut self, entry: &gix::Result<EntryRef<'_>>) {
        if let Ok(entry) = entry
            && entry.mode.is_tree()
        {
            self.gone.push(entry.oid.to_owned());
        }
    }

    /// Which of the `new` objects the parents have.
    pub(super) fn find(
        &mut self,
        store: &Store,
        new: impl Iterator<Item = ObjectId>,
    ) -> HashSet<ObjectId> {
        let mut found = HashSet::default();
        // What only changes seldom becomes what something else is, and most commits only change.
        if !self.added {
            return found;
        }
        let new: HashSet<ObjectId> = new.collect();
        let mut seen = HashSet::default();
        let mut rest: Vec<(ObjectId, bool)> = self.trees.iter().map(|id| (*id, false)).collect();
        // These come first: all of them is looked at.
        rest.extend(self.gone.iter().map(|id| (*id, true)));
        while let Some((tree, deep)) = rest.pop() {
            if !seen.insert(tree) {
                continue;
            }
            self.buffer.clear();
            // One that can't be read tells nothing.
            if !matches!(
                store.try_read(&tree, &mut self.buffer),
                Ok(Some(Kind::Tree))
            ) {
                continue;
            }
            for entry in TreeRefIter::from_bytes(&self.buffer, gix_hash::Kind::Sha1) {
                let Ok(entry) = entry else { break };
                if new.contains(entry.oid) {
                    found.insert(entry.oid.to_owned());
                }
                if deep && entry.mode.is_tree() {
                    rest.push((entry.oid.to_owned(), true));
                }
            }
        }
        found
    }
}
