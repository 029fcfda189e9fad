//! How much a server takes at once, where it was found out.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::target::Target;

/// For so long it holds: servers are set up anew, and to find it out again costs one piece.
const HOLDS: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A file of the repository for each server.
fn path(target: &Target) -> PathBuf {
    let name = blake3::hash(target.address.shown().as_bytes()).to_hex();
    let folder = target.repo.common_dir().join("mug").join("push");
    folder.join(&name[..32])
}

/// The length of a pack that the server is known to take, in bytes.
pub(super) fn of(target: &Target) -> Option<u64> {
    read(&path(target))
}

fn read(path: &Path) -> Option<u64> {
    // One from the future is as old as can be.
    let age = fs::metadata(path).ok()?.modified().ok()?.elapsed().ok()?;
    let text = fs::read_to_string(path).ok().filter(|_| age < HOLDS)?;
    text.trim().parse().ok().filter(|it| *it > 0)
}

/// Remembers it. It only saves a try, so that it need not succeed.
pub(super) fn remember(target: &Target, bytes: u64) {
    let path = path(target);
    if let Some(folder) = path.parent() {
        let _ = fs::create_dir_all(folder);
    }
    let _ = fs::write(&path, format!("{bytes}\n"));
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn it_holds_for_a_month() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server");
        assert_eq!(read(&path), None);
        fs::write(&path, "4096\n").unwrap();
        assert_eq!(read(&path), Some(4096));
        let file = fs::File::options().append(true).open(&path).unwrap();
        let days = |n: u32| Duration::from_secs(24 * 60 * 60) * n;
        for (age, expected) in [(days(29), Some(4096)), (days(31), None)] {
            file.set_modified(SystemTime::now() - age).unwrap();
            assert_eq!(read(&path), expected);
        }
        file.set_modified(SystemTime::now() + days(2)).unwrap();
        assert_eq!(read(&path), None);
        fs::write(&path, "0\n").unwrap();
        assert_eq!(read(&path), None);
    }
}
