//! Adds refs to `packed-refs`: all at once, by a rename under Git's lock.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, Write as _};
use std::path::{Path, PathBuf};

use gix::bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::super::RestoreError;
use super::super::publish::Disk;
use crate::lock::Lock;

const HEADER: &[u8] = b"# pack-refs with:";

/// The file, locked: as long as it is, Git changes nothing in it.
pub(in super::super) struct Packed {
    path: PathBuf,
    lock: Lock,
}

impl Packed {
    /// Locks it; `own` is a directory of the operation on the same file system.
    pub(in super::super) fn lock(
        common_dir: &Path,
        own: &Path,
        disk: &dyn Disk,
    ) -> Result<Self, RestoreError> {
        let path = common_dir.join("packed-refs");
        let lock = Lock::take(&path, own, disk).map_err(RestoreError::io(&path))?;
        Ok(Self { path, lock })
    }

    /// Leaves it as it is.
    pub(in super::super) fn release(self, disk: &dyn Disk) -> Result<(), RestoreError> {
        self.lock
            .release(disk)
            .map_err(RestoreError::io(&self.path))
    }

    /// Adds `refs`, none of which is there yet, with what `peel` says that annotated tags lead to.
    pub(in super::super) fn add(
        mut self,
        refs: &[&(BString, ObjectId)],
        peel: impl Fn(&ObjectId) -> Result<Option<ObjectId>, RestoreError>,
        disk: &dyn Disk,
    ) -> Result<(), RestoreError> {
        let mut lines = read(&self.path).map_err(RestoreError::io(&self.path))?;
        for (name, oid) in refs {
            let peeled = peel(oid)?;
            lines.refs.insert(name.clone(), entry(name, oid, peeled));
        }
        let mut write = || {
            let mut out = io::BufWriter::new(self.lock.file()?);
            out.write_all(&lines.header)?;
            for entry in lines.refs.values() {
                out.write_all(entry)?;
            }
            out.flush()
        };
        write().map_err(RestoreError::io(&self.path))?;
        self.lock.commit(disk).map_err(RestoreError::io(&self.path))
    }
}

struct Lines {
    header: Vec<u8>,
    /// By name: the ref's line, with the line of what it peels to.
    refs: BTreeMap<BString, Vec<u8>>,
}

fn entry(name: &BString, oid: &ObjectId, peeled: Option<ObjectId>) -> Vec<u8> {
    let mut entry = format!("{oid} ").into_bytes();
    entry.extend_from_slice(name);
    entry.push(b'\n');
    if let Some(peeled) = peeled {
        entry.extend_from_slice(format!("^{peeled}\n").as_bytes());
    }
    entry
}

fn read(path: &Path) -> io::Result<Lines> {
    let mut lines = Lines {
        header: [HEADER, b" peeled fully-peeled sorted \n"].concat(),
        refs: BTreeMap::new(),
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(lines),
        file => file?,
    };
    // What the file does not promise is not promised of it.
    lines.header = [HEADER, b" sorted \n"].concat();
    let mut last: Option<BString> = None;
    for line in io::BufReader::new(file).split(b'\n') {
        let line = line?;
        if let Some(traits) = line.strip_prefix(HEADER) {
            lines.header = [HEADER, &with_sorted(traits)].concat();
        } else if line.starts_with(b"^") {
            let of = last.as_ref().and_then(|name| lines.refs.get_mut(name));
            let of = of.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
            of.extend_from_slice(&line);
            of.push(b'\n');
        } else if !line.is_empty() && !line.starts_with(b"#") {
            let name = match line.split_once_str(" ") {
                Some((_, name)) if !name.is_empty() => BString::from(name),
                _ => return Err(io::ErrorKind::InvalidData.into()),
            };
            lines.refs.insert(name.clone(), [&line[..], b"\n"].concat());
            last = Some(name);
        }
    }
    Ok(lines)
}

fn with_sorted(traits: &[u8]) -> Vec<u8> {
    let mut out = traits.trim_end().to_vec();
    if !traits.split(|byte| *byte == b' ').any(|it| it == b"sorted") {
        out.extend_from_slice(b" sorted");
    }
    out.extend_from_slice(b" \n");
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::plain::Plain;
    use super::*;

    #[test]
    fn refs_are_merged_by_name_and_keep_what_they_peel_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("packed-refs");
        let [a, b] = [b"a", b"b"].map(|c| ObjectId::from_hex(&c.repeat(40)).unwrap());
        let add = |name: &str, peeled: Option<ObjectId>| {
            let packed = Packed::lock(dir.path(), &dir.path().join("own"), &Plain).unwrap();
            let refs = [&(BString::from(name), a)];
            packed.add(&refs, |_| Ok(peeled), &Plain).unwrap();
            std::fs::read_to_string(&path).unwrap()
        };
        let header = "# pack-refs with: peeled fully-peeled sorted ";
        assert_eq!(add("refs/m", None), format!("{header}\n{a} refs/m\n"));
        let merged = format!("{header}\n{a} refs/a\n^{b}\n{a} refs/m\n");
        assert_eq!(add("refs/a", Some(b)), merged);
        // An old file promises less.
        std::fs::write(
            &path,
            format!("# pack-refs with: peeled \n{b} refs/z\n{b} refs/b\n"),
        )
        .unwrap();
        let merged =
            format!("# pack-refs with: peeled sorted \n{b} refs/b\n{a} refs/c\n{b} refs/z\n");
        assert_eq!(add("refs/c", None), merged);
        std::fs::write(&path, "garbage\n").unwrap();
        assert!(read(&path).is_err());
    }
}
