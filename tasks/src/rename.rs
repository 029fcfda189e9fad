//! Renaming that replaces nothing.

use std::os::fd::AsFd;

use rustix::fs::AtFlags;
use rustix::io::Errno;
use rustix::path::Arg;

/// Renames a file or symbolic link; what is at the new name already is an error (`EEXIST`).
pub(crate) fn rename_new(
    from_dir: impl AsFd,
    from: impl Arg + Copy,
    to_dir: impl AsFd,
    to: impl Arg + Copy,
) -> rustix::io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        let flags = rustix::fs::RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&from_dir, from, &to_dir, to, flags) {
            // The file system does not know how; an old kernel neither.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            done => return done,
        }
    }
    match rustix::fs::linkat(&from_dir, from, &to_dir, to, AtFlags::empty()) {
        Ok(()) => rustix::fs::unlinkat(&from_dir, from, AtFlags::empty()),
        // No links here: what is left is to look first.
        Err(Errno::PERM | Errno::NOTSUP | Errno::NOSYS | Errno::MLINK) => {
            match rustix::fs::statat(&to_dir, to, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => rustix::fs::renameat(&from_dir, from, &to_dir, to),
                Ok(_) => Err(Errno::EXIST),
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;

    #[test]
    fn what_is_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&a, "a").unwrap();
        rename_new(CWD, &a, CWD, &b).unwrap();
        assert!(!a.exists());
        std::fs::write(&a, "new").unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
        for taken in [b.clone(), dir.path().join("link")] {
            assert_eq!(rename_new(CWD, &a, CWD, &taken), Err(Errno::EXIST));
        }
        assert_eq!(std::fs::read(&b).unwrap(), b"a");
        assert_eq!(std::fs::read(&a).unwrap(), b"new");
    }
}
