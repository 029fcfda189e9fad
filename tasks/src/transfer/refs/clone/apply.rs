//! Writes what was planned. Each file is replaced as a whole, `HEAD` last: without it, Git does not
//! take the directory for a repository. All of it can be repeated.

use std::fs;
use std::path::Path;

use gix::bstr::{BStr, ByteSlice as _};
use gix_hash::ObjectId;

use super::config::config;
use super::{ClonePlan, NewHead, NewRef};
use crate::disk::Disk;
use crate::transfer::refs::store::file::{ref_path, replace, symbolic};
use crate::transfer::refs::store::packed::{Packed, render};
use crate::transfer::refs::store::reflog::{self, Line, Logging};
use crate::transfer::refs::{Committer, Objects, RefsError, url};

/// What a clone has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloned {
    /// The commit that `HEAD` leads to; none if its branch does not exist.
    pub head: Option<ObjectId>,
    /// How many refs there are.
    pub refs: usize,
}

/// Where a clone is written, and with what.
struct Place<'a> {
    git_dir: &'a Path,
    own: &'a Path,
    disk: &'a dyn Disk,
    committer: &'a Committer,
    message: String,
    logging: Logging,
}

/// Writes the configuration, the refs with their logs, and `HEAD` into `git_dir`, whose other files
/// and all objects are there. `own` is a directory of the operation on the same file system.
pub fn apply_clone(
    git_dir: &Path,
    own: &Path,
    plan: &ClonePlan,
    objects: &Objects,
    committer: &Committer,
    disk: &dyn Disk,
) -> Result<Cloned, RefsError> {
    let options = &plan.options;
    let usual = if options.is_bare() {
        Logging::Never
    } else {
        Logging::Branches
    };
    let place = Place {
        git_dir,
        own,
        disk,
        committer,
        message: format!("clone: from {}", url::anonymous(&options.url)),
        logging: options.defaults.logging.unwrap_or(usual),
    };
    let head = commit(plan, objects)?;
    place.replace(&git_dir.join("config"), &config(plan, git_dir))?;
    let refs = place.packed(plan, objects)?;
    if let Some(remote) = &plan.remote_head {
        place.log(remote.name.as_bstr(), remote.to.oid)?;
        place.replace(
            &ref_path(git_dir, remote.name.as_bstr()),
            &symbolic(remote.to.name.as_bstr()),
        )?;
    }
    place.head(plan, head)?;
    Ok(Cloned { head, refs })
}

/// The commit of the new `HEAD`.
fn commit(plan: &ClonePlan, objects: &Objects) -> Result<Option<ObjectId>, RefsError> {
    let (NewHead::Branch(NewRef { name, oid }) | NewHead::Detached(NewRef { name, oid })) =
        &plan.head
    else {
        return Ok(None);
    };
    if !objects.has(oid) {
        return Err(RefsError::Missing { oid: *oid });
    }
    let commit = objects.commit(oid)?;
    // A branch is a commit itself.
    let fits = |commit: &ObjectId| matches!(plan.head, NewHead::Detached(_)) || commit == oid;
    match commit.filter(fits) {
        Some(commit) => Ok(Some(commit)),
        None => Err(RefsError::NotCommit {
            name: name.clone(),
            oid: *oid,
        }),
    }
}

impl Place<'_> {
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), RefsError> {
        replace(path, bytes, self.own, self.disk)
    }

    fn log(&self, name: &BStr, new: ObjectId) -> Result<(), RefsError> {
        let line = Line {
            old: ObjectId::null(new.kind()),
            new,
            committer: self.committer,
            message: self.message.as_bytes().as_bstr(),
        };
        reflog::append(self.git_dir, name, &line, self.logging, self.disk)
    }

    /// Writes the refs into `packed-refs`; how many they are.
    fn packed(&self, plan: &ClonePlan, objects: &Objects) -> Result<usize, RefsError> {
        if !plan.listed {
            return Ok(0);
        }
        let followed = plan.follow.iter().filter(|tag| objects.has(&tag.oid));
        let followed = followed.map(|tag| (&tag.name, tag.oid));
        let mut refs: Vec<_> = plan.refs.iter().map(|it| (&it.name, it.oid)).collect();
        refs.extend(followed);
        refs.sort();
        let mut lines = Vec::with_capacity(refs.len());
        for (name, oid) in refs {
            let Some((peeled, _)) = objects.peel(&oid)? else {
                return Err(RefsError::Missing { oid });
            };
            lines.push(Packed {
                name,
                oid,
                peeled: Some(peeled).filter(|peeled| *peeled != oid),
            });
        }
        let count = lines.len();
        self.replace(&self.git_dir.join("packed-refs"), &render(lines))?;
        Ok(count)
    }

    /// Writes `HEAD`, after its branch.
    fn head(&self, plan: &ClonePlan, commit: Option<ObjectId>) -> Result<(), RefsError> {
        let content = match (&plan.head, commit) {
            (NewHead::Branch(to), Some(commit)) => {
                if !plan.options.is_bare() {
                    let path = ref_path(self.git_dir, to.name.as_bstr());
                    self.log(to.name.as_bstr(), commit)?;
                    self.replace(&path, format!("{commit}\n").as_bytes())?;
                    self.log("HEAD".into(), commit)?;
                }
                symbolic(to.name.as_bstr())
            }
            (NewHead::Detached(_), Some(commit)) => {
                self.log("HEAD".into(), commit)?;
                format!("{commit}\n").into_bytes()
            }
            (NewHead::Unborn(name), _) => symbolic(name.as_bstr()),
            (NewHead::Branch(to) | NewHead::Detached(to), None) => {
                return Err(RefsError::Missing { oid: to.oid });
            }
        };
        for dir in ["refs/heads", "refs/tags"] {
            let dir = self.git_dir.join(dir);
            fs::create_dir_all(&dir).map_err(RefsError::io(&dir))?;
        }
        self.replace(&self.git_dir.join("HEAD"), &content)
    }
}
