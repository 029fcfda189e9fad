//! Opening what a pack directory holds: regular files and real directories, nothing else.
//!
//! A pack may come from anywhere. A link in it could lead out of the directory, and a FIFO or a
//! device in the place of a file would keep a reader waiting for ever, or never end.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::FormatError;

/// Opens the file at `path` for reading, and gives its length. Links are not followed, and what is
/// no regular file is not waited for.
pub(super) fn open_file(path: &Path) -> Result<(File, u64), FormatError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(error) => {
            let error = std::io::Error::from(error);
            // Links and sockets can't be opened this way: say so instead of an odd error.
            return Err(match path.symlink_metadata() {
                Ok(meta) if !meta.is_file() => no_file(path, meta.file_type()),
                _ => FormatError::io(path)(error),
            });
        }
    };
    let meta = file.metadata().map_err(FormatError::io(path))?;
    if !meta.is_file() {
        return Err(no_file(path, meta.file_type()));
    }
    Ok((file, meta.len()))
}

/// Reads a whole file of at most `most` bytes.
pub(super) fn read_file(path: &Path, most: u64, what: &str) -> Result<Vec<u8>, FormatError> {
    let too_long = |length| {
        FormatError::damaged(
            path,
            format!("{length} bytes are too many for {what} (at most {most})"),
        )
    };
    let (file, length) = open_file(path)?;
    if length > most {
        return Err(too_long(length));
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(FormatError::io(path))?;
    if bytes.len() as u64 > most {
        return Err(too_long(bytes.len() as u64));
    }
    Ok(bytes)
}

/// Refuses anything but a directory at `path`, a link to one included.
pub(super) fn check_dir(path: &Path) -> Result<(), FormatError> {
    let meta = path.symlink_metadata().map_err(FormatError::io(path))?;
    if meta.is_dir() {
        return Ok(());
    }
    let found = kind(meta.file_type());
    Err(FormatError::damaged(
        path,
        format!("it is {found}, not a directory"),
    ))
}

/// Whether nothing is there.
pub(super) fn is_absent(error: &FormatError) -> bool {
    matches!(error, FormatError::Io { source, .. }
        if matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory))
}

fn no_file(path: &Path, found: std::fs::FileType) -> FormatError {
    FormatError::damaged(path, format!("it is {}, not a file", kind(found)))
}

/// What a thing in a directory is, in words.
pub(in crate::pack) fn kind(found: std::fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    if found.is_symlink() {
        "a symbolic link"
    } else if found.is_dir() {
        "a directory"
    } else if found.is_file() {
        "a file"
    } else if found.is_fifo() {
        "a named pipe"
    } else if found.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    fn refused(path: &Path) -> String {
        open_file(path).unwrap_err().to_string()
    }

    #[test]
    fn only_regular_files_are_opened_and_nothing_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), b"abc").unwrap();
        symlink(at("file"), at("link")).unwrap();
        symlink(at("nothing"), at("dangling")).unwrap();
        std::fs::create_dir(at("dir")).unwrap();
        let fifo = std::process::Command::new("mkfifo")
            .arg(at("fifo"))
            .status();
        assert!(fifo.unwrap().success());
        let _socket = UnixListener::bind(at("socket")).unwrap();
        assert_eq!(open_file(&at("file")).unwrap().1, 3);
        for (name, what) in [
            ("link", "a symbolic link, not a file"),
            ("dangling", "a symbolic link, not a file"),
            ("dir", "a directory, not a file"),
            ("fifo", "a named pipe, not a file"),
            ("socket", "a socket, not a file"),
        ] {
            let error = refused(&at(name));
            assert!(error.contains(what), "{name}: {error}");
        }
        assert!(refused(Path::new("/dev/zero")).contains("a device, not a file"));
        assert!(is_absent(&open_file(&at("nothing")).unwrap_err()));
        assert!(is_absent(&open_file(&at("file/x")).unwrap_err()));
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, b"abc").unwrap();
        assert_eq!(read_file(&path, 3, "a test").unwrap(), b"abc");
        let error = read_file(&path, 2, "a test").unwrap_err().to_string();
        assert!(error.contains("3 bytes are too many for a test"), "{error}");
        // It says that it is empty, and has no end.
        let error = read_file(Path::new("/dev/zero"), 9, "a test").unwrap_err();
        assert!(matches!(error, FormatError::Damaged { .. }), "{error}");
    }
}
