//! Entries of Git's packs as they are, compressed.

use gix_zlib::Inflate;

use super::{BundleError, layout::Entry};
use crate::pack::source::{Catalog, Location, Pack, Reader, Sources};

/// An entry as its pack has it.
pub(super) struct Raw<'a> {
    pack: &'a Pack,
    position: u32,
    entry: gix_pack::data::Entry,
    /// The length of its header.
    header: usize,
    /// With its header.
    bytes: &'a [u8],
}

impl<'a> Raw<'a> {
    /// Finds the entry that is to be copied.
    pub(super) fn find(
        sources: &'a Sources,
        catalog: &Catalog,
        planned: &Entry,
    ) -> Result<Self, BundleError> {
        let damaged = |why: &str| Reader::new(sources, catalog).damaged(planned.id, why);
        let Location::Pack { pack, position } = catalog.location(planned.id) else {
            return Err(damaged("it was planned to come from a pack").into());
        };
        let pack = &sources.packs[usize::from(pack)];
        let offset = pack.index.pack_offset_at_index(position);
        let entry = pack.data.entry(offset);
        let entry = entry.map_err(|error| damaged(&error.to_string()))?;
        let header = usize::try_from(entry.data_offset - offset).unwrap_or(usize::MAX);
        let bytes = offset
            .checked_add(planned.length)
            .and_then(|end| pack.data.entry_slice(offset..end))
            .filter(|bytes| bytes.len() > header)
            .ok_or_else(|| damaged("it is cut short"))?;
        Ok(Self {
            pack,
            position,
            entry,
            header,
            bytes,
        })
    }

    /// The size of the entry when inflated.
    pub(super) fn size(&self) -> u64 {
        self.entry.decompressed_size
    }

    /// The whole entry.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What is compressed: the entry without its header.
    pub(super) fn data(&self) -> &'a [u8] {
        &self.bytes[self.header..]
    }

    /// What the pack's index says the checksum of [`bytes`](Self::bytes) is; the first version of
    /// indexes does not say.
    pub(super) fn crc32(&self) -> Option<u32> {
        self.pack.index.crc32_at_index(self.position)
    }

    /// Checks that the entry is what it was when its pack was made.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.crc32() {
            Some(expected) if crc32fast::hash(self.bytes) == expected => Ok(()),
            Some(_) => Err(BAD_CHECKSUM.into()),
            None => self.inflate(),
        }
    }

    /// The check where there is no checksum of this entry: the one that zlib keeps of its content.
    fn inflate(&self) -> Result<(), String> {
        let size = usize::try_from(self.size()).map_err(|_| "it does not fit into memory")?;
        let mut out = Vec::new();
        out.try_reserve_exact(size)
            .map_err(|_| "it does not fit into memory")?;
        out.resize(size, 0);
        let consumed = self
            .pack
            .data
            .decompress_entry(&self.entry, &mut Inflate::default(), &mut out)
            .map_err(|error| error.to_string())?;
        if consumed == self.data().len() {
            Ok(())
        } else {
            Err("its compressed content is not as long as the pack has it".into())
        }
    }
}

/// Said of an entry that is not what the index says.
pub(super) const BAD_CHECKSUM: &str = "its checksum is not the one in the index";
