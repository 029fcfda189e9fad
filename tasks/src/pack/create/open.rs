//! Taking up what earlier steps, perhaps of another process, have written.

use std::{path::Path, sync::Arc};

use resume_runtime::{Blocking, StepError, StepResult, Transition};

use super::{Create, CreateError, course::Course, frames, prepare::Prepare};
use crate::pack::{
    encode::Pipeline,
    format::Refs,
    gather,
    plan::PlanFile,
    scan::{self, ScanError},
    select::{self, Repository},
    source::{Catalog, Sources},
};

pub(super) use crate::pack::gather::read;

/// The files of the operation.
pub(super) const BASE: &str = "base";
pub(super) const PLAN: &str = "plan";
pub(super) const FRAME_TABLE: &str = "frame-table";
/// The files of the result, before they have their final names.
pub(super) const REFS: &str = "refs";
pub(super) const INDEX: &str = "index";
pub(super) const MANIFEST: &str = "manifest.json";

/// The most that is planned anew before the operation gives up.
const REPLANS: u32 = 8;

type B = Blocking<Create>;

/// The sources, opened.
pub(super) fn sources(b: &mut B) -> Result<Result<Arc<Sources>, CreateError>, StepError> {
    Ok(gather::sources(b)?.map_err(CreateError::from))
}

/// Sources and catalog, kept from step to step.
pub(super) struct Opened {
    pub(super) sources: Arc<Sources>,
    pub(super) catalog: Arc<Catalog>,
    /// The threads that make the frames, once they are at work.
    pub(super) pipeline: Option<Pipeline>,
}

impl Opened {
    pub(super) fn new(sources: &Arc<Sources>, catalog: &Arc<Catalog>) -> Self {
        Self {
            sources: Arc::clone(sources),
            catalog: Arc::clone(catalog),
            pipeline: None,
        }
    }
}

/// The sources with their catalog, as an earlier step left them or opened anew.
pub(super) fn opened(b: &mut B) -> Result<Result<Opened, CreateError>, StepError> {
    if let Some(opened) = b.take_local::<Opened>() {
        return Ok(Ok(opened));
    }
    let sources = match sources(b)? {
        Ok(sources) => sources,
        Err(error) => return Ok(Err(error)),
    };
    let catalog = Catalog::build(&sources).map_err(CreateError::from);
    Ok(catalog.map(|catalog| Opened::new(&sources, &Arc::new(catalog))))
}

/// The refs that were chosen when the operation began.
pub(super) fn refs(b: &mut B) -> Result<Refs, StepError> {
    let bytes = read(b, REFS)?;
    let refs = Refs::parse(&bytes, REFS.as_ref()).map_err(CreateError::from)?;
    // Planned anew, what is cut off may be other objects.
    Ok(Refs::new(refs.head, refs.refs))
}

/// The numbers of the objects that the refs point to.
pub(super) fn tips(
    b: &mut B,
    sources: &Sources,
    catalog: &Catalog,
) -> Result<Result<Vec<u32>, ScanError>, StepError> {
    let refs = refs(b)?;
    let mut tips = Vec::new();
    for (name, id) in select::tips(&refs) {
        let mut oid = [0; 20];
        oid.copy_from_slice(id.as_slice());
        let Some(tip) = catalog.find(sources, &oid) else {
            let damage = sources.damage(&oid).map(ScanError::from);
            return Ok(Err(damage.unwrap_or(ScanError::MissingTip {
                name: name.to_string(),
                id: id.to_string(),
            })));
        };
        tips.push(tip);
    }
    Ok(Ok(tips))
}

/// The plan.
pub(super) fn plan(b: &mut B) -> Result<Arc<PlanFile>, StepError> {
    let plan = PlanFile::open(b.read_file(PLAN)?).map_err(CreateError::from)?;
    Ok(Arc::new(plan))
}

/// A missing object has another reason in a partial clone; who needs it is told.
pub(super) fn missing(
    b: &B,
    (sources, catalog, tips): (&Sources, &Catalog, &[u32]),
    error: ScanError,
) -> CreateError {
    let error = scan::explain(sources, catalog, tips, error, b.interrupt());
    let lacking = matches!(
        error,
        ScanError::Missing { .. } | ScanError::MissingTip { .. }
    );
    let partial = || Repository::open(&b.input().repository).is_ok_and(|git| git.is_partial());
    if lacking && partial() {
        CreateError::Partial(error)
    } else {
        error.into()
    }
}

/// What comes after an error: the error, or the plan made anew if the sources were replaced.
pub(super) fn recover(
    b: &mut B,
    error: CreateError,
    course: Course,
    frame_files: u32,
) -> StepResult<Create> {
    if !error.is_gone() || b.pause_requested() {
        return Err(error.into());
    }
    if course.replans == REPLANS {
        return Err(StepError::needs_user(
            error,
            "let the repository and the pack rest (no `git gc` meanwhile), then resume",
        ));
    }
    b.note(format!("{error}: planning anew"));
    gather::forget(b)?;
    for name in [BASE, PLAN, FRAME_TABLE] {
        b.append_file(name)?.restart()?;
    }
    let work = b.input().work(b.id());
    for number in 0..frame_files {
        b.append_file_in(&work, &frames::file_name(number))?
            .restart()?;
    }
    Transition::to(Prepare {
        course: Course {
            replans: course.replans + 1,
            adds: false,
        },
    })
}

/// The same for complete files, because the pack in `output` changed before they were installed.
pub(super) fn anew(
    b: &mut B,
    course: Course,
    frame_files: u32,
    output: &Path,
) -> StepResult<Create> {
    let changed = || CreateError::Changed(output.to_owned());
    let work = b.input().work(b.id());
    // What was installed before it changed cannot be taken back.
    b.append_file_in(&work, REFS)
        .map_err(|_| StepError::fatal(changed()))?;
    let frames = (0..frame_files).map(frames::file_name);
    for name in [INDEX, MANIFEST]
        .map(str::to_owned)
        .into_iter()
        .chain(frames)
    {
        let file = b.append_file_in(&work, &name);
        file.and_then(|mut file| file.restart())
            .map_err(|_| StepError::fatal(changed()))?;
    }
    recover(b, changed(), course, frame_files)
}
