//! Moves the packs into the repository, and tells it where history is cut off.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use gix_hash::ObjectId;
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use rustix::fs::CWD;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::super::machine::{objects_of, open, own_dir};
use super::super::rounds::shallow;
use super::super::{FetchError, Fetching, listing};
use super::Refs;
use crate::keep;
use crate::lock::Lock;
use crate::pack::restore::publish;
use crate::rename::rename_new;
use crate::transfer::obtain::{Obtain, stems};
use crate::transfer::receive;

/// The state of moving the packs into the repository.
#[derive(Debug, Serialize, Deserialize)]
pub struct Publish {
    pub(in super::super) refs: Refs,
    pub(in super::super) obtain: Obtain,
}

impl Step<Fetching> for Publish {
    async fn run(self, cx: &mut Context<'_, Fetching>) -> StepResult<Fetching> {
        cx.blocking(move |b| self.publish(b)).await
    }
}

impl Publish {
    fn publish(self, b: &mut Blocking<Fetching>) -> StepResult<Fetching> {
        let repo = open(&b.input().git_dir)?;
        let own = own_dir(b, &repo);
        let listing = listing::read(b)?;
        let (from, to) = (own.join("objects/pack"), objects_of(&repo).join("pack"));
        move_packs(&from, &to, listing.promised, &own, b)?;
        let cut_off = self.obtain.shallow(b)?;
        if b.input().options.depth.is_some() || !cut_off.is_empty() {
            let opened = self.obtain.opened(b)?;
            cut(&repo, &cut_off, &opened, &own, b)?;
        }
        Transition::to(self.refs)
    }
}

/// Moves all packs from one directory to another, each with its index last, and held by a `.keep` file
/// until the refs lead to it. Can be repeated.
fn move_packs(
    from: &Path,
    to: &Path,
    promised: bool,
    own: &Path,
    b: &Blocking<Fetching>,
) -> Result<(), StepError> {
    fs::create_dir_all(to).map_err(FetchError::io(to))?;
    // Where nothing was received there is not even a directory.
    let names = if from.exists() {
        stems(from)?
    } else {
        Vec::new()
    };
    for stem in &names {
        let new = to.join(stem.file_name().unwrap_or_default());
        keep::place(&new, b.id(), own, b).map_err(FetchError::io(&new))?;
        take(&stem.with_extension("pack"), &new.with_extension("pack"))?;
        if promised {
            publish::promise(&new, b).map_err(StepError::from)?;
        }
        // Its pack is on disk under the new name before the index is.
        b.sync(to)?;
        take(&stem.with_extension("idx"), &new.with_extension("idx"))?;
    }
    if !names.is_empty() {
        b.sync(from)?;
    }
    b.sync(to)?;
    receive::seal(to, b)?;
    Ok(())
}

fn take(from: &Path, to: &Path) -> Result<(), FetchError> {
    match rename_new(CWD, from, CWD, to) {
        // It was moved there before.
        Ok(()) | Err(Errno::EXIST | Errno::NOENT) => Ok(()),
        Err(error) => Err(FetchError::io(to)(error.into())),
    }
}

/// Writes down the commits whose parents are cut off now: those of before but for the ones that were
/// `opened`, and those that the server named.
fn cut(
    repo: &gix::Repository,
    cut_off: &[ObjectId],
    opened: &[ObjectId],
    own: &Path,
    b: &Blocking<Fetching>,
) -> Result<(), StepError> {
    let path = repo.common_dir().join("shallow");
    let mut lock = Lock::take(&path, &own.join("locks"), b).map_err(FetchError::io(&path))?;
    let mut now: BTreeSet<ObjectId> = cut_off.iter().copied().collect();
    let before = shallow(&open(repo.git_dir())?)?;
    now.extend(before.into_iter().filter(|oid| !opened.contains(oid)));
    let mut lines = Vec::new();
    for oid in &now {
        lines.extend_from_slice(format!("{oid}\n").as_bytes());
    }
    let written = lock.file().and_then(|file| file.write_all(&lines));
    written.map_err(FetchError::io(&path))?;
    lock.commit(b).map_err(FetchError::io(&path))?;
    if now.is_empty() {
        // Git has no such file where nothing is cut off.
        fs::remove_file(&path).map_err(FetchError::io(&path))?;
        b.sync(path.parent().unwrap_or(own))?;
    }
    Ok(())
}
