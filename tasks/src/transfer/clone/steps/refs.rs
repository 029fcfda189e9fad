//! Makes the new directory a repository: the index, configuration and refs, and `HEAD` last.

use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::machine::{Output, own_dir};
use super::super::{CloneError, Cloning, listing};
use super::files::scratch;
use crate::checkout::{self, Written, borrow};
use crate::transfer::obtain::Obtained;
use crate::transfer::refs::{ClonePlan, Committer, Objects, apply_clone};

/// The state of writing the refs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refs {
    pub(super) obtained: Obtained,
    pub(super) remarks: Vec<String>,
    /// What there is of a working tree.
    #[serde(default)]
    pub(super) written: Option<Written>,
    /// Why there is none, if it could not be written.
    #[serde(default)]
    pub(super) no_tree: Option<String>,
}

impl Step<Cloning> for Refs {
    async fn run(self, cx: &mut Context<'_, Cloning>) -> StepResult<Cloning> {
        cx.blocking(move |b| self.write(b)).await
    }
}

impl Refs {
    fn write(self, b: &mut Blocking<Cloning>) -> StepResult<Cloning> {
        let plan = listing::read(b)?;
        let git_dir = b.input().git_dir();
        let (own, objects) = (own_dir(b), git_dir.join("objects"));
        // Once `HEAD` is there the repository is in use, and all is done but the record.
        if !is_done(&git_dir, &plan)? {
            if self.written.is_some() {
                checkout::install_index(b, &git_dir.join("index"))?;
            }
            let committer = committer(b, &objects)?;
            let objects = Objects::at(&objects)?;
            apply_clone(&git_dir, &own, &plan, &objects, &committer, b)?;
        }
        for left in [scratch(b), own.join("borrow"), own.join("objects")] {
            borrow::remove(&left, b).map_err(CloneError::io(&left))?;
        }
        let objects = Objects::at(&git_dir.join("objects"))?;
        let head = plan
            .head_oid()
            .map(|oid| objects.commit(&oid))
            .transpose()?;
        let followed = plan.follow.iter().filter(|tag| objects.has(&tag.oid));
        b.env().received.store(self.obtained.bytes, Relaxed);
        Transition::done(Output {
            objects: self.obtained.objects,
            refs: (plan.refs.len() + followed.count()) as u64,
            head: head.flatten(),
            written: self.written,
            no_tree: self.no_tree,
            remarks: self.remarks,
        })
    }
}

/// Whether refs and `HEAD` are written. A `HEAD` that somebody else made is an error.
fn is_done(git_dir: &Path, plan: &ClonePlan) -> Result<bool, CloneError> {
    let head = git_dir.join("HEAD");
    if head.symlink_metadata().is_err() {
        return Ok(false);
    }
    // It is written after these.
    if plan.listed && !git_dir.join("packed-refs").exists() {
        return Err(CloneError::Appeared { path: head });
    }
    Ok(true)
}

/// Who writes the reflogs.
fn committer(b: &Blocking<Cloning>, objects: &Path) -> Result<Committer, StepError> {
    if let Some(committer) = &b.env().committer {
        return Ok(committer.clone());
    }
    let at = own_dir(b).join("borrow");
    let made = borrow::repository(objects, None, &at, b);
    let repository = made.map_err(CloneError::io(&at))?;
    Ok(Committer::of(&repository))
}
