//! Looks at the target and the pack.

use resume_runtime::{Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::into;
use super::super::machine::{Plan, Restore, open_again};
use super::{Entries, publish};

/// The first step's state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Check {}

impl Step<Restore> for Check {
    async fn run(self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(|b| {
            let input = b.input();
            if input.into.is_none() {
                input.target().check_free(Some(b.id()))?;
            }
            let plan = Plan::of(&open_again(&input.pack)?, usize::MAX);
            let source = b.env().source(&input.pack, &plan)?;
            if let Some(place) = &input.into {
                place.check(&into::place::open(&input.target)?, source.newest().refs())?;
            }
            b.report(0, Some(source.objects().into()));
            b.report_bytes(0, Some(source.stream_bytes()));
            if source.objects() == 0 {
                return publish(input, plan, None);
            }
            Transition::to(Entries { plan, unit: 0 })
        })
        .await
    }
}
