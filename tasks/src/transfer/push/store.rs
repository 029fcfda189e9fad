//! The objects of the repository that is pushed from.

use std::{cell::RefCell, path::Path, sync::Arc};

use gix::hashtable::HashMap;
use gix::objs::{CommitRefIter, FindHeader as _, TagRefIter};
use gix::odb;
use gix_hash::{ObjectId, oid};
use gix_pack::{
    Find as _,
    cache::lru::MemoryCappedHashmap,
    data::entry::{Header, Location},
};

use super::error::PackError;
use crate::pack::source::Kind;

/// What a read of packs keeps in memory, in bytes.
const CACHE: usize = 16 << 20;

/// So many commits are remembered. A push asks for each several times, one after the other.
const COMMITS: usize = 1 << 16;

/// The objects of a repository.
pub(crate) struct Store {
    objects: Arc<Path>,
    odb: odb::Cache<odb::store::Handle<Arc<odb::Store>>>,
    commits: RefCell<HashMap<ObjectId, Commit>>,
}

/// Where an object lies in a pack.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    pub(crate) at: Location,
    pub(crate) header: Header,
    /// The length of the header.
    pub(crate) header_len: usize,
    /// What the entry inflates to: the object's size, or the delta's.
    pub(crate) inflated: u64,
    /// The size of the object.
    pub(crate) size: u64,
}

impl Store {
    /// Opens the directory `objects` of a repository.
    pub(crate) fn at(objects: &Path) -> Result<Self, PackError> {
        let handle = odb::at(objects, gix_hash::Kind::Sha1);
        let handle = match handle {
            Ok(handle) => handle.into_arc(),
            Err(error) => Err(error),
        };
        let mut handle = handle.map_err(|source| PackError::Objects {
            path: objects.to_owned(),
            source,
        })?;
        handle.prevent_pack_unload();
        handle.ignore_replacements = true;
        // Much is asked for that is not there.
        handle.refresh_never();
        handle.set_pack_cache(|| Box::new(MemoryCappedHashmap::new(CACHE)));
        Ok(Self {
            objects: objects.into(),
            odb: handle,
            commits: RefCell::default(),
        })
    }

    /// The same for one of so many threads, which keep as much in memory as one alone.
    pub(crate) fn for_one_of(&self, threads: usize) -> Self {
        let mut odb = self.odb.clone();
        let share = CACHE / threads.max(1);
        odb.set_pack_cache(move || Box::new(MemoryCappedHashmap::new(share)));
        Self {
            objects: Arc::clone(&self.objects),
            odb,
            commits: RefCell::default(),
        }
    }

    /// Reads an object.
    pub(crate) fn read(&self, id: &oid, out: &mut Vec<u8>) -> Result<Kind, PackError> {
        match self.try_read(id, out)? {
            Some(kind) => Ok(kind),
            None => Err(PackError::Missing { id: id.to_owned() }),
        }
    }

    /// The same; none if it is not there.
    pub(crate) fn try_read(&self, id: &oid, out: &mut Vec<u8>) -> Result<Option<Kind>, PackError> {
        let found = gix::objs::Find::try_find(&self.odb, id, out);
        let found = found.map_err(|error| PackError::unreadable(id, &error))?;
        let Some(data) = found.map(|data| (data.kind, data.data.len())) else {
            return Ok(None);
        };
        out.truncate(data.1);
        Ok(Some(of_gix(data.0)))
    }

    /// Its kind and size; none if it is not there.
    pub(crate) fn header(&self, id: &oid) -> Result<Option<(Kind, u64)>, PackError> {
        let found = self.odb.try_header(id);
        let found = found.map_err(|error| PackError::unreadable(id, &error))?;
        Ok(found.map(|header| (of_gix(header.kind), header.size)))
    }

    /// Whether the object is there.
    pub(crate) fn has(&self, id: &oid) -> bool {
        self.odb.contains(id)
    }

