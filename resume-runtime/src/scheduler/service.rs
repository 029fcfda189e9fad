//! The scheduler itself.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::active::Active;
use super::builder::Builder;
use super::handle::Handle;
use super::machine::Machine;
use super::start::Start;
use super::task::Seat;
use crate::database::Database;
use crate::error::Classify as _;
use crate::event::{self, Event, EventKind};
use crate::operation::Operation;
use crate::pause::PausedBy;
use crate::progress::Progress;
use crate::records;
use crate::resumable::Resumable;
use crate::retry::RetryPolicy;
use crate::stopped::Stopped;

/// Drives operations: starts and resumes them, as many at once as its limits
/// allow, and pauses them. Clones share it.
#[derive(Clone)]
pub struct Scheduler {
    inner: Arc<Inner>,
}

struct Inner {
    db: Database,
    machines: HashMap<&'static str, Arc<dyn Machine>>,
    limit: Arc<Semaphore>,
    kinds: HashMap<String, Arc<Semaphore>>,
    retry: RetryPolicy,
    folder: Option<PathBuf>,
    active: Arc<Active>,
    watcher: Arc<Watcher>,
}

/// Looks at pause requests of other processes, for as long as there is a
/// scheduler or an operation that it drives.
#[derive(Debug)]
pub(super) struct Watcher(JoinHandle<()>);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Scheduler {
    /// Sets a scheduler up over a store.
    pub fn builder(db: Database) -> Builder {
        Builder::new(db)
    }

    pub(super) fn new(builder: Builder) -> Self {
        let active = Arc::new(Active::new());
        let watcher = tokio::spawn(watch(builder.db.clone(), Arc::clone(&active)));
        Self {
            inner: Arc::new(Inner {
                db: builder.db,
                machines: builder.machines,
                limit: builder.limit,
                kinds: builder.kinds,
                retry: builder.retry,
                folder: builder.folder,
                active,
                watcher: Arc::new(Watcher(watcher)),
            }),
        }
    }

    /// The store that it works on.
    pub fn database(&self) -> &Database {
        &self.inner.db
    }

    /// Starts a new operation. When this returns, its record is durable.
    pub async fn start<M: Resumable>(
        &self,
        input: M::Input,
        start: Start,
    ) -> Result<Handle<M::Output>, Stopped> {
        let machine = self.machine(M::KIND, "")?;
        let mut op = start.record(M::KIND);
        op.input =
            Some(
                serde_json::to_value(input)
                    .or_fatal()
                    .map_err(|error| Stopped::Failed {
                        id: op.id.clone(),
                        error: error.context("its input cannot be stored"),
                    })?,
            );
        op.owner = Some(self.inner.db.instance().owner().clone());
        op.state.total_steps = Some(machine.steps());
        // In hand before it is seen, so that nobody finds it without an owner.
        let id: Arc<str> = op.id.as_str().into();
        let seat = self.seat(&id, M::KIND)?;
        let written = self.inner.db.write(move |txn| {
            records::put(txn, &op)?;
            event::append(txn, &op.id, &Event::of(EventKind::Created, &op))
        });
        if let Err(error) = written.await {
            self.inner.active.leave(&id);
            return Err(error.into());
        }
        Ok(spawn(seat, machine))
    }

    /// Takes an operation up again that is paused, interrupted or failed, from
    /// its last commit.
    ///
    /// That somebody else drives it, or that it is completed, shows when the
    /// handle is awaited.
    pub fn resume<M: Resumable>(&self, id: &str) -> Result<Handle<M::Output>, Stopped> {
        let op = self.record(id)?;
        if op.kind() != M::KIND {
            return Err(Stopped::Kind {
                id: id.to_owned(),
                found: op.kind().to_owned(),
                wanted: M::KIND.to_owned(),
            });
        }
        self.take_up(id, M::KIND)
    }

    /// The same for an operation of any kind that was registered; its output
    /// comes as JSON.
    pub fn resume_any(&self, id: &str) -> Result<Handle<Value>, Stopped> {
        let op = self.record(id)?;
        self.take_up(id, op.kind())
    }

    /// Asks one operation of this process to pause; `false` when it drives no
    /// such operation.
    pub fn pause(&self, id: &str) -> bool {
        self.inner.active.pause(id, PausedBy::Caller)
    }

    /// Asks every operation of this process to pause, and those that start later
    /// as well.
    pub fn pause_all(&self) {
        self.inner.active.pause_all(PausedBy::Caller);
    }

    /// What a watcher holds, so that it does not keep the store open.
    pub(crate) fn pauser(&self) -> Arc<Active> {
        Arc::clone(&self.inner.active)
    }

    /// Waits until this process drives nothing.
    pub async fn idle(&self) {
        let mut ended = self.inner.active.ended();
        while !self.inner.active.is_idle() {
            if ended.changed().await.is_err() {
                return;
            }
        }
    }

    fn record(&self, id: &str) -> Result<Operation, Stopped> {
        self.inner
            .db
            .read(|txn| records::get(txn, id))?
            .ok_or_else(|| Stopped::Unknown { id: id.to_owned() })
    }

    fn take_up<T>(&self, id: &str, kind: &str) -> Result<Handle<T>, Stopped> {
        let machine = self.machine(kind, id)?;
        let id: Arc<str> = id.into();
        let seat = self.seat(&id, kind)?;
        Ok(spawn(seat, machine))
    }

    fn machine(&self, kind: &str, id: &str) -> Result<Arc<dyn Machine>, Stopped> {
        self.inner.machines.get(kind).cloned().ok_or_else(|| {
            let known: Vec<_> = self.inner.machines.keys().copied().collect();
            Stopped::Kind {
                id: id.to_owned(),
                found: kind.to_owned(),
                wanted: known.join("`, `"),
            }
        })
    }

    fn seat(&self, id: &Arc<str>, kind: &str) -> Result<Seat, Stopped> {
        let inner = &self.inner;
        let taken = inner.active.enter(&inner.db, id);
        let (pause, hand) = taken.ok_or_else(|| Stopped::Busy {
            id: id.to_string(),
            owner: inner.db.instance().owner().clone(),
        })?;
        // The kind's limit first: who waits for it takes nobody else's place.
        let limits = inner
            .kinds
            .get(kind)
            .into_iter()
            .chain([&inner.limit])
            .map(Arc::clone)
            .collect();
        Ok(Seat {
            id: Arc::clone(id),
            db: inner.db.clone(),
            active: Arc::clone(&inner.active),
            pause,
            hand,
            _watcher: Arc::clone(&inner.watcher),
            progress: Arc::new(Progress::new()),
            retry: inner.retry.clone(),
            private: inner.folder.as_ref().map(|folder| folder.join(&**id)),
            limits,
        })
    }
}

fn spawn<T>(seat: Seat, machine: Arc<dyn Machine>) -> Handle<T> {
    Handle {
        id: Arc::clone(&seat.id),
        pause: Arc::clone(&seat.pause),
        progress: Arc::clone(&seat.progress),
        task: tokio::spawn(seat.run(machine)),
        output: PhantomData,
    }
}

async fn watch(db: Database, active: Arc<Active>) {
    let mut requests = db.pause_requests();
    while requests.changed().await.is_ok() {
        active.pause_requested(&db);
    }
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler")
            .field("db", &self.inner.db)
            .field("active", &self.inner.active)
            .finish_non_exhaustive()
    }
}
