//! The file `packed-refs`.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;

use crate::disk::Disk;
use crate::lock::Lock;
use crate::transfer::refs::RefsError;

/// A ref in the file, with what it leads to if it is an annotated tag.
pub(in super::super) struct Packed<'a> {
    pub(in super::super) name: &'a BString,
    pub(in super::super) oid: ObjectId,
    pub(in super::super) peeled: Option<ObjectId>,
}

/// The file with these refs, which are sorted by name.
pub(in super::super) fn render<'a>(refs: impl IntoIterator<Item = Packed<'a>>) -> Vec<u8> {
    let mut out = b"# pack-refs with: peeled fully-peeled sorted \n".to_vec();
    for Packed { name, oid, peeled } in refs {
        out.extend_from_slice(format!("{oid} ").as_bytes());
        out.extend_from_slice(name);
        out.push(b'\n');
        if let Some(peeled) = peeled {
            out.extend_from_slice(format!("^{peeled}\n").as_bytes());
        }
    }
    out
}

/// Takes refs out of the file `packed-refs`, under Git's lock on it, if any of them is in it. `own` is
/// where this operation keeps the second name of that lock.
pub(super) fn remove(
    common_dir: &Path,
    own: &Path,
    names: &HashSet<&BStr>,
    disk: &dyn Disk,
) -> Result<(), RefsError> {
    let path = common_dir.join("packed-refs");
    let remove = || -> io::Result<()> {
        if !read(&path)?
            .lines_with_terminator()
            .any(|it| is_of(it, names))
        {
            return Ok(());
        }
        let mut lock = Lock::take(&path, own, disk)?;
        let mut out = Vec::new();
        let mut goes = false;
        for line in read(&path)?.lines_with_terminator() {
            // What a tag leads to stands below it.
            goes = is_of(line, names) || (goes && line.starts_with(b"^"));
            if !goes {
                out.extend_from_slice(line);
            }
        }
        lock.file()?.write_all(&out)?;
        lock.commit(disk)
    };
    remove().map_err(RefsError::io(&path))
}

/// Whether a line is that of one of these refs.
fn is_of(line: &[u8], names: &HashSet<&BStr>) -> bool {
    let line = line.trim_end();
    let name =
        (!line.starts_with(b"#") && !line.starts_with(b"^")).then(|| line.split_once_str(" "));
    name.flatten()
        .is_some_and(|(_, name)| names.contains(name.as_bstr()))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}
