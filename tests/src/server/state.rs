//! What the threads of a server share.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::fault::Rule;
use super::{Body, Fault, Kind, Served};

/// All of it.
#[derive(Debug)]
pub(super) struct Shared {
    /// The directory that is served.
    pub(super) root: PathBuf,
    /// What its git processes see.
    pub(super) environment: Vec<(OsString, OsString)>,
    state: Mutex<State>,
    changed: Condvar,
}

/// The part that changes.
#[derive(Debug, Default)]
pub(super) struct State {
    /// All requests, in the order in which they came.
    pub(super) served: Vec<Served>,
    pub(super) rules: Vec<Rule>,
    /// Where to cut: places in all bytes of the answers with objects together.
    pub(super) cuts: VecDeque<u64>,
    /// Where to cut the next requests that bring a pack: places in their bodies; none where one is to
    /// be let be.
    pub(super) body_cuts: VecDeque<Option<u64>>,
    /// Such requests so far.
    pub(super) bodies: Vec<Body>,
    /// These bytes so far.
    pub(super) objects: u64,
    /// Answers that are being sent.
    pub(super) busy: usize,
    /// Those of them that stand still.
    pub(super) holding: usize,
    /// How often they were let go.
    pub(super) releases: u64,
    /// The header that must come with each request.
    pub(super) authorization: Option<String>,
    /// What `Git-Protocol` is taken to be, whatever the client says.
    pub(super) protocol: Option<String>,
    /// The connections that are open.
    pub(super) open: HashMap<u64, TcpStream>,
    pub(super) connections: u64,
    pub(super) stopped: bool,
}

impl Shared {
    pub(super) fn new(root: PathBuf, environment: Vec<(OsString, OsString)>) -> Self {
        Self {
            root,
            environment,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and wakes who waits for it.
    pub(super) fn change<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        let done = with(&mut self.lock());
        self.changed.notify_all();
        done
    }

    /// Waits until something holds, or the server is to stop.
    pub(super) fn wait(&self, until: impl Fn(&State) -> bool) {
        let state = self.lock();
        let wait = self
            .changed
            .wait_while(state, |state| !state.stopped && !until(state));
        drop(wait);
    }

    /// Ends all connections, and lets no new one live.
    pub(super) fn stop(&self) {
        self.change(|state| {
            state.stopped = true;
            for stream in state.open.values() {
                // It may be closed already.
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
    }
}

impl State {
    /// Notes a request; gives its number, and what is to go wrong with it.
    pub(super) fn begin(&mut self, served: Served) -> (usize, Option<Fault>) {
        let kind = served.kind;
        self.served.push(served);
        // Each rule counts what passes it.
        let faults: Vec<_> = self.rules.iter_mut().map(|rule| rule.apply(kind)).collect();
        let fault = faults.into_iter().flatten().next();
        (self.served.len() - 1, fault)
    }

    /// Where to cut a request that brings a pack of so many bytes; it counts what comes.
    pub(super) fn bring(&mut self, length: u64) -> Option<u64> {
        let cut = match self.body_cuts.front() {
            Some(Some(at)) if *at >= length => None,
            _ => self.body_cuts.pop_front().flatten(),
        };
        let whole = cut.is_none();
        let bytes = cut.unwrap_or(length);
        self.bodies.push(Body { bytes, whole });
        cut
    }

    /// Counts bytes that were sent.
    pub(super) fn count(&mut self, number: usize, bytes: u64, pack: u64) {
        let served = &mut self.served[number];
        served.sent += bytes;
        served.pack += pack;
        if served.kind == Kind::Fetch {
            self.objects += bytes;
        }
    }

    /// How many bytes of an answer with objects may be sent before the next cut.
    pub(super) fn before_cut(&self, number: usize) -> Option<u64> {
        let next = self.cuts.front()?;
        (self.served[number].kind == Kind::Fetch).then(|| next.saturating_sub(self.objects))
    }
}

/// An answer that is being sent.
pub(super) struct Busy<'a>(&'a Shared);

impl<'a> Busy<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        shared.change(|state| state.busy += 1);
        Self(shared)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.busy -= 1);
    }
}
