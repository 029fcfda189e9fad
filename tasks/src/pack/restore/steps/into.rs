//! Moves the pack into a repository that exists, and writes its refs there.

use std::path::Path;

use gix_hash::ObjectId;
use resume_runtime::{Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::into::{Place, packed, place, shallow, symbolic};
use super::super::machine::{Output, Plan, Restore, Restored, own_dir};
use super::super::{RestoreError, publish};
use super::entries::{INDEX, PACK};
use crate::keep;

/// The state of moving the pack into the repository.
#[derive(Debug, Serialize, Deserialize)]
pub struct PublishInto {
    pub(super) plan: Plan,
    /// The pack's checksum; none if there are no objects.
    pub(super) checksum: Option<String>,
}

/// The state of writing the refs.
#[derive(Debug, Serialize, Deserialize)]
pub struct RefsInto {
    plan: Plan,
    checksum: Option<String>,
    pack_bytes: u64,
}

impl Step<Restore> for PublishInto {
    async fn run(self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(move |b| {
            let source = b.env().source(&b.input().pack, &self.plan)?;
            let common_dir = b.input().git_dir();
            let mut pack_bytes = 0;
            if let Some(checksum) = &self.checksum {
                let repository = place::open(&common_dir)?;
                let stem = place::stem(&common_dir, checksum);
                keep::place(&stem, b.id(), &own_dir(b), b).map_err(RestoreError::io(&stem))?;
                if place::is_promised(&repository, source.newest().refs()) {
                    publish::promise(&stem, b)?;
                }
                let pack = stem.with_extension("pack");
                let index = stem.with_extension("idx");
                b.install_all([(PACK, &pack), (INDEX, &index)])?;
                publish::seal(&stem, b)?;
                pack_bytes = std::fs::metadata(&pack)
                    .map_err(RestoreError::io(&pack))?
                    .len();
            }
            Transition::to(RefsInto {
                plan: self.plan,
                checksum: self.checksum,
                pack_bytes,
            })
        })
        .await
    }
}

impl Step<Restore> for RefsInto {
    async fn run(self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(move |b| {
            let source = b.env().source(&b.input().pack, &self.plan)?;
            let (common_dir, own) = (b.input().git_dir(), own_dir(b));
            let Some(into) = b.input().into.clone() else {
                return Err(StepError::fatal("this operation makes a new repository"));
            };
            let stem = self.checksum.as_ref();
            let stem = stem.map(|checksum| place::stem(&common_dir, checksum));
            let pack = stem.as_ref().map(|stem| stem.with_extension("pack"));
            let refs = source.newest().refs();
            let repository = place::open(&common_dir)?;
            shallow::extend(&repository, &refs.shallow, &own, b)?;
            let restored = write(&into, &repository, refs, pack.as_deref(), &own, b)?;
            if let Some(stem) = &stem {
                keep::release(stem, b.id(), b).map_err(RestoreError::io(stem))?;
            }
            if restored.left_out > 0 {
                b.note(format!(
                    "{} symbolic refs were left out, since they lead nowhere",
                    restored.left_out
                ));
            }
            Transition::done(Output {
                objects: source.objects().into(),
                pack_bytes: self.pack_bytes,
                written: None,
                no_tree: None,
                into: Some(restored),
            })
        })
        .await
    }
}

/// Writes all refs that are not there yet; to what is in `pack`, if there are objects.
fn write(
    into: &Place,
    repository: &gix::Repository,
    refs: &super::super::super::format::Refs,
    pack: Option<&Path>,
    own: &Path,
    disk: &dyn publish::Disk,
) -> Result<Restored, RestoreError> {
    let common_dir = repository.common_dir();
    let locked = packed::Packed::lock(common_dir, own, disk)?;
    let (wanted, existing) = into.check(repository, refs)?;
    let missing: Vec<_> = wanted
        .direct
        .iter()
        .filter(|(name, _)| !existing.has(name))
        .collect();
    // Where refs lead to the objects already, `git gc` may have put them into another pack.
    let gone = pack.filter(|pack| !pack.exists());
    if missing.is_empty() {
        locked.release(disk)?;
    } else if let Some(pack) = gone {
        locked.release(disk)?;
        return Err(RestoreError::PackGone {
            path: pack.to_owned(),
        });
    } else {
        locked.add(&missing, |oid| peel(repository, oid), disk)?;
    }
    for (name, to) in &wanted.symbolic {
        symbolic::write(common_dir, own, name, to, disk)?;
    }
    Ok(Restored {
        namespace: into.namespace.clone(),
        refs: (wanted.direct.len() + wanted.symbolic.len()) as u64,
        left_out: wanted.left_out.len() as u64,
    })
}

/// What an annotated tag leads to; `None` for any other object.
fn peel(repository: &gix::Repository, oid: &ObjectId) -> Result<Option<ObjectId>, RestoreError> {
    let failed = |error: gix::Error| RestoreError::ExistingRefs {
        reason: error.to_string(),
    };
    let header = repository.find_header(*oid).map_err(failed)?;
    if header.kind() != gix::object::Kind::Tag {
        return Ok(None);
    }
    let object = repository.find_object(*oid).map_err(failed)?;
    let peeled = object.peel_tags_to_end().map_err(failed)?;
    Ok(Some(peeled.id))
}
