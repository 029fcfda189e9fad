//! Giving the bundle its name.

use std::fs;

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{BUNDLE, Bundle, BundleError, Summary};

/// The file is complete.
#[derive(Debug, Serialize, Deserialize)]
pub struct Publish {
    pub(super) summary: Summary,
}

impl Step<Bundle> for Publish {
    async fn run(self, cx: &mut Context<'_, Bundle>) -> StepResult<Bundle> {
        let published = cx.blocking(move |b| self.publish(b)).await?;
        Transition::done(published)
    }
}

impl Publish {
    fn publish(self, b: &mut Blocking<Bundle>) -> Result<Summary, StepError> {
        b.env().at("publish");
        let input = b.input().clone();
        let work = input.work(b.id());
        // While the unfinished file is there, what has its final name is somebody else's.
        let unpublished = fs::read_dir(&work).is_ok_and(|mut entries| entries.next().is_some());
        if unpublished && input.output.symlink_metadata().is_ok() {
            return Err(BundleError::Exists(input.output.clone()).into());
        }
        b.install(BUNDLE, &input.output)?;
        // Nothing but the bundle stays, even if this process ends before it can tidy up.
        if fs::remove_dir(&work).is_ok() {
            b.sync(input.folder())?;
        }
        Ok(self.summary)
    }
}
