//! Scanning commits, tags and trees, slice by slice.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use resume_runtime::{Blocking, Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{Create, CreateError, open, plan::Plan, threads};
use crate::pack::scan::{self, Universe};

/// The first slice of a process; each is twice as long as the one before.
///
/// A slice costs the time and space of its export. Short ones at first let a process that does not
/// live long leave something behind; long ones later keep the cost small.
pub(super) const FIRST_SLICE: Duration = Duration::from_millis(150);
const LONGEST_SLICE: Duration = Duration::from_secs(2);

/// How far the scan is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Scan {
    pub(super) replans: u32,
    /// The first delta tree that is not in the exported slices.
    cursor: u64,
    /// The number of objects in them.
    objects: u64,
}

/// The objects, and what was found and not exported.
pub(super) struct Local {
    pub(super) universe: Universe,
    pub(super) scan: scan::Scan,
    slice: Duration,
}

impl Scan {
    pub(super) const fn from_start(replans: u32) -> Self {
        Self {
            replans,
            cursor: 0,
            objects: 0,
        }
    }
}

impl Step<Create> for Scan {
    async fn run(self, cx: &mut Context<'_, Create>) -> StepResult<Create> {
        cx.blocking(move |b| Ok(self.slice(b))).await?
    }
}

impl Scan {
    fn slice(mut self, b: &mut Blocking<Create>) -> StepResult<Create> {
        b.env().at("scan");
        let mut local = match b.take_local::<Local>() {
            Some(local) => local,
            None => match open::universe(b)? {
                Ok(universe) => Local {
                    scan: scan::Scan::new(&universe),
                    universe,
                    slice: b.env().first_slice(),
                },
                Err(error) => return open::recover(b, error, self.replans, 0),
            },
        };
        let total = scan::Scan::objects(&local.universe);
        let (start, before, progress) = (Instant::now(), self.objects, b.progress().clone());
        progress.set_bytes(0, None);
        let scanned_now = AtomicU64::new(0);
        let enough = |done| {
            scanned_now.fetch_max(done, Ordering::Relaxed);
            progress.set_items(before + done, Some(total));
            start.elapsed() >= local.slice
        };
        let from = self.cursor;
        let scanned = local
            .scan
            .run(&local.universe, from, threads(b), b.interrupt(), &enough);
        match scanned {
            Ok(cursor) => self.cursor = cursor,
            Err(error) => return open::recover(b, CreateError::from(error), self.replans, 0),
        }
        self.objects += scanned_now.into_inner();
        let complete = self.cursor == local.scan.len();
        // A scan that is complete within one slice stays in memory: it is not worth writing.
        let exported = !(complete && from == 0);
        if exported {
            let mut bytes = Vec::new();
            local.scan.export(&mut bytes);
            b.append_file(open::SCAN)?.append(&bytes)?;
        }
        local.slice = LONGEST_SLICE.min(2 * local.slice);
        b.keep_local(local);
        if complete {
            Transition::to(Plan::new(self.replans, exported))
        } else {
            Transition::to(self)
        }
    }
}
