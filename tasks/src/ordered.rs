//! Work on numbered jobs in several threads, with the results handed out in the jobs' order.
//!
//! Threads take the jobs in order too, and wait while they are a window ahead of the reader, so
//! that a slow reader bounds the memory. The threads outlive single calls: what they work out while
//! the reader is elsewhere (in a commit, say) is there when it comes back.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Results of jobs in the jobs' order. Dropping it ends the threads after their present job, but
/// does not wait for them: who pauses is in a hurry.
pub(crate) struct Ordered<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    window: usize,
}

struct State<T> {
    /// Jobs that no thread has taken.
    jobs: Range<usize>,
    /// The job whose result is handed out next.
    next: usize,
    done: BTreeMap<usize, T>,
    stopped: bool,
    panicked: bool,
    /// Threads that have not ended.
    running: usize,
}

impl<T: Send + 'static> Ordered<T> {
    /// Starts `threads` threads, each with a worker of its own, on `jobs`. At most `window` jobs are
    /// under way or waiting to be read.
    pub(crate) fn start<W>(
        jobs: Range<usize>,
        threads: usize,
        window: usize,
        worker: impl Fn() -> W,
    ) -> Self
    where
        W: FnMut(usize) -> T + Send + 'static,
    {
        let state = State {
            next: jobs.start,
            jobs,
            done: BTreeMap::new(),
            stopped: false,
            panicked: false,
            running: threads.max(1),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            window: window.max(1),
        });
        for _ in 0..threads.max(1) {
            let (shared, worker) = (Arc::clone(&shared), worker());
            std::thread::spawn(move || shared.work(worker));
        }
        Self { shared }
    }
}

impl<T> Ordered<T> {
    /// Ends the threads, and waits until each is done with its present job.
    pub(crate) fn stop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        self.shared.changed.notify_all();
        while state.running > 0 {
            state = self.shared.wait(state);
        }
    }

    /// Waits for the next result; `None` behind the last.
    ///
    /// # Panics
    /// If a worker panicked.
    pub(crate) fn next(&mut self) -> Option<T> {
        let mut state = self.shared.lock();
        loop {
            assert!(!state.panicked, "a worker thread panicked");
            let next = state.next;
            if let Some(result) = state.done.remove(&next) {
                state.next += 1;
                drop(state);
                self.shared.changed.notify_all();
                return Some(result);
            }
            if state.next == state.jobs.end {
                return None;
            }
            state = self.shared.wait(state);
        }
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, mut worker: impl FnMut(usize) -> T) {
        let mut guard = Guard {
            shared: self,
            panicked: true,
        };
        while let Some(job) = self.take() {
            let result = worker(job);
            self.lock().done.insert(job, result);
            self.changed.notify_all();
        }
        // What the worker holds is dropped before anybody is told that it ended.
        drop(worker);
        guard.panicked = false;
    }

    fn take(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.stopped || state.jobs.is_empty() {
                return None;
            }
            if state.jobs.start < state.next + self.window {
                return state.jobs.next();
            }
            state = self.wait(state);
        }
    }
}

/// Tells of a thread's end; the reader, which would otherwise wait forever, of one that unwinds.
struct Guard<'a, T> {
    shared: &'a Shared<T>,
    panicked: bool,
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.running -= 1;
        state.panicked |= self.panicked;
        drop(state);
        self.shared.changed.notify_all();
    }
}

impl<T> Drop for Ordered<T> {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_come_in_order_whatever_the_threads() {
        for threads in [1, 2, 7] {
            let mut ordered = Ordered::start(5..500, threads, 4, || |job| job * 3);
            let results: Vec<usize> = std::iter::from_fn(|| ordered.next()).collect();
            assert_eq!(results, (5..500).map(|job| job * 3).collect::<Vec<_>>());
            assert_eq!(ordered.next(), None);
        }
    }

    #[test]
    fn threads_stay_within_the_window() {
        let started = Arc::new(AtomicUsize::new(0));
        let worker = || {
            let started = Arc::clone(&started);
            move |job: usize| {
                started.fetch_add(1, Ordering::SeqCst);
                job
            }
        };
        let mut ordered = Ordered::start(0..100, 3, 5, worker);
        for read in 0..100 {
            assert_eq!(ordered.next(), Some(read));
            // What was read, plus the window, is all that may have begun.
            assert!(started.load(Ordering::SeqCst) <= read + 1 + 5);
        }
    }

    #[test]
    fn dropping_it_early_ends_the_threads() {
        let alive = Arc::new(());
        let worker = || {
            let alive = Arc::clone(&alive);
            move |job| (Arc::strong_count(&alive), job).1
        };
        let mut ordered = Ordered::start(0..usize::MAX, 2, 3, worker);
        assert_eq!(ordered.next(), Some(0));
        drop(ordered);
        while Arc::strong_count(&alive) > 1 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn stopped_it_has_no_threads() {
        let alive = Arc::new(());
        let worker = || {
            let alive = Arc::clone(&alive);
            move |job| (Arc::strong_count(&alive), job).1
        };
        let mut ordered = Ordered::start(0..usize::MAX, 3, 4, worker);
        assert_eq!(ordered.next(), Some(0));
        ordered.stop();
        ordered.stop();
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    #[test]
    #[should_panic(expected = "a worker thread panicked")]
    fn a_panic_reaches_the_reader() {
        let mut ordered = Ordered::start(0..10, 2, 3, || |job| assert!(job < 4));
        while ordered.next().is_some() {}
    }
}
