//! Scanning commits, tags and trees, slice by slice; or, for a layer, what is new alone.

use std::{
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{Create, CreateError, base::Base, course::Course, open, plan::Plan, threads};
use crate::pack::{
    scan::{self, News, Set, Universe},
    source::Catalog,
};

/// The first slice of a process; each is twice as long as the one before.
///
/// A slice costs the time and space of its export. Short ones at first let a process that does not
/// live long leave something behind; long ones later keep the cost small.
pub(super) const FIRST_SLICE: Duration = Duration::from_millis(150);
const LONGEST_SLICE: Duration = Duration::from_secs(2);

/// A layer of at most one in so many of the objects is found by walking from the refs to what is
/// held; a larger one by the scan of everything, which can be cut into slices.
pub(super) const NEW_OF: u32 = 16;
/// The walk is taken for so many objects in any case.
pub(super) const NEW_AT_LEAST: u32 = 4096;

/// How far the scan is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Scan {
    #[serde(flatten)]
    pub(super) course: Course,
    /// The first delta tree that is not in the exported slices.
    cursor: u64,
    /// The number of objects in them.
    objects: u64,
}

/// What was found and not exported.
pub(super) enum Local {
    /// The objects, and what a scan of everything found so far.
    Scanned {
        universe: Universe,
        scan: scan::Scan,
        slice: Duration,
    },
    /// What is new, and what the pack holds.
    New { news: News, held: Set },
}

impl Scan {
    pub(super) const fn from_start(course: Course) -> Self {
        Self {
            course,
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
        let local = b.take_local::<Local>();
        if self.course.adds && self.cursor == 0 && local.is_none() {
            match find_news(b)? {
                Ok(Some(new)) => {
                    b.keep_local(new);
                    return Transition::to(Plan::new(self.course, false));
                }
                Ok(None) => {}
                Err(error) => return open::recover(b, error, self.course, 0),
            }
        }
        let (universe, scan, slice) = match local {
            Some(Local::Scanned {
                universe,
                scan,
                slice,
            }) => (universe, scan, slice),
            _ => match open::universe(b)? {
                Ok(universe) => {
                    let scan = scan::Scan::new(&universe);
                    (universe, scan, b.env().first_slice())
                }
                Err(error) => return open::recover(b, error, self.course, 0),
            },
        };
        let total = scan::Scan::objects(&universe);
        let (start, before, progress) = (Instant::now(), self.objects, b.progress().clone());
        progress.set_bytes(0, None);
        let scanned_now = AtomicU64::new(0);
        let enough = |done| {
            scanned_now.fetch_max(done, Ordering::Relaxed);
            progress.set_items(before + done, Some(total));
            start.elapsed() >= slice
        };
        let from = self.cursor;
        match scan.run(&universe, from, threads(b), b.interrupt(), &enough) {
            Ok(cursor) => self.cursor = cursor,
            Err(error) => return open::recover(b, CreateError::from(error), self.course, 0),
        }
        self.objects += scanned_now.into_inner();
        let complete = self.cursor == scan.len();
        // A scan that is complete within one slice stays in memory: it is not worth writing.
        let exported = !(complete && from == 0);
        if exported {
            let mut bytes = Vec::new();
            scan.export(&mut bytes);
            b.append_file(open::SCAN)?.append(&bytes)?;
        }
        b.keep_local(Local::Scanned {
            universe,
            scan,
            slice: LONGEST_SLICE.min(2 * slice),
        });
        if complete {
            Transition::to(Plan::new(self.course, exported))
        } else {
            Transition::to(self)
        }
    }
}

/// What the refs reach beyond what the pack holds; none where the scan of everything must tell.
fn find_news(b: &mut Blocking<Create>) -> Result<Result<Option<Local>, CreateError>, StepError> {
    let sources = match open::sources(b)? {
        Ok(sources) => sources,
        Err(error) => return Ok(Err(error)),
    };
    let base = match Base::open(b)? {
        Ok(base) => base,
        Err(error) => return Ok(Err(error)),
    };
    if base.is_cut_off() {
        return Ok(Ok(None));
    }
    let catalog = match Catalog::build(&sources) {
        Ok(catalog) => Arc::new(catalog),
        Err(error) => return Ok(Err(error.into())),
    };
    let held = base.held(&sources, &catalog).map_err(CreateError::from)?;
    let tips = match open::tips(b, &sources, &catalog)? {
        Ok(tips) => tips,
        Err(error) => return Ok(Err(open::missing(b, error))),
    };
    let limit = b.env().most_new(catalog.len());
    let news = News::find(&sources, &catalog, &held, &tips, limit, b.interrupt());
    Ok(match news {
        Ok(news) => Ok(news.map(|news| Local::New { news, held })),
        Err(error) => Err(open::missing(b, error)),
    })
}
