//! Which refs, what is excluded, and which files the objects are read from.

use resume_runtime::{Blocking, Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{BASIS, Bundle, BundleError, REFS, Scan, error::recover};
use crate::pack::{gather, source::SourceList};

/// Nothing is known yet but what is asked for.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Prepare {
    /// How often the sources vanished before.
    pub(super) replans: u32,
}

impl Step<Bundle> for Prepare {
    async fn run(self, cx: &mut Context<'_, Bundle>) -> StepResult<Bundle> {
        cx.blocking(move |b| Ok(self.prepare(b))).await?
    }
}

impl Prepare {
    fn prepare(&self, b: &mut Blocking<Bundle>) -> StepResult<Bundle> {
        b.env().at("prepare");
        let input = b.input().clone();
        let repository = input.open()?;
        // Refs before objects: whatever they reach is then among the objects that are listed. They
        // are chosen once; planning anew is for the same refs.
        if self.replans == 0 {
            let choice = input.choice()?;
            let chosen = choice.resolve(&repository)?;
            chosen.check()?;
            let remarks = repository.remarks(&choice.selection());
            for remark in remarks.map_err(BundleError::from)? {
                b.note(remark);
            }
            let bytes = chosen.refs.to_bytes(REFS.as_ref());
            b.append_file(REFS)?
                .append(&bytes.map_err(BundleError::from)?)?;
            let mut basis = b.append_file(BASIS)?;
            for id in &chosen.basis {
                basis.append(id.as_slice())?;
            }
        }
        let find = || SourceList::find(&repository.objects());
        match gather::hold(b, &find)? {
            Ok(()) => Transition::to(Scan::from_start(self.replans)),
            Err(error) => recover(b, error.into(), self.replans),
        }
    }
}
