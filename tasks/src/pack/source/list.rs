//! The list of files that an operation reads objects from, found once and then kept.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::{Directories, Kind, Oid, SourceError, loose, packs};

/// A pack file of the repository or of an alternate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackSource {
    /// The hash at the pack's end, which names its content.
    pub trailer: Oid,
    /// The length of the pack file.
    pub length: u64,
    /// Where the pack was found.
    pub path: PathBuf,
    /// Whether the operation holds hard links to the pack and its index.
    pub linked: bool,
    /// Whether a remote has promised whatever the pack's objects refer to.
    pub promisor: bool,
}

impl PackSource {
    /// Where the pack is to be opened, for an operation that keeps its links in `held`.
    pub(super) fn path_in(&self, held: Option<&Path>) -> PathBuf {
        match held {
            Some(dir) if self.linked => self.link(dir, "pack"),
            _ => self.path.clone(),
        }
    }

    fn link(&self, dir: &Path, extension: &str) -> PathBuf {
        dir.join(format!("{}.{extension}", super::hex(&self.trailer)))
    }
}

/// An object in a file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LooseSource {
    /// The object's id.
    pub oid: Oid,
    /// Which of [`SourceList::directories`] holds it.
    pub directory: u16,
    /// Its kind.
    pub kind: Kind,
    /// Its size.
    pub size: u64,
}

/// Every file that objects are read from, in an order that depends on nothing but the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceList {
    /// The object directories: the repository's own, then its alternates.
    pub directories: Vec<PathBuf>,
    /// The packs, by trailer hash, each once.
    pub packs: Vec<PackSource>,
    /// The loose objects, by id, each once.
    pub loose: Vec<LooseSource>,
    /// The commits that are taken to have no parents, by id.
    pub shallow: Vec<Oid>,
}

impl SourceList {
    /// Finds the objects below `objects`, a repository's object directory, and its alternates.
    pub fn find(objects: &Path) -> Result<Self, SourceError> {
        Self::find_in(Directories::find(objects, &[])?.present)
    }

    /// Finds the objects in these object directories.
    ///
    /// Loose objects are listed before packs: what `git gc` packs in between is then still found,
    /// in the pack that it writes before it removes the loose file.
    pub fn find_in(directories: Vec<PathBuf>) -> Result<Self, SourceError> {
        let mut list = Self {
            loose: loose::find(&directories)?,
            ..Self::default()
        };
        for directory in &directories {
            list.packs.extend(packs::find(directory)?);
        }
        list.packs
            .sort_by_key(|pack| (pack.trailer, !pack.promisor));
        list.packs.dedup_by_key(|pack| pack.trailer);
        list.directories = directories;
        Ok(list)
    }

