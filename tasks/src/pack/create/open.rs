//! Taking up what earlier steps, perhaps of another process, have written.

use std::{io::Read as _, path::PathBuf, sync::Arc};

use resume_runtime::{Blocking, StepError, StepResult, Transition};

use super::{Create, CreateError, frames, prepare::Prepare};
use crate::pack::{
    format::Refs,
    plan::PlanFile,
    scan::Universe,
    source::{SourceList, Sources},
};

/// The files of the operation.
pub(super) const SOURCES: &str = "sources";
pub(super) const SCAN: &str = "scan";
pub(super) const PLAN: &str = "plan";
pub(super) const FRAME_TABLE: &str = "frame-table";
/// The files of the result, before they have their final names.
pub(super) const REFS: &str = "refs";
pub(super) const INDEX: &str = "index";
pub(super) const MANIFEST: &str = "manifest.json";

/// The most that is planned anew before the operation gives up.
const REPLANS: u32 = 8;

type B = Blocking<Create>;

/// Where links to the source packs are kept.
pub(super) fn links(b: &B) -> Result<PathBuf, StepError> {
    Ok(b.folder()?.join("sources.d"))
}

pub(super) fn read(b: &mut B, name: &str) -> Result<Vec<u8>, StepError> {
    let mut bytes = Vec::new();
    b.read_file(name)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The sources, opened.
pub(super) fn sources(b: &mut B) -> Result<Result<Arc<Sources>, CreateError>, StepError> {
    let bytes = read(b, SOURCES)?;
    let links = links(b)?;
    let opened = SourceList::decode(&bytes).and_then(|list| Sources::open(list, Some(&links)));
    Ok(opened.map(Arc::new).map_err(CreateError::from))
}

/// The objects of the sources.
pub(super) fn universe(b: &mut B) -> Result<Result<Universe, CreateError>, StepError> {
    let read = |sources| Universe::read(sources).map_err(CreateError::from);
    Ok(sources(b)?.and_then(read))
}

/// The refs that were chosen when the operation began.
pub(super) fn refs(b: &mut B) -> Result<Refs, StepError> {
    let bytes = read(b, REFS)?;
    Refs::parse(&bytes, REFS.as_ref()).map_err(|error| CreateError::from(error).into())
}

/// The plan.
pub(super) fn plan(b: &mut B) -> Result<Arc<PlanFile>, StepError> {
    let plan = PlanFile::open(b.read_file(PLAN)?).map_err(CreateError::from)?;
    Ok(Arc::new(plan))
}

/// What comes after an error: the error, or the plan made anew if the sources were replaced.
pub(super) fn recover(
    b: &mut B,
    error: CreateError,
    replans: u32,
    frame_files: u32,
) -> StepResult<Create> {
    if !error.is_gone() || b.pause_requested() {
        return Err(error.into());
    }
    if replans == REPLANS {
        return Err(StepError::needs_user(
            error,
            "let the repository rest (no `git gc` meanwhile), then resume",
        ));
    }
    b.note(format!("{error}: planning anew"));
    for name in [SOURCES, SCAN, PLAN, FRAME_TABLE] {
        b.append_file(name)?.restart()?;
    }
    let work = b.input().work(b.id());
    for number in 0..frame_files {
        b.append_file_in(&work, &frames::file_name(number))?
            .restart()?;
    }
    Transition::to(Prepare {
        replans: replans + 1,
    })
}