    /// Where it lies in a pack, if it does; `buffer` is scratch.
    pub(crate) fn packed(
        &self,
        id: &oid,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Packed>, PackError> {
        let unreadable = |error: &dyn std::fmt::Display| PackError::unreadable(id, error);
        let at = self.odb.location_by_oid(id, buffer);
        let Some(at) = at.map_err(|error| unreadable(&error))? else {
            return Ok(None);
        };
        let mut head = at.clone();
        head.entry_size = head.entry_size.min(48);
        let bytes = self.odb.entry_by_location(&head);
        let bytes = bytes.ok_or_else(|| unreadable(&"its pack is gone"))?.data;
        let entry = gix_pack::data::Entry::from_bytes(&bytes, at.pack_offset, id.kind());
        let entry = entry.map_err(|error| unreadable(&error))?;
        let size = if entry.header.is_delta() {
            let sizes = crate::pack::delta::sizes(buffer);
            sizes.map_err(|error| unreadable(&error))?.1
        } else {
            entry.decompressed_size
        };
        Ok(Some(Packed {
            header_len: entry.header_size(),
            header: entry.header,
            inflated: entry.decompressed_size,
            size,
            at,
        }))
    }

    /// The length of the file of a loose object.
    pub(crate) fn loose_len(&self, id: &oid) -> Result<u64, PackError> {
        let hex = id.to_hex().to_string();
        let path = self.objects.join(&hex[..2]).join(&hex[2..]);
        if let Ok(file) = path.metadata() {
            return Ok(file.len());
        }
        // In another directory of objects.
        match self.header(id)? {
            Some((_, size)) => Ok(size),
            None => Err(PackError::Missing { id: id.to_owned() }),
        }
    }

    /// The compressed bytes of an entry, without its header.
    pub(crate) fn payload(&self, id: &oid, packed: &Packed) -> Result<Vec<u8>, PackError> {
        let entry = self.odb.entry_by_location(&packed.at);
        let entry = entry.ok_or_else(|| PackError::unreadable(id, &"its pack is gone"))?;
        let mut data = entry.data;
        data.drain(..packed.header_len.min(data.len()));
        Ok(data)
    }

    /// The tree and the parents of a commit, as it says itself.
    pub(crate) fn commit(
        &self,
        id: &oid,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Commit>, PackError> {
        if let Some(commit) = self.commits.borrow().get(id) {
            return Ok(Some(commit.clone()));
        }
        match self.try_read(id, buffer)? {
            None => return Ok(None),
            Some(Kind::Commit) => {}
            Some(kind) => {
                let reason = format!("it is a {}, not a commit", kind.name());
                return Err(PackError::unreadable(id, &reason));
            }
        }
        let parse = || {
            let mut commit = CommitRefIter::from_bytes(buffer, id.kind());
            let tree = commit.tree_id()?;
            let parents = CommitRefIter::from_bytes(buffer, id.kind()).parent_ids();
            let parents = parents.collect();
            let date = CommitRefIter::from_bytes(buffer, id.kind()).committer();
            // A date that can't be read sorts to the end.
            let date = date.ok().and_then(|it| it.time().ok());
            let date = date.map_or(0, |time| time.seconds);
            Ok(Commit {
                tree,
                parents,
                date,
            })
        };
        let parsed: gix::Result<Commit> = parse();
        let commit = parsed.map_err(|error| PackError::unreadable(id, &error))?;
        let mut commits = self.commits.borrow_mut();
        if commits.len() >= COMMITS {
            commits.clear();
        }
        commits.insert(id.to_owned(), commit.clone());
        Ok(Some(commit))
    }

    /// What a tag points to.
    pub(crate) fn tag(&self, id: &oid, buffer: &mut Vec<u8>) -> Result<ObjectId, PackError> {
        self.read(id, buffer)?;
        let target = TagRefIter::from_bytes(buffer, id.kind()).target_id();
        target.map_err(|error| PackError::unreadable(id, &error))
    }

    /// What tags lead to in the end; none if something is not there on the way.
    pub(crate) fn peel(&self, id: &oid) -> Result<Option<(ObjectId, Kind)>, PackError> {
        let (mut at, mut buffer) = (id.to_owned(), Vec::new());
        for _ in 0..1000 {
            match self.header(&at)? {
                None => return Ok(None),
                Some((Kind::Tag, _)) => at = self.tag(&at, &mut buffer)?,
                Some((kind, _)) => return Ok(Some((at, kind))),
            }
        }
        Err(PackError::unreadable(id, &"too many tags name one another"))
    }
}

/// What a commit names.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) tree: ObjectId,
    pub(crate) parents: Vec<ObjectId>,
    /// When it was made, in seconds.
    pub(crate) date: i64,
}

const fn of_gix(kind: gix::objs::Kind) -> Kind {
    match kind {
        gix::objs::Kind::Commit => Kind::Commit,
        gix::objs::Kind::Tree => Kind::Tree,
        gix::objs::Kind::Blob => Kind::Blob,
        gix::objs::Kind::Tag => Kind::Tag,
    }
}
