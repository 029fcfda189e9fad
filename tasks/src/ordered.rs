//! Work on numbered jobs in several threads, with the results handed out in the jobs' order.
//!
//! Threads take the jobs in order too, and wait while they are a window ahead of the reader, so
//! that a slow reader bounds the memory. The threads outlive single calls: what they work out while
//! the reader is elsewhere (in a commit, say) is there when it comes back.
//!
//! Jobs that only one thread can do, one after the other, are a run: they are taken together, and
//! their results handed over one by one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
    /// Behind the last job whose result there will be.
    end: usize,
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
        Self::start_runs(jobs, threads, window, || {
            let mut worker = worker();
            move |jobs: &Jobs<T>| {
                while let Some(mut run) = jobs.take(|job| job + 1) {
                    let result = worker(run.next);
                    run.put(result);
                }
            }
        })
    }

    /// The same for threads that take runs of jobs by themselves: `thread` gives what one of them
    /// does until there are no more.
    ///
    /// # Panics
    /// If not one thread can be started.
    pub(crate) fn start_runs<W>(
        jobs: Range<usize>,
        threads: usize,
        window: usize,
        thread: impl Fn() -> W,
    ) -> Self
    where
        W: FnOnce(&Jobs<T>) + Send + 'static,
    {
        let state = State {
            next: jobs.start,
            end: jobs.end,
            jobs,
            done: BTreeMap::new(),
            stopped: false,
            panicked: false,
            running: 0,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            window: window.max(1),
        });
        for number in 0..threads.max(1) {
            let (jobs, thread) = (Jobs(Arc::clone(&shared)), thread());
            shared.lock().running += 1;
            let started = std::thread::Builder::new().spawn(move || jobs.work(thread));
            if let Err(error) = started {
                shared.lock().running -= 1;
                // Fewer do it, too.
                assert!(number > 0, "no thread can be started: {error}");
                break;
            }
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
        self.next_until(None)
    }

    /// The same, but for no longer than `patience`: `None` also where there is no result by then.
    ///
    /// # Panics
    /// If a worker panicked.
    pub(crate) fn next_within(&mut self, patience: Duration) -> Option<T> {
        self.next_until(Some(Instant::now() + patience))
    }

    fn next_until(&mut self, deadline: Option<Instant>) -> Option<T> {
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
            if state.next >= state.end {
                return None;
            }
            state = match deadline {
                None => self.shared.wait(state),
                Some(deadline) => {
                    let left = deadline.checked_duration_since(Instant::now())?;
                    let waited = self.shared.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
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
}

/// The jobs, for one of the threads.
pub(crate) struct Jobs<T>(Arc<Shared<T>>);

impl<T> Jobs<T> {
    fn work(self, thread: impl FnOnce(&Self)) {
        let mut guard = Guard {
            shared: &self.0,
            panicked: true,
        };
        // What the thread holds is dropped before anybody is told that it ended.
        thread(&self);
        guard.panicked = false;
    }

    /// Takes the next jobs, once they are near enough to the reader: all before `behind`, which is
    /// told the first of them. `None` when there are no more, or nobody wants any.
    pub(crate) fn take(&self, behind: impl Fn(usize) -> usize) -> Option<Run<'_, T>> {
        let mut state = self.0.lock();
        loop {
            if state.stopped || state.jobs.is_empty() {
                return None;
            }
            if state.jobs.start < state.next.saturating_add(self.0.window) {
                let next = state.jobs.start;
                let end = behind(next).clamp(next + 1, state.jobs.end);
                state.jobs.start = end;
                let shared = &self.0;
                return Some(Run { shared, next, end });
            }
            state = self.0.wait(state);
        }
    }

    /// Whether nobody wants any results.
    pub(crate) fn are_stopped(&self) -> bool {
        self.0.lock().stopped
    }
}

/// Jobs that were taken together. Where it is dropped with results missing, there are none from
/// there on.
pub(crate) struct Run<'a, T> {
    shared: &'a Shared<T>,
    next: usize,
    end: usize,
}

