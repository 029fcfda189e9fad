//! What objects take in a Git repository.

use std::path::Path;

use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::super::format::{FormatError, Index};
use super::super::source::{SourceList, Sources, hex};
use super::StatsError;
use crate::core::error::CoreError;

/// The objects of a pack as a Git repository stores them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitSize {
    /// The objects that it has.
    pub objects: u64,
    /// The objects that it does not have.
    pub missing: u64,
    /// The bytes of these objects' entries in its packs, and of loose files: without pack headers
    /// and indexes.
    pub bytes: u64,
}

/// A repository's objects, and those of its alternates.
pub(super) struct Lookup {
    sources: Sources,
    /// Of each pack, where its entries begin, and the end of the last.
    offsets: Vec<Vec<u64>>,
}

impl Lookup {
    pub(super) fn open(repository: &Path) -> Result<Self, StatsError> {
        let repo = gix::open(repository).map_err(|error| CoreError::Repository {
            path: repository.to_owned(),
            reason: error.to_string(),
        })?;
        let list = SourceList::find(repo.objects.store_ref().path())?;
        let sources = Sources::open(list, None)?;
        let offsets = sources.packs.iter().map(|pack| {
            let mut offsets = pack.index.sorted_offsets();
            offsets.push(pack.data.pack_end() as u64);
            offsets
        });
        Ok(Self {
            offsets: offsets.collect(),
            sources,
        })
    }

    /// Adds up what the objects of `index` take.
    pub(super) fn add(&self, index: &Index, size: &mut GitSize) -> Result<(), FormatError> {
        for object in index.objects_by_oid() {
            match self.size_of(&object?.0) {
                Some(bytes) => {
                    size.objects += 1;
                    size.bytes += bytes;
                }
                None => size.missing += 1,
            }
        }
        Ok(())
    }

    fn size_of(&self, oid: &ObjectId) -> Option<u64> {
        for (pack, offsets) in self.sources.packs.iter().zip(&self.offsets) {
            if let Some(position) = pack.index.lookup(oid) {
                let offset = pack.index.pack_offset_at_index(position);
                let at = offsets.binary_search(&offset).ok()?;
                return Some(offsets.get(at + 1)?.saturating_sub(offset));
            }
        }
        let list = &self.sources.list;
        let ObjectId::Sha1(oid) = oid else {
            return None;
        };
        let at = list
            .loose
            .binary_search_by(|loose| loose.oid.cmp(oid))
            .ok()?;
        let directory = &list.directories[usize::from(list.loose[at].directory)];
        let name = hex(oid);
        let (first, rest) = name.split_at(2);
        let meta = directory.join(first).join(rest).metadata();
        meta.ok().map(|meta| meta.len())
    }
}
