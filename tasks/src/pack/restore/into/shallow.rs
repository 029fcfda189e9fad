//! Tells a repository where the history that comes to it is cut off.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use gix_hash::ObjectId;

use super::super::RestoreError;
use super::super::publish::{Disk, shallow_file};
use crate::lock::Lock;

/// Adds to Git's `shallow` file those of `commits` whose parents the repository does not have in its
/// own history. What is whole there stays whole.
pub(in super::super) fn extend(
    repository: &gix::Repository,
    commits: &[ObjectId],
    own: &Path,
    disk: &dyn Disk,
) -> Result<(), RestoreError> {
    if commits.is_empty() {
        return Ok(());
    }
    let path = repository.common_dir().join("shallow");
    let failed = |error: &dyn std::fmt::Display| RestoreError::Shallow {
        reason: error.to_string(),
    };
    // What is read is what it is until it is written.
    let mut lock = Lock::take(&path, own, disk).map_err(RestoreError::io(&path))?;
    let there: HashSet<ObjectId> = read(&path)?.into_iter().collect();
    let mut coming: HashSet<ObjectId> = commits
        .iter()
        .filter(|commit| !there.contains(*commit))
        .copied()
        .collect();
    whole(repository, &mut coming).map_err(|error| failed(&error))?;
    if coming.is_empty() {
        return lock.release(disk).map_err(RestoreError::io(&path));
    }
    let mut all: Vec<_> = there.into_iter().chain(coming).collect();
    all.sort_unstable();
    let written = lock
        .file()
        .and_then(|file| file.write_all(&shallow_file(&all)));
    written.map_err(RestoreError::io(&path))?;
    lock.commit(disk).map_err(RestoreError::io(&path))
}

fn read(path: &Path) -> Result<Vec<ObjectId>, RestoreError> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        bytes => bytes.map_err(RestoreError::io(path))?,
    };
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            ObjectId::from_hex(line).map_err(|_| RestoreError::Shallow {
                reason: "its shallow file can't be read".to_owned(),
            })
        })
        .collect()
}

/// Takes those out of `coming` that the repository's own refs reach: their parents are there.
fn whole(repository: &gix::Repository, coming: &mut HashSet<ObjectId>) -> gix::Result<()> {
    let mut known: Vec<ObjectId> = Vec::new();
    for oid in coming.iter() {
        let parents_there = match repository.try_find_object(*oid)? {
            Some(object) => object
                .try_into_commit()?
                .parent_ids()
                .all(|parent| repository.has_object(parent)),
            None => false,
        };
        if parents_there {
            known.push(*oid);
        }
    }
    if known.is_empty() {
        return Ok(());
    }
    let mut tips = Vec::new();
    for reference in repository.references()?.all()? {
        let Ok(mut reference) = reference else {
            continue;
        };
        if let Ok(id) = reference.peel_to_id()
            && let Ok(header) = id.header()
            && header.kind() == gix::object::Kind::Commit
        {
            tips.push(id.detach());
        }
    }
    let mut left: HashSet<ObjectId> = known.into_iter().collect();
    for commit in repository.rev_walk(tips).all()? {
        let id = commit?.id;
        if left.remove(&id) {
            coming.remove(&id);
        }
        if left.is_empty() {
            break;
        }
    }
    Ok(())
}
