//! Which operations of this repository have temporary refs at servers, or had some.
//!
//! It outlives the operations: once one is deleted, nothing else tells its refs from those of another
//! clone, which may be pushing just now.

use std::{collections::HashSet, fs, io::Write as _, path::PathBuf};

use super::target::Target;

/// A file with an operation a line.
fn path(target: &Target) -> PathBuf {
    target.repo.common_dir().join("mug/push/started")
}

/// Those that were noted.
pub fn list(target: &Target) -> HashSet<String> {
    let text = fs::read_to_string(path(target)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Notes one. Where that fails, its refs are taken for another clone's later, and stay.
pub(super) fn note(target: &Target, operation: &str) {
    if list(target).contains(operation) {
        return;
    }
    let path = path(target);
    if let Some(folder) = path.parent() {
        let _ = fs::create_dir_all(folder);
    }
    let file = fs::OpenOptions::new().append(true).create(true).open(path);
    let _ = file.and_then(|mut file| file.write_all(format!("{operation}\n").as_bytes()));
}
