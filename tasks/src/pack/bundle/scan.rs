//! Scanning commits, tags and trees, slice by slice.

use resume_runtime::{Blocking, Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{Bundle, Plan, error::recover, threads};
use crate::pack::{gather, scan};

/// How far the scan is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Scan {
    replans: u32,
    #[serde(flatten)]
    cursor: gather::Cursor,
}

impl Scan {
    pub(super) fn from_start(replans: u32) -> Self {
        Self {
            replans,
            cursor: gather::Cursor::default(),
        }
    }
}

impl Step<Bundle> for Scan {
    async fn run(self, cx: &mut Context<'_, Bundle>) -> StepResult<Bundle> {
        cx.blocking(move |b| Ok(self.slice(b))).await?
    }
}

impl Scan {
    fn slice(mut self, b: &mut Blocking<Bundle>) -> StepResult<Bundle> {
        b.env().at("scan");
        let (local, how) = (b.take_local(), how(b));
        match gather::slice(b, local, self.cursor, how)? {
            Ok((local, slice)) => {
                b.keep_local(local);
                match slice {
                    gather::Slice::Complete(exported) => {
                        Transition::to(Plan::new(self.replans, exported))
                    }
                    gather::Slice::More(cursor) => {
                        self.cursor = cursor;
                        Transition::to(self)
                    }
                }
            }
            Err(error) => recover(b, error.into(), self.replans),
        }
    }
}

/// How this operation scans. The entries stay in the order that their packs have them in: names have
/// no say.
pub(super) fn how(b: &Blocking<Bundle>) -> gather::How {
    gather::How {
        threads: threads(b),
        first: b.env().first_slice(),
        begin: scan::Scan::without_names,
    }
}
