//! Making the plan.

use std::sync::atomic::Ordering;

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{
    Create, CreateError, Summary,
    base::Base,
    course::Course,
    cut_off::CutOff,
    frames::Frames,
    open::{self, Opened},
    publish::Publish,
    scan::{self, Local, Scan},
};
use crate::pack::{
    format::Refs,
    gather,
    plan::{PlanError, PlanSummary, write_plan},
    scan::{self as scanning, News, Reach, ScanError, Set, Universe},
    source::Oid,
};

/// The scan is complete.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    #[serde(flatten)]
    course: Course,
    /// Whether the scan is in the exported slices, not only in this process's memory.
    exported: bool,
}

/// What is to be done.
enum Planned {
    Layer(PlanSummary),
    /// A short scan that another process kept in memory: it is made again.
    Scan,
    /// Nothing: the pack has it all.
    Nothing(Summary),
}

/// What a scan comes to.
struct Found {
    universe: Universe,
    /// What is to be packed.
    reach: Reach,
    /// What older layers have.
    held: Option<Set>,
    cut_off: CutOff,
}

impl Plan {
    pub(super) const fn new(course: Course, exported: bool) -> Self {
        Self { course, exported }
    }
}

impl Step<Create> for Plan {
    async fn run(self, cx: &mut Context<'_, Create>) -> StepResult<Create> {
        cx.blocking(move |b| Ok(self.slice(b))).await?
    }
}

impl Plan {
    fn slice(self, b: &mut Blocking<Create>) -> StepResult<Create> {
        b.env().at("plan");
        let local = b.take_local::<Local>();
        match self.plan(b, local)? {
            Ok(Planned::Scan) => Transition::to(Scan::from_start(self.course)),
            Ok(Planned::Layer(summary)) => Transition::to(Frames::new(self.course, summary)),
            Ok(Planned::Nothing(summary)) => Transition::to(Publish {
                course: self.course,
                frame_files: 0,
                summary,
            }),
            // A pause: nothing is written yet, and the scan is worth a commit.
            Err(CreateError::Scan(ScanError::Stopped) | CreateError::Plan(PlanError::Stopped)) => {
                Transition::to(self)
            }
            Err(error) => open::recover(b, error, self.course, 0),
        }
    }

    fn plan(
        &self,
        b: &mut Blocking<Create>,
        local: Option<Local>,
    ) -> Result<Result<Planned, CreateError>, StepError> {
        let base = if self.course.adds {
            match Base::open(b)? {
                Ok(base) => Some(base),
                Err(error) => return Ok(Err(error)),
            }
        } else {
            None
        };
        let found = match local {
            Some(Local::New { news, held }) => {
                let News {
                    universe,
                    reach,
                    gaps,
                } = news;
                let cut_off = CutOff::of(&universe, &reach, gaps, None);
                Ok(Found {
                    universe,
                    reach,
                    held: Some(held),
                    cut_off,
                })
            }
            local => {
                let (local, how) = (local.and_then(Local::scanned), scan::how(b));
                match gather::scanned(b, local, self.exported, how)? {
                    Ok(Some((universe, scan))) => reach(b, universe, scan, base.as_ref())?,
                    Ok(None) => return Ok(Ok(Planned::Scan)),
                    Err(error) => Err(error.into()),
                }
            }
        };
        let Found {
            universe,
            reach,
            held,
            cut_off,
        } = match found {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        let added = |oid: &Oid| {
            let id = universe.catalog.find(&universe.sources, oid);
            id.is_some_and(|id| reach.has(id))
        };
        let refs = match cut_off.refs(b, base.as_ref(), added)? {
            Ok(refs) => refs,
            Err(CreateError::Scan(error)) => {
                let (sources, catalog) = (&universe.sources, &universe.catalog);
                let tips = open::tips(b, sources, catalog)?.unwrap_or_default();
                return Ok(Err(open::missing(b, (sources, catalog, &tips), error)));
            }
            Err(error) => return Ok(Err(error)),
        };
        if let Some(base) = base.filter(|_| reach.is_empty())
            && base.refs() == Some(&refs)
        {
            return Ok(Ok(Planned::Nothing(Summary::nothing(&base.manifest))));
        }
        write_refs(b, &refs)?;
        let (interrupt, frame_size) = (b.interrupt().clone(), b.env().frame_size(b.input()));
        let mut out = b.append_file(open::PLAN)?;
        let stopped = || interrupt.load(Ordering::Relaxed);
        let held = held.as_ref();
        let summary = write_plan(&universe, &reach, held, frame_size, &mut out, &stopped);
        if summary.is_ok() {
            b.keep_local(Opened::new(&universe.sources, &universe.catalog));
        }
        Ok(summary.map(Planned::Layer).map_err(CreateError::from))
    }
}

/// What is to be packed, by the scan of everything; and what is held.
fn reach(
    b: &mut Blocking<Create>,
    universe: Universe,
    scan: scanning::Scan,
    base: Option<&Base>,
) -> Result<Result<Found, CreateError>, StepError> {
    let (sources, catalog) = (&universe.sources, &universe.catalog);
    let tips = match open::tips(b, sources, catalog)? {
        Ok(tips) => tips,
        Err(error) => return Ok(Err(open::missing(b, (sources, catalog, &[]), error))),
    };
    let found = if scanning::has_promises(sources) {
        Reach::with_gaps(&universe, scan, &tips, b.interrupt())
    } else {
        Reach::of(&universe, scan, &tips, b.interrupt()).map(|reach| (reach, Vec::new()))
    };
    let (mut reach, gaps) = match found {
        Ok(found) => found,
        Err(error) => return Ok(Err(open::missing(b, (sources, catalog, &tips), error))),
    };
    let held = match base.map(|base| base.held(sources, catalog)).transpose() {
        Ok(held) => held,
        Err(error) => return Ok(Err(error.into())),
    };
    let cut_off = CutOff::of(&universe, &reach, gaps, base.zip(held.as_ref()));
    if let Some(held) = &held {
        reach.leave_out(held);
    }
    Ok(Ok(Found {
        universe,
        reach,
        held,
        cut_off,
    }))
}

/// Writes down what is cut off, with the refs that were chosen.
fn write_refs(b: &mut Blocking<Create>, refs: &Refs) -> Result<(), StepError> {
    let bytes = refs
        .to_bytes(open::REFS.as_ref())
        .map_err(CreateError::from)?;
    if open::read(b, open::REFS)? == bytes {
        return Ok(());
    }
    let work = b.input().work(b.id());
    let mut file = b.append_file_in(&work, open::REFS)?;
    file.restart()?;
    file.append(&bytes)
}
