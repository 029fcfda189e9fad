//! Directories compared, and where there is a fast disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The files and directories below `dir` by their paths in it, with the lengths of
/// the files. Symbolic links count as files of their own.
///
/// # Panics
///
/// When a directory cannot be read.
pub fn files(dir: &Path) -> BTreeMap<PathBuf, Option<u64>> {
    let mut files = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(at) = open.pop() {
        let entries = std::fs::read_dir(&at).unwrap_or_else(|e| panic!("{}: {e}", at.display()));
        for entry in entries {
            let path = entry.expect("an entry").path();
            let meta = path.symlink_metadata().expect("what it is");
            let name = path.strip_prefix(dir).expect("it is below").to_owned();
            files.insert(name, (!meta.is_dir()).then_some(meta.len()));
            if meta.is_dir() {
                open.push(path);
            }
        }
    }
    files
}

/// Asserts that two directories hold the same files and directories, byte for byte.
///
/// # Panics
///
/// When they do not.
#[track_caller]
pub fn assert_same(left: &Path, right: &Path) {
    let names = files(left);
    assert_eq!(
        names,
        files(right),
        "{} and {} hold other files",
        left.display(),
        right.display()
    );
    for (name, length) in &names {
        let [a, b] = [left, right].map(|dir| std::fs::read_link(dir.join(name)).ok());
        assert_eq!(a, b, "{} is another link", name.display());
        if length.is_some()
            && a.is_none()
            && let Some(at) = first_difference(&left.join(name), &right.join(name))
        {
            panic!(
                "{} differs between {} and {} from byte {at} on",
                name.display(),
                left.display(),
                right.display()
            );
        }
    }
}

fn first_difference(left: &Path, right: &Path) -> Option<u64> {
    let open = |path: &Path| File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (mut left, mut right) = (open(left), open(right));
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let mut at = 0;
    loop {
        for (file, buffer) in [(&mut left, &mut a), (&mut right, &mut b)] {
            buffer.clear();
            let read = file.take(1 << 20).read_to_end(buffer);
            read.expect("a file can be read");
        }
        if a != b {
            let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
            return Some(at + same as u64);
        }
        if a.is_empty() {
            return None;
        }
        at += a.len() as u64;
    }
}

/// A directory on a file system in memory with so many bytes to spare, if the
/// machine has one. Commits cost little there, so they come often.
pub fn memory(bytes: u64) -> Option<&'static Path> {
    let dir = Path::new("/dev/shm");
    let stat = rustix::fs::statvfs(dir).ok()?;
    let room = stat.f_bavail.checked_mul(stat.f_frsize)?;
    let usable = tempfile::tempdir_in(dir).is_ok();
    (room >= bytes && usable).then_some(dir)
}

/// Whether both are on one file system.
///
/// # Panics
///
/// When one does not exist.
pub fn same_device(left: &Path, right: &Path) -> bool {
    let device = |path: &Path| path.metadata().expect("it exists").dev();
    device(left) == device(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "differs")]
    fn one_byte_is_a_difference() {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, content) in [("a", "abc"), ("b", "abd")] {
            let sub = dir.path().join(name);
            std::fs::create_dir(&sub).expect("a directory");
            std::fs::write(sub.join("file"), content).expect("a file");
        }
        assert_same(&dir.path().join("a"), &dir.path().join("b"));
    }

    #[test]
    #[should_panic(expected = "other files")]
    fn one_file_more_is_a_difference() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["a", "b"] {
            std::fs::create_dir(dir.path().join(name)).expect("a directory");
        }
        std::fs::write(dir.path().join("b/file"), "").expect("a file");
        assert_same(&dir.path().join("a"), &dir.path().join("b"));
    }
}
