//! Giving everything its final name.

use std::fs;

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{Create, CreateError, Summary, frames, open};
use crate::pack::format::{INDEX_NAME, LAYERS_NAME, MANIFEST_NAME, REFS_NAME};

/// All files are complete.
#[derive(Debug, Serialize, Deserialize)]
pub struct Publish {
    pub(super) frame_files: u32,
    pub(super) summary: Summary,
}

impl Step<Create> for Publish {
    async fn run(self, cx: &mut Context<'_, Create>) -> StepResult<Create> {
        let published = cx.blocking(move |b| self.publish(b)).await?;
        Transition::done(published)
    }
}

impl Publish {
    fn publish(self, b: &mut Blocking<Create>) -> Result<Summary, StepError> {
        b.env().at("publish");
        let output = b.input().output.clone();
        let manifest = output.join(MANIFEST_NAME);
        // Somebody else's manifest is never replaced; ours is there if this was done before.
        match fs::read(&manifest) {
            Ok(found) if !self.is_ours(&found) => return Err(CreateError::Exists(output).into()),
            _ => {}
        }
        let layer = output.join(LAYERS_NAME).join(&self.summary.layer);
        for number in 0..self.frame_files {
            let name = frames::file_name(number);
            b.install(&name, &layer.join(&name))?;
        }
        b.install(open::INDEX, &layer.join(INDEX_NAME))?;
        b.install(open::REFS, &layer.join(REFS_NAME))?;
        b.install(open::MANIFEST, &manifest)?;
        // Nothing but the pack stays, even if this process ends before it can tidy up.
        if fs::remove_dir(b.input().work(b.id())).is_ok() {
            b.sync(&output)?;
        }
        Ok(self.summary)
    }

    fn is_ours(&self, manifest: &[u8]) -> bool {
        let text = String::from_utf8_lossy(manifest);
        text.contains(&self.summary.layer)
    }
}
