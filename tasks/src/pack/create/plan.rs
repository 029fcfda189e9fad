//! Making the plan.

use std::sync::atomic::Ordering;

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{
    Create, CreateError,
    frames::Frames,
    open,
    scan::{Local, Scan},
};
use crate::pack::{
    plan::{PlanError, PlanSummary, write_plan},
    scan::{self, Reach, ScanError, Universe},
    select::{self, Repository},
};

/// The scan is complete.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    replans: u32,
    /// Whether the scan is in the exported slices, not only in this process's memory.
    exported: bool,
}

impl Plan {
    pub(super) const fn new(replans: u32, exported: bool) -> Self {
        Self { replans, exported }
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
        if local.is_none() && !self.exported {
            // A short scan that another process kept in memory: it is made again.
            return Transition::to(Scan::from_start(self.replans));
        }
        match self.plan(b, local)? {
            Ok(summary) => Transition::to(Frames::new(self.replans, summary)),
            // A pause: nothing is written yet, and the scan is worth a commit.
            Err(CreateError::Scan(ScanError::Stopped) | CreateError::Plan(PlanError::Stopped)) => {
                Transition::to(self)
            }
            Err(error) => open::recover(b, error, self.replans, 0),
        }
    }

    fn plan(
        &self,
        b: &mut Blocking<Create>,
        local: Option<Local>,
    ) -> Result<Result<PlanSummary, CreateError>, StepError> {
        let (universe, in_memory) = match local {
            Some(Local { universe, scan, .. }) => (universe, Some(scan)),
            None => match open::universe(b)? {
                Ok(universe) => (universe, None),
                Err(error) => return Ok(Err(error)),
            },
        };
        let scan = match in_memory {
            Some(scan) if !self.exported => scan,
            _ => {
                let slices = open::read(b, open::SCAN)?;
                let scan = scan::Scan::new(&universe);
                if let Err(error) = scan.absorb(&slices) {
                    return Ok(Err(error.into()));
                }
                scan
            }
        };
        let interrupt = b.interrupt().clone();
        let tips = match tips(b, &universe)? {
            Ok(tips) => tips,
            Err(error) => return Ok(Err(missing(b, error))),
        };
        let reach = match Reach::of(&universe, scan, &tips, &interrupt) {
            Ok(reach) => reach,
            Err(error) => return Ok(Err(missing(b, error))),
        };
        let frame_size = b.env().frame_size();
        let mut out = b.append_file(open::PLAN)?;
        let stopped = || interrupt.load(Ordering::Relaxed);
        let summary = write_plan(&universe, &reach, frame_size, &mut out, &stopped);
        Ok(summary.map_err(CreateError::from))
    }
}

/// The numbers of the objects that the refs point to.
fn tips(
    b: &mut Blocking<Create>,
    universe: &Universe,
) -> Result<Result<Vec<u32>, ScanError>, StepError> {
    let refs = open::refs(b)?;
    let mut tips = Vec::new();
    for (name, id) in select::tips(&refs) {
        let mut oid = [0; 20];
        oid.copy_from_slice(id.as_slice());
        let Some(tip) = universe.catalog.find(&universe.sources, &oid) else {
            let damage = universe.sources.damage(&oid).map(ScanError::from);
            return Ok(Err(damage.unwrap_or(ScanError::MissingTip {
                name: name.to_string(),
                id: id.to_string(),
            })));
        };
        tips.push(tip);
    }
    Ok(Ok(tips))
}

/// A missing object has another reason in a partial clone.
fn missing(b: &Blocking<Create>, error: ScanError) -> CreateError {
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
