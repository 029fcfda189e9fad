//! Writes symbolic refs, which are files of their own.

use std::fs;
use std::path::Path;

use gix::bstr::BString;
use rustix::fs::CWD;
use rustix::io::Errno;

use super::super::RestoreError;
use super::super::publish::Disk;
use crate::rename::rename_new;

/// Makes the ref `name` point to `to`. One that does so already stays; any other file of that name
/// is an error.
pub(in super::super) fn write(
    common_dir: &Path,
    own: &Path,
    name: &BString,
    to: &BString,
    disk: &dyn Disk,
) -> Result<(), RestoreError> {
    let path = common_dir.join(gix::path::from_bstr(name).unwrap_or_default());
    let content = [b"ref: ", &***to, b"\n"].concat();
    let staged = own.join("symbolic");
    let parent = path.parent().unwrap_or(common_dir);
    let write = || -> std::io::Result<bool> {
        if fs::read(&path).is_ok_and(|there| there == content) {
            disk.sync(&path)?;
            return Ok(true);
        }
        fs::create_dir_all(own)?;
        fs::create_dir_all(parent)?;
        fs::write(&staged, &content)?;
        disk.sync(&staged)?;
        match rename_new(CWD, &staged, CWD, &path) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        disk.sync(parent)?;
        Ok(true)
    };
    if write().map_err(RestoreError::io(&path))? {
        return Ok(());
    }
    Err(RestoreError::RefsTaken {
        listed: name.to_string().escape_debug().to_string(),
    })
}
