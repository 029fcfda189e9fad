//! Git's packs, opened and mapped.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use gix_hash::Kind::Sha1;

use super::{Oid, PackSource, SourceError, SourceList, hex, loose};

/// Deflate makes at most 1032 bytes of one.
const DEFLATE_MAX: u64 = 1032;

/// A pack and its index, mapped into memory.
pub struct Pack {
    /// The entries.
    pub data: gix_pack::data::File,
    /// Ids and offsets.
    pub index: gix_pack::index::File,
}

impl Pack {
    fn open(path: &Path) -> Result<Self, SourceError> {
        let damaged = |why: String| SourceError::Pack {
            path: path.to_owned(),
            why,
        };
        for file in [path.to_owned(), path.with_extension("idx")] {
            // Opened before it is mapped, to tell what is gone from what is damaged.
            match File::open(&file) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(SourceError::Gone {
                        what: format!("pack {}", file.display()),
                    });
                }
                Err(error) => return Err(SourceError::io(file)(error)),
            }
        }
        let data =
            gix_pack::data::File::at(path, Sha1).map_err(|error| damaged(error.to_string()))?;
        let index = gix_pack::index::File::at(path.with_extension("idx"), Sha1)
            .map_err(|error| damaged(error.to_string()))?;
        if data.num_objects() != index.num_objects() || data.checksum() != index.pack_checksum() {
            return Err(damaged("its index belongs to another pack".into()));
        }
        Ok(Self { data, index })
    }

    /// Refuses a size that the rest of the pack cannot inflate to, before anything rests on it.
    pub(super) fn check_size(&self, entry: &gix_pack::data::Entry) -> Result<(), &'static str> {
        let left = (self.data.pack_end() as u64).saturating_sub(entry.data_offset);
        if entry.decompressed_size > left.saturating_mul(DEFLATE_MAX) {
            return Err("its size cannot be right");
        }
        Ok(())
    }

    /// The id at `position` of the index.
    pub fn oid_at(&self, position: u32) -> Oid {
        let mut oid = [0; 20];
        oid.copy_from_slice(self.index.oid_at_index(position).as_bytes());
        oid
    }
}

/// The files of a [`SourceList`], opened.
pub struct Sources {
    /// What was opened.
    pub list: SourceList,
    /// The packs, in the list's order.
    pub packs: Vec<Pack>,
    /// The repository's packs of now, opened when a loose object turns out to have been packed.
    current: Mutex<Option<Vec<Pack>>>,
}

impl Sources {
    /// Opens the packs of `list`; those that it linked are opened in `held`.
    ///
    /// A pack that is missing or was replaced is [`SourceError::Gone`].
    pub fn open(list: SourceList, held: Option<&Path>) -> Result<Self, SourceError> {
        if list.packs.len() >= usize::from(u16::MAX) - 1 {
            return Err(SourceError::TooMany {
                what: "packs",
                max: u64::from(u16::MAX) - 1,
            });
        }
        let mut packs = Vec::with_capacity(list.packs.len());
        for source in &list.packs {
            let path = source.path_in(held);
            let pack = Pack::open(&path)?;
            if pack.data.checksum().as_bytes() != source.trailer
                || pack.data.data_len() as u64 != source.length
            {
                return Err(SourceError::Gone {
                    what: format!("pack {}", path.display()),
                });
            }
            packs.push(pack);
        }
        Ok(Self {
            list,
            packs,
            current: Mutex::new(None),
        })
    }

    /// Why an object that is not in the catalog cannot be read, if it is there at all.
    pub fn damage(&self, oid: &Oid) -> Option<SourceError> {
        loose::damage(&self.list.directories, oid)
    }

    /// Reads an object from the packs that the repository has now.
    pub(super) fn read_current(
        &self,
        oid: &Oid,
        out: &mut Vec<u8>,
    ) -> Result<super::Kind, SourceError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let id = gix_hash::ObjectId::Sha1(*oid);
        for fresh in [false, true] {
            if fresh || current.is_none() {
                *current = Some(self.open_current()?);
            }
            for pack in current.iter().flatten() {
                let Some(position) = pack.index.lookup(id) else {
                    continue;
                };
                let offset = pack.index.pack_offset_at_index(position);
                let damaged = |error: gix::Error| SourceError::Entry {
                    path: pack.data.path().to_owned(),
                    offset,
                    id: hex(oid),
                    why: error.to_string(),
                };
                let entry = pack.data.entry(offset).map_err(damaged)?;
                let outcome = pack
                    .data
                    .decode_entry(
                        entry,
                        out,
                        &mut gix_zlib::Inflate::default(),
                        &|_, _| Ok(None),
                        &mut gix_pack::cache::Never,
                    )
                    .map_err(damaged)?;
                return Ok(outcome.kind.into());
            }
        }
        Err(SourceError::Gone {
            what: format!("object {id}"),
        })
    }

    fn open_current(&self) -> Result<Vec<Pack>, SourceError> {
        let mut packs = Vec::new();
        for directory in &self.list.directories {
            for source in find(directory)? {
                match Pack::open(&source.path) {
                    Ok(pack) => packs.push(pack),
                    Err(error) if error.is_gone() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(packs)
    }
}

/// The packs in one object directory: whatever has both an index and a pack, as Git sees it.
pub(super) fn find(directory: &Path) -> Result<Vec<PackSource>, SourceError> {
    let folder = directory.join("pack");
    let mut found = Vec::new();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(SourceError::io(folder)(error)),
    };
    for entry in entries {
        let path = entry.map_err(SourceError::io(&folder))?.path();
        if path.extension().is_none_or(|extension| extension != "idx") {
            continue;
        }
        let path = path.with_extension("pack");
        match identity(&path) {
            Ok((trailer, length)) => found.push(PackSource {
                trailer,
                length,
                promisor: path.with_extension("promisor").exists(),
                path,
                linked: false,
            }),
            // Replaced since the folder was read, or never completed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(SourceError::io(path)(error)),
        }
    }
    Ok(found)
}

/// A pack's trailer hash and length.
fn identity(path: &PathBuf) -> io::Result<(Oid, u64)> {
    let mut file = File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let mut trailer = [0; 20];
    if length >= 32 {
        file.seek(SeekFrom::End(-20))?;
        file.read_exact(&mut trailer)?;
    }
    Ok((trailer, length))
}
