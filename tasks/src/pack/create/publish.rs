//! Giving everything its final name.

use std::{fs, path::Path};

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{Create, Summary, base, course::Course, frames, open};
use crate::pack::format::{INDEX_NAME, LAYERS_NAME, MANIFEST_NAME, Manifest, REFS_NAME};

/// All files are complete.
#[derive(Debug, Serialize, Deserialize)]
pub struct Publish {
    #[serde(flatten)]
    pub(super) course: Course,
    pub(super) frame_files: u32,
    pub(super) summary: Summary,
}

impl Step<Create> for Publish {
    async fn run(self, cx: &mut Context<'_, Create>) -> StepResult<Create> {
        cx.blocking(move |b| Ok(self.slice(b))).await?
    }
}

/// What the pack directory holds.
enum Standing {
    /// What it held when the operation looked at it.
    Expected,
    /// What this operation makes.
    Done,
    /// Something else.
    Changed,
}

impl Publish {
    fn slice(self, b: &mut Blocking<Create>) -> StepResult<Create> {
        b.env().at("publish");
        let (input, work) = (b.input().clone(), b.input().work(b.id()));
        let output = &input.output;
        if self.summary.unchanged {
            if fs::remove_dir_all(&work).is_ok() {
                b.sync(output)?;
            }
            return Transition::done(self.summary);
        }
        let lock = base::lock(output)?;
        match self.standing(b, output)? {
            Standing::Changed => return open::anew(b, self.course, self.frame_files, output),
            Standing::Expected | Standing::Done => {}
        }
        // Repeated, each of these finds what was done before.
        let layer = output.join(LAYERS_NAME).join(&self.summary.layer);
        let frames = (0..self.frame_files).map(|number| {
            let name = frames::file_name(number);
            let to = layer.join(&name);
            (name, to)
        });
        let others = [(open::INDEX, INDEX_NAME), (open::REFS, REFS_NAME)];
        let others = others.map(|(name, to)| (name.to_owned(), layer.join(to)));
        b.install_all(frames.chain(others))?;
        b.install(open::MANIFEST, &output.join(MANIFEST_NAME))?;
        drop(lock);
        // Nothing but the pack stays, even if this process ends before it can tidy up.
        if fs::remove_dir(work).is_ok() {
            b.sync(output)?;
        }
        Transition::done(self.summary)
    }

    fn standing(&self, b: &mut Blocking<Create>, output: &Path) -> Result<Standing, StepError> {
        let kept = if self.course.adds {
            open::read(b, open::BASE)?
        } else {
            Vec::new()
        };
        let found = base::read_manifest(output)?;
        if found == kept {
            return Ok(Standing::Expected);
        }
        let path = output.join(MANIFEST_NAME);
        let newest = Manifest::parse(&found, &path)
            .ok()
            .and_then(|manifest| manifest.layers.last().map(|layer| layer.id.to_string()));
        Ok(if newest.as_ref() == Some(&self.summary.layer) {
            Standing::Done
        } else {
            Standing::Changed
        })
    }
}
