//! Moves the pack into the new repository.

use resume_runtime::{Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::machine::{Plan, Restore, own_dir};
use super::super::{RestoreError, publish, worktree};
use super::entries::{INDEX, PACK};
use super::{Files, Refs};

/// The state of moving the pack into the repository.
#[derive(Debug, Serialize, Deserialize)]
pub struct Publish {
    pub(in super::super) plan: Plan,
    /// The pack's checksum; none if there are no objects.
    pub(in super::super) checksum: Option<String>,
}

impl Step<Restore> for Publish {
    async fn run(self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(move |b| {
            let plan = self.plan;
            let source = b.env().source(&b.input().pack, &plan)?;
            let refs = source.newest().refs();
            let target = b.input().target();
            let git_dir = target.git_dir();
            target.check_unborn()?;
            publish::skeleton(&target, &own_dir(b).join("skeleton"), refs, b)?;
            let mut pack_bytes = 0;
            if let Some(checksum) = self.checksum {
                let stem = git_dir.join(format!("objects/pack/pack-{checksum}"));
                let pack = stem.with_extension("pack");
                let index = stem.with_extension("idx");
                b.install_all([(PACK, &pack), (INDEX, &index)])?;
                publish::seal(&stem, b)?;
                if !refs.missing.is_empty() {
                    publish::promise(&stem, b)?;
                }
                pack_bytes = std::fs::metadata(&pack)
                    .map_err(RestoreError::io(&pack))?
                    .len();
            }
            publish::prepare_head(&own_dir(b), refs, b)?;
            if target.bare || worktree::head(refs).is_none() {
                return Transition::to(Refs {
                    plan,
                    pack_bytes,
                    written: None,
                    no_tree: None,
                });
            }
            // From here on files are counted, not objects.
            b.report(0, None);
            b.report_bytes(0, None);
            Transition::to(Files {
                plan,
                pack_bytes,
                checkout: crate::checkout::Checkout::default(),
            })
        })
        .await
    }
}
