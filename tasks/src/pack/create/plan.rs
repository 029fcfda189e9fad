//! Making the plan.

use std::sync::atomic::Ordering;

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{
    Create, CreateError, Summary,
    base::Base,
    course::Course,
    frames::Frames,
    open::{self, Opened},
    publish::Publish,
    scan::{self, Local, Scan},
};
use crate::pack::{
    gather,
    plan::{PlanError, PlanSummary, write_plan},
    scan::{self as scanning, Reach, ScanError, Set, Universe},
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

/// The objects, which of them are to be packed, and which are held.
type Found = (Universe, Reach, Option<Set>);

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
            Some(Local::New { news, held }) => Ok((news.universe, news.reach, Some(held))),
            local => {
                let (local, how) = (local.and_then(Local::scanned), scan::how(b));
                match gather::scanned(b, local, self.exported, how)? {
                    Ok(Some((universe, scan))) => reach(b, universe, scan, base.as_ref())?,
                    Ok(None) => return Ok(Ok(Planned::Scan)),
                    Err(error) => Err(error.into()),
                }
            }
        };
        let (universe, reach, held) = match found {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(base) = base.filter(|_| reach.is_empty())
            && base.refs() == Some(&open::refs(b)?)
        {
            return Ok(Ok(Planned::Nothing(Summary::nothing(&base.manifest))));
        }
        let (interrupt, frame_size) = (b.interrupt().clone(), b.env().frame_size());
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
    let tips = match open::tips(b, &universe.sources, &universe.catalog)? {
        Ok(tips) => tips,
        Err(error) => return Ok(Err(open::missing(b, error))),
    };
    let mut reach = match Reach::of(&universe, scan, &tips, b.interrupt()) {
        Ok(reach) => reach,
        Err(error) => return Ok(Err(open::missing(b, error))),
    };
    let Some(base) = base else {
        return Ok(Ok((universe, reach, None)));
    };
    let held = match base.held(&universe.sources, &universe.catalog) {
        Ok(held) => held,
        Err(error) => return Ok(Err(error.into())),
    };
    reach.leave_out(&held);
    Ok(Ok((universe, reach, Some(held))))
}
