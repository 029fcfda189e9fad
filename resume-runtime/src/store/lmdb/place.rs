//! Where a store may lie: its directory, its modes, its file system.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::store::StoreError;

/// Makes the store's directory, for its owner alone.
pub(super) fn create(dir: &Path) -> Result<(), StoreError> {
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|e| refused(dir, dir, e))?;
    // The new entry must outlive a power cut as what is put in there does.
    dir.parent().map_or(Ok(()), sync)
}

/// Writes a new small file, for its owner alone, and makes its content durable.
pub(super) fn write_new(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .map_err(|e| StoreError::io(path, e))
}

/// Makes the entries of a directory durable.
pub(super) fn sync(dir: &Path) -> Result<(), StoreError> {
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|e| StoreError::io(dir, e))
}

/// The error class of a directory or file that could not be written.
pub(super) fn refused(dir: &Path, path: &Path, error: std::io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly {
            path: dir.to_owned(),
        },
        _ => StoreError::io(path, error),
    }
}

/// Refuses a file system whose other clients do not see this one's memory map
/// and locks.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn check_file_system(dir: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt;

    let magic = rustix::fs::statfs(dir)
        .map_err(|e| StoreError::io(dir, e))?
        .f_type;
    // The magic is 32 bits wide; the field's type depends on the architecture.
    let magic = u32::try_from(magic & 0xffff_ffff).unwrap_or(0);
    let kind = match network(magic) {
        Some(kind) => Some(kind.to_owned()),
        None if magic == FUSE => {
            let device = std::fs::metadata(dir)
                .map_err(|e| StoreError::io(dir, e))?
                .dev();
            std::fs::read_to_string("/proc/self/mountinfo")
                .ok()
                .and_then(|table| mounted(&table, device).map(str::to_owned))
                .filter(|kind| is_remote_fuse(kind))
        }
        None => None,
    };
    match kind {
        Some(kind) => Err(StoreError::Network {
            path: dir.to_owned(),
            kind,
        }),
        None => Ok(()),
    }
}

/// Refuses nothing: the file system's kind is not known here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[expect(clippy::unnecessary_wraps, reason = "other systems can tell")]
pub(super) fn check_file_system(_dir: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const FUSE: u32 = 0x6573_5546;

/// The network file system with this magic number (statfs(2)).
#[cfg(any(target_os = "linux", target_os = "android"))]
const fn network(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "nfs",
        0x517b => "smb",
        0xff53_4d42 => "cifs",
        0xfe53_4d42 => "smb2",
        0x0102_1997 => "9p",
        0x00c3_6400 => "ceph",
        0x0bd0_0bd0 => "lustre",
        0x5346_414f | 0x6b41_4653 => "afs",
        0x7375_7245 => "coda",
        0x564c => "ncp",
        0x0116_1970 => "gfs2",
        0x7461_636f => "ocfs2",
        0x1983_0326 => "beegfs",
        0x4750_4653 => "gpfs",
        _ => return None,
    })
}

/// The type of the file system with this device number, out of
/// `/proc/self/mountinfo` (proc(5)).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn mounted(table: &str, device: u64) -> Option<&str> {
    let wanted = format!(
        "{}:{}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    table.lines().find_map(|line| {
        let (mount, rest) = line.split_once(" - ")?;
        (mount.split(' ').nth(2)? == wanted).then(|| rest.split(' ').next())?
    })
}

/// FUSE serves local disks as well as remote ones: only those that are known to
/// be remote are refused.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_remote_fuse(kind: &str) -> bool {
    const REMOTE: [&str; 15] = [
        "sshfs",
        "rclone",
        "s3fs",
        "s3backer",
        "goofys",
        "mount-s3",
        "gcsfuse",
        "davfs",
        "davfs2",
        "curlftpfs",
        "glusterfs",
        "ceph-fuse",
        "cephfs",
        "juicefs",
        "gvfsd-fuse",
    ];
    kind.strip_prefix("fuse.")
        .is_some_and(|kind| REMOTE.contains(&kind.to_ascii_lowercase().as_str()))
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    const TABLE: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
90 22 0:57 / /mnt/host rw shared:9 master:3 - fuse.sshfs me@host:/ rw,user_id=0\n\
91 22 0:58 / /mnt/usb rw - fuseblk /dev/sdb1 rw\n";

    #[test]
    fn a_fuse_mount_is_refused_only_when_it_is_known_to_be_remote() {
        let kind = |minor| mounted(TABLE, rustix::fs::makedev(0, minor));
        assert_eq!(kind(57), Some("fuse.sshfs"));
        assert_eq!(kind(58), Some("fuseblk"));
        assert_eq!(kind(59), None);
        assert!(is_remote_fuse("fuse.sshfs"));
        assert!(!is_remote_fuse("fuseblk"));
        assert!(!is_remote_fuse("fuse.fuse-overlayfs"));
    }

    #[test]
    fn network_file_systems_are_known_by_their_magic() {
        assert_eq!(network(0x6969), Some("nfs"));
        assert_eq!(network(0xfe53_4d42), Some("smb2"));
        assert_eq!(network(0xef53), None);
    }
}
