//! Looks at the target and the pack.

use resume_runtime::{Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::super::format::PackDir;
use super::super::RestoreError;
use super::super::machine::{Plan, Restore};
use super::{Entries, Publish};

/// The first step's state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Check {}

impl Step<Restore> for Check {
    async fn run(self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(|b| {
            let input = b.input();
            input.target().check_free(Some(b.id()))?;
            let plan = Plan::of(
                &PackDir::open(&input.pack).map_err(RestoreError::from)?,
                usize::MAX,
            );
            let source = b.env().source(&input.pack, &plan)?;
            b.report(0, Some(source.objects().into()));
            b.report_bytes(0, Some(source.stream_bytes()));
            if source.objects() == 0 {
                return Transition::to(Publish {
                    plan,
                    checksum: None,
                });
            }
            Transition::to(Entries { plan, unit: 0 })
        })
        .await
    }
}
