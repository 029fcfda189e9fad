//! Threads that make frames, and their delivery in order.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{EncodeError, Frame, frame::Encoder};
use crate::pack::{
    plan::PlanFile,
    source::{Catalog, Sources},
};

/// Frames in order, made ahead by threads of its own.
///
/// At most a window of frames is finished or in work beyond what was taken, so memory does not
/// depend on the pack's size. Dropping it ends the threads: each stops before its next entry.
pub struct Pipeline {
    shared: Arc<Shared>,
}

struct Shared {
    plan: Arc<PlanFile>,
    sources: Arc<Sources>,
    catalog: Arc<Catalog>,
    window: u32,
    state: Mutex<State>,
    /// A frame was finished, or something failed.
    finished: Condvar,
    /// A frame was taken, or the pipeline ends.
    taken: Condvar,
}

struct State {
    /// The next frame that no thread works on.
    unclaimed: u32,
    /// The next frame to deliver.
    next: u32,
    ready: BTreeMap<u32, Result<Frame, EncodeError>>,
    panicked: bool,
    stop: bool,
}

impl Pipeline {
    /// Starts threads that make the frames from `first` on.
    pub fn start(
        plan: Arc<PlanFile>,
        sources: Arc<Sources>,
        catalog: Arc<Catalog>,
        first: u32,
        threads: usize,
    ) -> std::io::Result<Self> {
        let threads = threads.max(1);
        let shared = Arc::new(Shared {
            plan,
            sources,
            catalog,
            window: u32::try_from(2 * threads + 1).unwrap_or(u32::MAX),
            state: Mutex::new(State {
                unclaimed: first,
                next: first,
                ready: BTreeMap::new(),
                panicked: false,
                stop: false,
            }),
            finished: Condvar::new(),
            taken: Condvar::new(),
        });
        let pipeline = Self { shared };
        for _ in 0..threads {
            let shared = Arc::clone(&pipeline.shared);
            std::thread::Builder::new()
                .name("pack-frames".into())
                .spawn(move || {
                    let _guard = PanicGuard(&shared);
                    shared.work();
                })?;
        }
        Ok(pipeline)
    }

    /// The next frame, in order. `None` when none was finished within `patience`.
    ///
    /// After the last frame there is nothing to wait for: callers know the number of frames.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Frame>, EncodeError> {
        let state = self.shared.state();
        let waiting = |state: &mut State| {
            !state.ready.contains_key(&state.next) && !state.panicked && !state.stop
        };
        let (mut state, _) = self
            .shared
            .finished
            .wait_timeout_while(state, patience, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        let next = state.next;
        match state.ready.remove(&next) {
            Some(Ok(frame)) => {
                state.next += 1;
                self.shared.taken.notify_all();
                Ok(Some(frame))
            }
            Some(Err(error)) => {
                state.stop = true;
                self.shared.taken.notify_all();
                Err(error)
            }
            None if state.panicked => Err(EncodeError::Panicked),
            None => Ok(None),
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.taken.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.state().stop
    }

    fn work(&self) {
        let mut encoder = match Encoder::new(&self.plan, &self.sources, &self.catalog) {
            Ok(encoder) => encoder,
            Err(error) => return self.put(self.state().unclaimed, Err(error)),
        };
        while let Some((number, large)) = self.claim() {
            if !self.wait_for_room(number) {
                return;
            }
            let made = if large {
                let mut deliver = |frame: Frame| {
                    let number = frame.number;
                    self.wait_for_room(number) && {
                        self.put(number, Ok(frame));
                        true
                    }
                };
                let made = encoder.large(number, &mut deliver, &|| self.stopped());
                made.map(|()| None)
            } else {
                encoder.frame(number, &|| self.stopped())
            };
            match made {
                Ok(Some(frame)) => self.put(number, Ok(frame)),
                Ok(None) => {}
                Err(error) => self.put(number, Err(error)),
            }
        }
    }

    /// The next frame that nobody works on, with all further pieces of its entry if it is large.
    fn claim(&self) -> Option<(u32, bool)> {
        let mut state = self.state();
        let number = state.unclaimed;
        let frame = self.plan.frames.get(number as usize)?;
        if state.stop {
            return None;
        }
        state.unclaimed += 1;
        if frame.large {
            while let Some(more) = self.plan.frames.get(state.unclaimed as usize)
                && more.first == frame.first
            {
                state.unclaimed += 1;
            }
        }
        Some((number, frame.large))
    }

    /// Waits until frame `number` lies within the window; whether it still matters then.
    fn wait_for_room(&self, number: u32) -> bool {
        let full =
            |state: &mut State| !state.stop && number >= state.next.saturating_add(self.window);
        let state = self
            .taken
            .wait_while(self.state(), full)
            .unwrap_or_else(PoisonError::into_inner);
        !state.stop
    }

    fn put(&self, number: u32, made: Result<Frame, EncodeError>) {
        let mut state = self.state();
        // An error in the middle of a large entry stands for the first piece that is missing.
        let at = match made {
            Ok(_) => number,
            Err(_) => (number..u32::MAX)
                .find(|at| *at >= state.next && !state.ready.contains_key(at))
                .unwrap_or(number),
        };
        state.ready.insert(at, made);
        self.finished.notify_all();
    }
}

struct PanicGuard<'a>(&'a Shared);

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state().panicked = true;
            self.0.finished.notify_all();
        }
    }
}
