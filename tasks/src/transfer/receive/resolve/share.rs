//! Who does what: whole objects one by one, and parts of the trees that are left when there are no
//! more.

use std::sync::{
    Condvar, Mutex, MutexGuard, PoisonError,
    atomic::{
        AtomicUsize,
        Ordering::{Relaxed, SeqCst},
    },
};

use super::tree::Children;
use crate::pack::source::Kind;

/// The work of all threads.
pub(super) struct Work {
    /// The next of the roots.
    next: AtomicUsize,
    roots: usize,
    /// How many threads have nothing to do.
    idle: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    given: Vec<Part>,
    threads: usize,
    ended: bool,
}

/// Deltas of one base that a thread leaves to another.
pub(super) struct Part {
    pub(super) kind: Kind,
    /// The base's content.
    pub(super) bytes: Vec<u8>,
    pub(super) children: Children,
}

/// What a thread is to do.
pub(super) enum Job {
    Root(usize),
    Part(Part),
}

impl Work {
    /// So many roots for so many threads.
    pub(super) fn new(roots: usize, threads: usize) -> Self {
        Self {
            next: AtomicUsize::new(0),
            roots,
            idle: AtomicUsize::new(0),
            state: Mutex::new(State {
                given: Vec::new(),
                threads,
                ended: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; waits while others may have something to give. `None` once all is done.
    pub(super) fn take(&self) -> Option<Job> {
        let next = self.next.fetch_add(1, Relaxed);
        if next < self.roots {
            return Some(Job::Root(next));
        }
        let mut state = self.lock();
        self.idle.fetch_add(1, SeqCst);
        loop {
            if state.ended {
                return None;
            }
            if let Some(part) = state.given.pop() {
                self.idle.fetch_sub(1, SeqCst);
                return Some(Job::Part(part));
            }
            if self.idle.load(SeqCst) >= state.threads {
                state.ended = true;
                self.changed.notify_all();
                return None;
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether a thread waits for something to do.
    pub(super) fn is_wanted(&self) -> bool {
        self.idle.load(Relaxed) > 0
    }

    /// Leaves deltas to a thread that waits.
    pub(super) fn give(&self, part: Part) {
        self.lock().given.push(part);
        self.changed.notify_one();
    }

    /// A thread could not be started.
    pub(super) fn one_less(&self) {
        self.lock().threads -= 1;
        self.changed.notify_all();
    }

    /// Ends all threads.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }
}

/// Ends the other threads when the one that has it ends, whatever the reason.
pub(super) struct Guard<'a>(pub(super) &'a Work);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
