//! Scanning commits, tags and trees, slice by slice; or, for a layer, what is new alone.

use std::sync::Arc;

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{Create, CreateError, base::Base, course::Course, open, plan::Plan, threads};
use crate::pack::{
    gather,
    scan::{self, News, Set},
    source::Catalog,
};

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
    #[serde(flatten)]
    cursor: gather::Cursor,
}

/// What was found and not exported.
pub(super) enum Local {
    /// The objects, and what a scan of everything found so far.
    Scanned(gather::Scanned),
    /// What is new, and what the pack holds.
    New { news: News, held: Set },
}

impl Scan {
    pub(super) fn from_start(course: Course) -> Self {
        Self {
            course,
            cursor: gather::Cursor::default(),
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
        if self.course.adds && self.cursor.is_start() && local.is_none() {
            match find_news(b)? {
                Ok(Some(new)) => {
                    b.keep_local(new);
                    return Transition::to(Plan::new(self.course, false));
                }
                Ok(None) => {}
                Err(error) => return open::recover(b, error, self.course, 0),
            }
        }
        let local = local.and_then(Local::scanned);
        let how = how(b);
        match gather::slice(b, local, self.cursor, how)? {
            Ok((local, slice)) => {
                b.keep_local(Local::Scanned(local));
                match slice {
                    gather::Slice::Complete(exported) => {
                        Transition::to(Plan::new(self.course, exported))
                    }
                    gather::Slice::More(cursor) => {
                        self.cursor = cursor;
                        Transition::to(self)
                    }
                }
            }
            Err(error) => open::recover(b, error.into(), self.course, 0),
        }
    }
}

impl Local {
    pub(super) fn scanned(self) -> Option<gather::Scanned> {
        match self {
            Self::Scanned(scanned) => Some(scanned),
            Self::New { .. } => None,
        }
    }
}

/// How this operation scans: with names, which the order of the entries goes by.
pub(super) fn how(b: &Blocking<Create>) -> gather::How {
    gather::How {
        threads: threads(b),
        first: b.env().first_slice(),
        begin: scan::Scan::new,
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
        Err(error) => return Ok(Err(open::missing(b, (&sources, &catalog, &[]), error))),
    };
    let limit = b.env().most_new(catalog.len());
    let news = News::find(&sources, &catalog, &held, &tips, limit, b.interrupt());
    Ok(match news {
        Ok(news) => Ok(news.map(|news| Local::New { news, held })),
        Err(error) => Err(open::missing(b, (&sources, &catalog, &tips), error)),
    })
}
