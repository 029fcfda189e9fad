//! Deciding what the bundle holds, and in which order.

use std::sync::atomic::Ordering;

use gix_hash::ObjectId;
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{
    BASIS, BUNDLE, Bundle, BundleError, Entries, PLAN, REFS, Scan, choice, contents, entries::Head,
    error::recover, header, layout::Totals, order, scan,
};
use crate::pack::{
    format::Refs,
    gather::{self, Found},
    scan::ScanError,
    select::Repository,
};

/// The scan is complete.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    replans: u32,
    /// Whether the scan is in the exported slices, not only in this process's memory.
    exported: bool,
}

/// How many names of refs a note has.
const NAMED: usize = 10;

impl Plan {
    pub(super) const fn new(replans: u32, exported: bool) -> Self {
        Self { replans, exported }
    }
}

impl Step<Bundle> for Plan {
    async fn run(self, cx: &mut Context<'_, Bundle>) -> StepResult<Bundle> {
        cx.blocking(move |b| Ok(self.slice(b))).await?
    }
}

impl Plan {
    fn slice(self, b: &mut Blocking<Bundle>) -> StepResult<Bundle> {
        b.env().at("plan");
        match self.plan(b)? {
            Ok(Some((totals, head))) => Transition::to(Entries::new(self.replans, totals, head)),
            // A short scan that another process kept in memory: it is made again.
            Ok(None) => Transition::to(Scan::from_start(self.replans)),
            // A pause: nothing is written yet, and the scan is worth a commit.
            Err(BundleError::Stopped | BundleError::Scan(ScanError::Stopped)) => {
                Transition::to(self)
            }
            Err(error) => recover(b, error, self.replans),
        }
    }

    fn plan(&self, b: &mut Blocking<Bundle>) -> Found<Option<(Totals, Head)>, BundleError> {
        let (local, how) = (b.take_local(), scan::how(b));
        let (universe, scan) = match gather::scanned(b, local, self.exported, how)? {
            Ok(Some(scanned)) => scanned,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(error.into())),
        };
        let refs = Refs::parse(&gather::read(b, REFS)?, REFS.as_ref());
        let refs = choice::listed(&refs.map_err(BundleError::from)?)?;
        let basis = basis(&gather::read(b, BASIS)?)?;
        let interrupt = b.interrupt().clone();
        let chosen = match contents::choose(&universe, &scan, refs, &basis, &interrupt) {
            Ok(chosen) => chosen,
            Err(error) => return Ok(Err(missing(b, error))),
        };
        let header = header::write(&chosen.prerequisites, &chosen.refs);
        let sizes = b.env().sizes();
        let stopped = || interrupt.load(Ordering::Relaxed);
        let mut out = b.append_file(PLAN)?;
        let totals = match order::write(&universe, &chosen.contents, sizes, &mut out, &stopped) {
            Ok(totals) => totals,
            Err(error) => {
                // Of half a plan nothing stays.
                b.append_file(PLAN)?.restart()?;
                return Ok(Err(error));
            }
        };
        let work = b.input().work(b.id());
        b.append_file_in(&work, BUNDLE)?.append(&header)?;
        note(b, &chosen);
        // The commit that follows is of the next step: none of its entries is done.
        b.report(0, Some(totals.entries.into()));
        b.report_bytes(0, Some(totals.bytes));
        Ok(Ok(Some((
            totals,
            Head {
                bytes: header.len() as u64,
                refs: chosen.refs.len() as u64,
                refs_left_out: chosen.left_out.len() as u64,
                prerequisites: chosen.prerequisites.len() as u64,
            },
        ))))
    }
}

fn basis(bytes: &[u8]) -> Result<Vec<ObjectId>, StepError> {
    let (ids, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(BundleError::Damaged("the list of what is excluded is cut short").into());
    }
    Ok(ids.iter().map(|id| ObjectId::Sha1(*id)).collect())
}

/// Says in the journal which refs are missing in the bundle.
fn note(b: &mut Blocking<Bundle>, chosen: &contents::Chosen<'_>) {
    let names = chosen.left_out.iter().take(NAMED).map(ToString::to_string);
    let mut names: Vec<String> = names.collect();
    if names.is_empty() {
        return;
    }
    if chosen.left_out.len() > NAMED {
        names.push(format!("and {} more", chosen.left_out.len() - NAMED));
    }
    b.note(format!(
        "left out, since what they point to is excluded: {}",
        names.join(", ")
    ));
}

/// A missing object has another reason in a partial clone.
fn missing(b: &Blocking<Bundle>, error: BundleError) -> BundleError {
    let partial = || Repository::open(&b.input().repository).is_ok_and(|git| git.is_partial());
    match error {
        BundleError::Scan(error @ (ScanError::Missing { .. } | ScanError::MissingTip { .. }))
            if partial() =>
        {
            BundleError::Partial(error)
        }
        error => error,
    }
}