impl<T> Run<'_, T> {
    /// The first of the jobs that have no result yet.
    pub(crate) const fn next(&self) -> usize {
        self.next
    }

    /// Hands the next result over, once there is room for it; `false` when nobody wants more.
    pub(crate) fn put(&mut self, result: T) -> bool {
        let mut state = self.shared.lock();
        while !state.stopped && self.next >= state.next.saturating_add(self.shared.window) {
            state = self.shared.wait(state);
        }
        if state.stopped || self.next == self.end {
            return false;
        }
        state.done.insert(self.next, result);
        self.next += 1;
        drop(state);
        self.shared.changed.notify_all();
        true
    }
}

impl<T> Drop for Run<'_, T> {
    fn drop(&mut self) {
        if self.next < self.end {
            let mut state = self.shared.lock();
            state.end = state.end.min(self.next);
            // Not to be taken for the end.
            state.panicked |= std::thread::panicking();
            drop(state);
            self.shared.changed.notify_all();
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

    /// Tens: each ten numbers are a run, and the results say who made them.
    fn tens(jobs: Range<usize>, threads: usize, window: usize) -> Ordered<(usize, usize)> {
        Ordered::start_runs(jobs, threads, window, || {
            |jobs: &Jobs<(usize, usize)>| {
                while let Some(mut run) = jobs.take(|job| job / 10 * 10 + 10) {
                    let first = run.next();
                    while run.put((first, run.next())) {}
                }
            }
        })
    }

    #[test]
    fn runs_are_done_by_one_thread_and_their_results_come_one_by_one() {
        for (threads, window) in [(1, 1), (3, 2), (4, 50)] {
            let mut ordered = tens(7..64, threads, window);
            let results: Vec<_> = std::iter::from_fn(|| ordered.next()).collect();
            let expected = (7..64).map(|job| (7.max(job / 10 * 10), job));
            assert_eq!(results, expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_run_waits_for_the_reader_and_ends_with_it() {
        let mut ordered = tens(0..1_000_000, 1, 3);
        assert_eq!(ordered.next(), Some((0, 0)));
        assert!(ordered.shared.lock().done.len() <= 3);
        ordered.stop();
        assert!(ordered.shared.lock().jobs.start <= 10);
    }

    #[test]
    fn where_a_run_is_given_up_the_results_end() {
        let thread = || {
            |jobs: &Jobs<usize>| {
                while let Some(mut run) = jobs.take(|job| job + 4) {
                    let given_up = if run.next() == 8 { 2 } else { 4 };
                    (0..given_up).for_each(|_| {
                        run.put(run.next());
                    });
                }
            }
        };
        let mut ordered = Ordered::start_runs(0..100, 2, 20, thread);
        let results: Vec<usize> = std::iter::from_fn(|| ordered.next()).collect();
        assert_eq!(results, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn patience_ends_without_a_result_and_loses_none() {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let wait = Mutex::new(Some(wait));
        let worker = || {
            let wait = wait.lock().expect("not poisoned").take();
            move |job| {
                if let Some(wait) = &wait {
                    wait.recv().ok();
                }
                job
            }
        };
        let mut ordered = Ordered::start(0..2, 1, 2, worker);
        assert_eq!(ordered.next_within(Duration::from_millis(1)), None);
        drop(go);
        assert_eq!((ordered.next(), ordered.next()), (Some(0), Some(1)));
        assert_eq!(ordered.next_within(Duration::from_secs(60)), None);
    }

    #[test]
    #[should_panic(expected = "a worker thread panicked")]
    fn a_panic_reaches_the_reader() {
        let mut ordered = Ordered::start(0..10, 2, 3, || |job| assert!(job < 4));
        while ordered.next().is_some() {}
    }
}
