//! Which refs, and which files their objects are read from.

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{Create, CreateError, open, scan::Scan};
use crate::pack::source::SourceList;

/// How often the list of sources is made when packs vanish while they are linked.
const TRIES: u32 = 10;

/// Nothing is known yet but what is asked for.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Prepare {
    /// How often the sources vanished before.
    pub(super) replans: u32,
}

impl Step<Create> for Prepare {
    async fn run(self, cx: &mut Context<'_, Create>) -> StepResult<Create> {
        let replans = self.replans;
        cx.blocking(move |b| self.prepare(b)).await?;
        Transition::to(Scan::from_start(replans))
    }
}

impl Prepare {
    fn prepare(&self, b: &mut Blocking<Create>) -> Result<(), StepError> {
        b.env().at("prepare");
        let input = b.input().clone();
        let repository = input.check_for(Some(b.id()))?;
        let work = input.work(b.id());
        // Refs before objects: whatever they reach is then among the objects that are listed. They
        // are chosen once; planning anew is for the same refs.
        if self.replans == 0 {
            let refs = repository.refs(&input.refs).map_err(CreateError::from)?;
            let bytes = refs
                .to_bytes(open::REFS.as_ref())
                .map_err(CreateError::from)?;
            b.append_file_in(&work, open::REFS)?.append(&bytes)?;
        }
        let links = open::links(b)?;
        let mut tries = 0;
        let list = loop {
            let mut list = SourceList::find(&repository.objects()).map_err(CreateError::from)?;
            match list.hold(&links) {
                Ok(()) => break list,
                Err(error) if error.is_gone() && tries < TRIES => tries += 1,
                Err(error) => return Err(CreateError::from(error).into()),
            }
        };
        // Whatever Git left unsynced must be on disk before a state relies on it.
        for link in list.links(&links) {
            b.sync(&link)?;
        }
        b.sync(&links)?;
        b.append_file(open::SOURCES)?.append(&list.encode())
    }
}
