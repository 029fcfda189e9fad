//! Threads that make frames, and their delivery in order.

use std::{sync::Arc, time::Duration};

use super::{EncodeError, Frame, frame::Encoder};
use crate::{
    compress::ZstdSettings,
    ordered::{Jobs, Ordered},
    pack::{
        plan::PlanFile,
        source::{Catalog, Sources},
    },
};

/// Frames in order, made ahead by threads of its own.
///
/// At most a window of frames is finished or in work beyond what was taken, so memory does not
/// depend on the pack's size. Dropping it ends the threads: each stops before its next entry.
pub struct Pipeline {
    frames: Ordered<Made>,
}

type Made = Result<Frame, EncodeError>;

impl Pipeline {
    /// Starts threads that make the frames from `first` on.
    pub fn start(
        plan: &Arc<PlanFile>,
        sources: &Arc<Sources>,
        catalog: &Arc<Catalog>,
        zstd: ZstdSettings,
        first: u32,
        threads: usize,
    ) -> Self {
        let threads = threads.max(1);
        let jobs = first as usize..plan.frames.len();
        let frames = Ordered::start_runs(jobs, threads, 2 * threads + 1, || {
            let (plan, sources) = (Arc::clone(plan), Arc::clone(sources));
            let catalog = Arc::clone(catalog);
            move |jobs: &Jobs<Made>| work(&plan, &sources, &catalog, zstd, jobs)
        });
        Self { frames }
    }

    /// The next frame, in order. `None` when none was finished within `patience`.
    ///
    /// After the last frame there is nothing to wait for: callers know the number of frames. After
    /// an error there is none.
    ///
    /// # Panics
    /// If a thread panicked.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Frame>, EncodeError> {
        self.frames.next_within(patience).transpose()
    }
}

/// What one of the threads does.
fn work(
    plan: &PlanFile,
    sources: &Sources,
    catalog: &Catalog,
    zstd: ZstdSettings,
    jobs: &Jobs<Made>,
) {
    let stopped = || jobs.are_stopped();
    // An entry's middle cannot be inflated without its beginning: all pieces of a large one are made
    // in one go.
    let behind = |number: usize| {
        let frame = plan.frames[number];
        let pieces = plan.frames[number..].iter();
        let pieces = pieces.take_while(|next| next.large && next.first == frame.first);
        number + pieces.count().max(1)
    };
    let mut encoder = match Encoder::new(plan, sources, catalog, zstd) {
        Ok(encoder) => encoder,
        Err(error) => {
            if let Some(mut run) = jobs.take(behind) {
                run.put(Err(error));
            }
            return;
        }
    };
    while let Some(mut run) = jobs.take(behind) {
        // Frames have numbers of 32 bits: the plan states how many there are.
        let number = u32::try_from(run.next()).unwrap_or(u32::MAX);
        let made = if plan.frames[run.next()].large {
            let mut deliver = |frame| run.put(Ok(frame));
            encoder.large(number, &mut deliver, &stopped).map(|()| None)
        } else {
            encoder.frame(number, &stopped)
        };
        if let Some(made) = made.transpose() {
            run.put(made);
        }
    }
}
