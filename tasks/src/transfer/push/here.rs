//! What is known here of the objects on both sides.

use gix::hashtable::HashSet;
use gix_hash::ObjectId;

use super::{history, store::Store};
use crate::{pack::source::Kind, transfer::refs::push::Ancestry};

/// The objects of a repository, and where its history is cut off.
pub(crate) struct Here<'a> {
    pub(crate) store: &'a Store,
    pub(crate) shallow: &'a HashSet<ObjectId>,
}

impl Ancestry for Here<'_> {
    fn has(&self, id: ObjectId) -> bool {
        self.store.has(&id)
    }

    fn commit(&self, id: ObjectId) -> Option<ObjectId> {
        let (id, kind) = self.store.peel(&id).ok()??;
        (kind == Kind::Commit).then_some(id)
    }

    fn contains(&self, new: ObjectId, old: ObjectId) -> bool {
        history::reaches(self.store, &[new], old, self.shallow).unwrap_or(false)
    }
}