    /// Links every pack and its index into `dir`, so that they outlive a `git gc`.
    ///
    /// A pack that cannot be linked (another file system, links denied for files of another owner)
    /// is read where it lies; should it go, [`SourceError::Gone`] tells it later. A pack that
    /// vanishes before it is linked is `Gone` at once. Repeating the call is harmless.
    pub fn hold(&mut self, dir: &Path) -> Result<(), SourceError> {
        fs::create_dir_all(dir).map_err(SourceError::io(dir))?;
        for pack in &mut self.packs {
            pack.linked = true;
            for extension in ["pack", "idx"] {
                let from = pack.path.with_extension(extension);
                // A link to a symbolic link would lead nowhere else.
                let linked = fs::canonicalize(from)
                    .and_then(|from| fs::hard_link(from, pack.link(dir, extension)));
                match linked {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        return Err(SourceError::Gone {
                            what: format!("pack {}", pack.path.display()),
                        });
                    }
                    Err(_) => pack.linked = false,
                }
            }
        }
        Ok(())
    }

    /// The links that [`hold`](Self::hold) made in `dir`.
    pub fn links(&self, dir: &Path) -> Vec<PathBuf> {
        let linked = self.packs.iter().filter(|pack| pack.linked);
        linked
            .flat_map(|pack| ["pack", "idx"].map(|extension| pack.link(dir, extension)))
            .collect()
    }

    /// The list as bytes, for a file of the operation.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(count(self.directories.len()));
        for directory in &self.directories {
            put_path(&mut out, directory);
        }
        out.extend(count(self.packs.len()));
        for pack in &self.packs {
            out.extend(pack.trailer);
            out.extend(pack.length.to_le_bytes());
            out.push(u8::from(pack.linked) | u8::from(pack.promisor) << 1);
            put_path(&mut out, &pack.path);
        }
        out.extend(count(self.loose.len()));
        for loose in &self.loose {
            out.extend(loose.oid);
            out.extend(loose.directory.to_le_bytes());
            out.push(loose.kind.number());
            out.extend(loose.size.to_le_bytes());
        }
        out.extend(count(self.shallow.len()));
        out.extend(self.shallow.iter().flatten());
        out
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, SourceError> {
        let mut input = Input(
            bytes
                .strip_prefix(MAGIC)
                .ok_or(SourceError::List("it is not a list of sources"))?,
        );
        let mut list = Self::default();
        for _ in 0..input.u32()? {
            list.directories.push(input.path()?);
        }
        for _ in 0..input.u32()? {
            let (trailer, length) = (input.array()?, u64::from_le_bytes(input.array()?));
            let [flags] = input.array()?;
            list.packs.push(PackSource {
                trailer,
                length,
                linked: flags & 1 != 0,
                promisor: flags & 2 != 0,
                path: input.path()?,
            });
        }
        for _ in 0..input.u32()? {
            list.loose.push(LooseSource {
                oid: input.array()?,
                directory: u16::from_le_bytes(input.array()?),
                kind: Kind::from_number(input.array::<1>()?[0])
                    .ok_or(SourceError::List("unknown kind"))?,
                size: u64::from_le_bytes(input.array()?),
            });
        }
        for _ in 0..input.u32()? {
            list.shallow.push(input.array()?);
        }
        let known = |loose: &LooseSource| usize::from(loose.directory) < list.directories.len();
        if !input.0.is_empty() || !list.loose.iter().all(known) {
            return Err(SourceError::List("its parts do not fit together"));
        }
        Ok(list)
    }
}

const MAGIC: &[u8] = b"mug sources 2\n";

fn count(n: usize) -> [u8; 4] {
    u32::try_from(n)
        .expect("fewer than four billion files")
        .to_le_bytes()
}

fn put_path(out: &mut Vec<u8>, path: &Path) {
    let bytes = path.as_os_str().as_bytes();
    out.extend(count(bytes.len()));
    out.extend(bytes);
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], SourceError> {
        let (head, rest) = self
            .0
            .split_at_checked(n)
            .ok_or(SourceError::List("it is cut short"))?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SourceError> {
        self.take(N).map(|bytes| {
            let mut out = [0; N];
            out.copy_from_slice(bytes);
            out
        })
    }

    fn u32(&mut self) -> Result<u32, SourceError> {
        self.array().map(u32::from_le_bytes)
    }

    fn path(&mut self) -> Result<PathBuf, SourceError> {
        let n = self.u32()? as usize;
        self.take(n).map(|bytes| OsStr::from_bytes(bytes).into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]
    use super::*;

    #[test]
    fn a_list_survives_its_encoding_and_a_cut_one_is_refused() {
        let list = SourceList {
            directories: vec!["/a/objects".into(), OsStr::from_bytes(b"/\xff").into()],
            packs: vec![PackSource {
                trailer: [7; 20],
                length: 1 << 40,
                path: "/a/objects/pack/pack-x.pack".into(),
                linked: true,
                promisor: true,
            }],
            loose: vec![LooseSource {
                oid: [9; 20],
                directory: 1,
                kind: Kind::Tag,
                size: 12,
            }],
            shallow: vec![[5; 20]],
        };
        let bytes = list.encode();
        assert_eq!(SourceList::decode(&bytes).unwrap(), list);
        for end in 0..bytes.len() {
            SourceList::decode(&bytes[..end]).unwrap_err();
        }
    }
}
