//! How much a server takes at once, where it was found out.

use std::{fs, path::PathBuf};

use super::target::Target;

/// A file of the repository for each server.
fn path(target: &Target) -> PathBuf {
    let name = blake3::hash(target.address.shown().as_bytes()).to_hex();
    let folder = target.repo.common_dir().join("mug").join("push");
    folder.join(&name[..32])
}

/// The length of a pack that the server is known to take, in bytes.
pub(super) fn of(target: &Target) -> Option<u64> {
    let text = fs::read_to_string(path(target)).ok()?;
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
