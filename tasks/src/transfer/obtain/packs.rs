//! The packs that gather.

use std::fs;
use std::path::{Path, PathBuf};

use resume_runtime::{Blocking, Resumable, StepError};

use super::Obtain;
use super::advance::{Advance, Next};
use super::work::{Work, about};
use crate::transfer::receive::Received;

impl Obtain {
    /// Makes one pack of many, where there are many.
    #[expect(clippy::unnecessary_wraps, reason = "packs will be joined here")]
    pub(super) fn join<M: Resumable>(
        self,
        _b: &mut Blocking<M>,
        _work: &mut Work,
    ) -> Result<Next, StepError> {
        Ok(Next::Stop(Advance::Done(self)))
    }

    /// Removes all packs but the one that has everything.
    pub(super) fn drop_others<M: Resumable>(
        &mut self,
        b: &Blocking<M>,
        work: &Work,
        whole: &Received,
    ) -> Result<(), StepError> {
        let Some(keep) = &whole.pack else {
            return Ok(());
        };
        let others = stems(&work.goal.packs())?;
        let mut dropped = false;
        for stem in others {
            if stem.with_extension("pack") == *keep {
                continue;
            }
            // Without its index it is no pack.
            for extension in ["idx", "pack"] {
                let path = stem.with_extension(extension);
                fs::remove_file(&path).map_err(|error| about(&path, error))?;
            }
            dropped = true;
        }
        if dropped {
            b.sync(&work.goal.packs())?;
        }
        self.objects = whole.objects.into();
        Ok(())
    }
}

/// The packs in a directory, without the extension, by name.
pub fn stems(packs: &Path) -> Result<Vec<PathBuf>, StepError> {
    let mut stems = Vec::new();
    for entry in fs::read_dir(packs).map_err(|error| about(packs, error))? {
        let path = entry.map_err(|error| about(packs, error))?.path();
        let named = path.file_name().and_then(|name| name.to_str());
        let pack = named.is_some_and(|name| name.starts_with("pack-"));
        if pack && path.extension().is_some_and(|it| it == "idx") {
            stems.push(path.with_extension(""));
        }
    }
    stems.sort();
    Ok(stems)
}
