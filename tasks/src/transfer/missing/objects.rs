//! Reading objects on a walk, and which were met.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use gix::{
    hashtable::{HashMap, hash_map::Entry},
    odb,
};
use gix_hash::ObjectId;
use gix_object::Find as _;

use super::error::{MissingError, Referrer};
use crate::pack::source::Kind;

/// What the resolved delta bases of a walk may take: what Git allows itself.
const BASES: usize = 96 << 20;
/// After how many objects the progress is told.
const TELL: u64 = 256;

/// The objects, and what the walk knows about them.
pub(super) struct Objects<'a> {
    odb: odb::Handle,
    /// The objects that were met, with the kind that they are or are taken for.
    met: HashMap<ObjectId, Kind>,
    looked: u64,
    progress: &'a (dyn Fn(u64) + Sync),
    stopped: &'a AtomicBool,
}

impl<'a> Objects<'a> {
    pub(super) fn open(
        path: &Path,
        progress: &'a (dyn Fn(u64) + Sync),
        stopped: &'a AtomicBool,
    ) -> Result<Self, MissingError> {
        let opened = odb::at_opts(
            path,
            gix_hash::Kind::Sha1,
            [],
            odb::store::init::Options::default(),
        );
        let mut odb = opened.map_err(|source| MissingError::Open {
            path: path.to_owned(),
            source,
        })?;
        // Many objects are expected to be missing, and none appears meanwhile.
        odb.refresh_never();
        odb.set_pack_cache(|| Box::new(gix_pack::cache::lru::MemoryCappedHashmap::new(BASES)));
        Ok(Self {
            odb,
            met: HashMap::default(),
            looked: 0,
            progress,
            stopped,
        })
    }

    /// Whether all of these are there.
    pub(super) fn has_all(&self, ids: &[ObjectId]) -> Result<bool, MissingError> {
        for id in ids {
            if self.kind(id, Referrer::Tip)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Notes that an object was met as one of this kind; whether that is the first time.
    pub(super) fn meet(
        &mut self,
        id: ObjectId,
        expected: Kind,
        by: Referrer,
    ) -> Result<bool, MissingError> {
        match self.met.entry(id) {
            Entry::Vacant(slot) => {
                slot.insert(expected);
                Ok(true)
            }
            Entry::Occupied(slot) => {
                check(id, *slot.get(), expected, by)?;
                Ok(false)
            }
        }
    }

    /// Notes an object that is known to be whole.
    pub(super) fn note(&mut self, id: ObjectId, kind: Kind) {
        self.met.entry(id).or_insert(kind);
    }

    /// Whether an object was met or noted.
    pub(super) fn was_met(&self, id: &ObjectId) -> bool {
        self.met.contains_key(id)
    }

    /// Whether an object is there.
    pub(super) fn has(&self, id: &ObjectId) -> bool {
        gix_object::Exists::exists(&self.odb, id)
    }

    /// The kind of an object; none if it is not there.
    pub(super) fn kind(&self, id: &ObjectId, by: Referrer) -> Result<Option<Kind>, MissingError> {
        if id.is_empty_tree() {
            return Ok(Some(Kind::Tree));
        }
        let header = odb::Header::try_header(&self.odb, id);
        let header = header.map_err(|error| unreadable(*id, by, &error))?;
        Ok(header.map(|header| header.kind().into()))
    }

    /// Reads an object of whatever kind; none if it is not there, or cannot be read.
    pub(super) fn get(
        &mut self,
        id: ObjectId,
        content: &mut Vec<u8>,
    ) -> Result<Option<Kind>, MissingError> {
        self.look()?;
        content.clear();
        if id.is_empty_tree() {
            return Ok(Some(Kind::Tree));
        }
        let found = self.odb.try_find(&id, content).ok().flatten();
        Ok(found.map(|found| found.kind.into()))
    }

    /// Reads an object that must be of the `expected` kind; false if it is not there.
    pub(super) fn read(
        &mut self,
        id: ObjectId,
        expected: Kind,
        by: Referrer,
        content: &mut Vec<u8>,
    ) -> Result<bool, MissingError> {
        self.look()?;
        if id.is_empty_tree() {
            content.clear();
            check(id, Kind::Tree, expected, by)?;
            return Ok(true);
        }
        let found = self.odb.try_find(&id, content);
        let found = found.map_err(|error| unreadable(id, by, &error))?;
        let Some(kind) = found.map(|found| found.kind) else {
            return Ok(false);
        };
        check(id, kind.into(), expected, by)?;
        Ok(true)
    }

    /// Counts an object that is looked at.
    pub(super) fn look(&mut self) -> Result<(), MissingError> {
        if self.stopped.load(Relaxed) {
            return Err(MissingError::Stopped);
        }
        self.looked += 1;
        if self.looked.is_multiple_of(TELL) {
            (self.progress)(self.looked);
        }
        Ok(())
    }
}

fn unreadable(id: ObjectId, by: Referrer, error: &gix::Error) -> MissingError {
    MissingError::Unreadable {
        id,
        by,
        why: error.to_string(),
    }
}

pub(super) fn check(
    id: ObjectId,
    found: Kind,
    expected: Kind,
    by: Referrer,
) -> Result<(), MissingError> {
    if found == expected {
        return Ok(());
    }
    Err(MissingError::WrongKind {
        id,
        found: found.name(),
        expected: expected.name(),
        by,
    })
}
