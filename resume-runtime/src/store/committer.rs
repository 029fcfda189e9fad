//! The one thread that writes, and group commit.
//!
//! Making a transaction durable costs a disk's answer, whatever is in it. So all
//! writes of a process go through one thread, which runs as many jobs as are
//! waiting in one transaction and answers them together. The backends gain from
//! that too: a write transaction never leaves the thread that it began on.
//!
//! When a batch has been answered, its senders are about to come back with their
//! next jobs. The thread waits for as many as it has just seen, for at most half
//! the time that the last commit took; a single sender is never waited for.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Store, StoreError, WriteTxn};

/// The most jobs in one transaction.
const BATCH: usize = 2048;
/// The longest wait for jobs that are likely to come.
const GATHER: Duration = Duration::from_millis(2);

/// The handle of the writing thread. Dropping it runs what is queued, then ends
/// the thread.
pub(crate) struct Committer {
    jobs: Option<Sender<Box<dyn Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Committer {
    pub(crate) fn start(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let (jobs, queue) = channel();
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                Writer {
                    store,
                    queue,
                    waiting: Vec::new(),
                }
                .run();
            })
            .map_err(|e| StoreError::Backend(format!("no thread for its writer: {e}")))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Runs `body` in a transaction together with others' and returns once it is
    /// durable. `body` may be run more than once, each time on a fresh
    /// transaction; only the last run counts. What it refuses for reasons of its
    /// own it says in `T`, before its first write: an `Err` is the store's.
    pub(crate) async fn submit<T, F>(&self, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn WriteTxn) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.send(body, Answer::Async(answer))?;
        answered.await.unwrap_or(Err(StoreError::Closed))
    }

    /// As [`Self::submit`], for a caller that can block; it may be a thread of an
    /// async runtime.
    pub(crate) fn submit_blocking<T, F>(&self, body: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn WriteTxn) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = sync_channel(1);
        self.send(body, Answer::Blocking(answer))?;
        answered.recv().unwrap_or(Err(StoreError::Closed))
    }

    fn send<T, F>(&self, body: F, answer: Answer<T>) -> Result<(), StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn WriteTxn) -> Result<T, StoreError> + Send + 'static,
    {
        let job = Box::new(Typed {
            body,
            output: None,
            answer,
        });
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(job).map_err(|_| StoreError::Closed)
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.jobs = None;
        let thread = self
            .thread
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // A job may hold the last handle: its thread cannot wait for itself.
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            // It catches what jobs panic with, so nothing is lost here.
            let _ = thread.join();
        }
    }
}

/// A queued write, whatever it gives.
trait Job: Send {
    fn run(&mut self, txn: &mut dyn WriteTxn) -> Result<(), StoreError>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

enum Answer<T> {
    Async(oneshot::Sender<Result<T, StoreError>>),
    Blocking(SyncSender<Result<T, StoreError>>),
}

struct Typed<T, F> {
    body: F,
    output: Option<T>,
    answer: Answer<T>,
}

impl<T, F> Job for Typed<T, F>
where
    T: Send,
    F: FnMut(&mut dyn WriteTxn) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, txn: &mut dyn WriteTxn) -> Result<(), StoreError> {
        self.output = None;
        let output = catch_unwind(AssertUnwindSafe(|| (self.body)(txn)))
            .unwrap_or_else(|panic| Err(StoreError::Panicked(message_of(&*panic))))?;
        self.output = Some(output);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { output, answer, .. } = *self;
        let result = outcome.and_then(|()| output.ok_or(StoreError::Closed));
        // A receiver that is gone does not want to know.
        match answer {
            Answer::Async(sender) => drop(sender.send(result)),
            Answer::Blocking(sender) => drop(sender.send(result)),
        }
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

struct Writer {
    store: Arc<dyn Store>,
    queue: Receiver<Box<dyn Job>>,
    /// Jobs that came while the last batch was being written.
    waiting: Vec<Box<dyn Job>>,
}

impl Writer {
    fn run(&mut self) {
        let mut senders = 0;
        let mut patience = Duration::ZERO;
        while let Some(batch) = self.gather(senders, patience) {
            let began = Instant::now();
            let jobs = batch.len();
            self.commit(batch);
            // None of the batch could come back before it was answered: so many
            // senders there are.
            senders = jobs + self.waiting.len();
            patience = (began.elapsed() / 2).min(GATHER);
        }
    }

    /// The next batch, or `None` when every handle is gone and the queue empty.
    fn gather(&mut self, senders: usize, patience: Duration) -> Option<Vec<Box<dyn Job>>> {
        let mut batch = std::mem::take(&mut self.waiting);
        let deadline = Instant::now() + patience;
        while batch.len() < BATCH {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.queue.try_recv() {
                Ok(job) => batch.push(job),
                Err(_) if batch.is_empty() => batch.push(self.queue.recv().ok()?),
                // One sender, time after time: there is nobody to wait for.
                Err(_) if senders < 2 || batch.len() >= senders => break,
                Err(_) => match self.queue.recv_timeout(left) {
                    Ok(job) => batch.push(job),
                    Err(_) => break,
                },
            }
        }
        Some(batch)
    }

    /// Runs a batch in one transaction. Jobs that make it fail are taken out and
    /// run by themselves, so that only the guilty ones fail.
    fn commit(&mut self, mut batch: Vec<Box<dyn Job>>) {
        let mut apart = Vec::new();
        while !batch.is_empty() {
            match self.attempt(&mut batch) {
                Err((Some(guilty), _)) if batch.len() > 1 => apart.push(batch.remove(guilty)),
                outcome => {
                    let outcome = outcome.map_err(|(_, error)| error);
                    self.waiting.extend(self.queue.try_iter().take(BATCH));
                    for job in batch.drain(..) {
                        job.answer(match &outcome {
                            Ok(()) => Ok(()),
                            Err(error) => Err(error.duplicate()),
                        });
                    }
                }
            }
        }
        for job in apart {
            let mut alone = [job];
            let outcome = self.attempt(&mut alone).map_err(|(_, error)| error);
            let [job] = alone;
            job.answer(outcome);
        }
    }

    /// One transaction. On failure says which job was running, if one was.
    fn attempt(&self, batch: &mut [Box<dyn Job>]) -> Result<(), (Option<usize>, StoreError)> {
        let mut running = None;
        let mut body = |txn: &mut dyn WriteTxn| {
            for (at, job) in batch.iter_mut().enumerate() {
                running = Some(at);
                job.run(txn)?;
            }
            running = None;
            Ok(())
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| self.store.write(&mut body)))
            .unwrap_or_else(|panic| Err(StoreError::Panicked(message_of(&*panic))));
        outcome.map_err(|error| (running, error))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::{MemoryStore, ReadTxn, Space};
    use super::*;

    /// A store that counts its transactions and holds each one up until it is
    /// let through, so that a test knows what is in which batch.
    struct Gated {
        store: MemoryStore,
        commits: AtomicUsize,
        began: Sender<()>,
        through: Mutex<Receiver<()>>,
    }

    impl Store for Gated {
        fn read(
            &self,
            body: &mut dyn FnMut(&dyn ReadTxn) -> Result<(), StoreError>,
        ) -> Result<(), StoreError> {
            self.store.read(body)
        }

        fn write(
            &self,
            body: &mut dyn FnMut(&mut dyn WriteTxn) -> Result<(), StoreError>,
        ) -> Result<(), StoreError> {
            if self.began.send(()).is_ok() {
                let _ = self.through.lock().unwrap().recv();
            }
            self.store.write(body)?;
            self.commits.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    struct Gate {
        store: Arc<Gated>,
        began: Receiver<()>,
        through: Sender<()>,
    }

    fn gated() -> (Committer, Gate) {
        let (began, has_begun) = channel();
        let (through, gate) = channel();
        let store = Arc::new(Gated {
            store: MemoryStore::new(),
            commits: AtomicUsize::new(0),
            began,
            through: Mutex::new(gate),
        });
        let committer = Committer::start(Arc::clone(&store) as Arc<dyn Store>).unwrap();
        let gate = Gate {
            store,
            began: has_begun,
            through,
        };
        (committer, gate)
    }

    fn value(store: &dyn Store, key: &[u8]) -> Option<Vec<u8>> {
        let mut value = None;
        store
            .read(&mut |txn| {
                value = txn.get(Space::Meta, key)?;
                Ok(())
            })
            .unwrap();
        value
    }

    fn set(key: &'static str) -> impl FnMut(&mut dyn WriteTxn) -> Result<(), StoreError> {
        move |txn| txn.put(Space::Meta, key.as_bytes(), b"1")
    }

    /// Queues a job without waiting for its answer.
    fn queue<T: Send + 'static>(
        committer: &Committer,
        body: impl FnMut(&mut dyn WriteTxn) -> Result<T, StoreError> + Send + 'static,
    ) -> Receiver<Result<T, StoreError>> {
        let (answer, answered) = sync_channel(1);
        committer.send(body, Answer::Blocking(answer)).unwrap();
        answered
    }

    #[test]
    fn what_waits_goes_into_one_transaction() {
        let (committer, gate) = gated();
        let first = queue(&committer, set("first"));
        gate.began.recv().unwrap();
        let rest: Vec<_> = (0..100_u8)
            .map(|i| queue(&committer, move |txn| txn.put(Space::Meta, &[i], b"1")))
            .collect();
        gate.through.send(()).unwrap();
        first.recv().unwrap().unwrap();
        gate.began.recv().unwrap();
        gate.through.send(()).unwrap();
        for answer in rest {
            answer.recv().unwrap().unwrap();
        }
        assert_eq!(gate.store.commits.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_job_that_fails_or_panics_fails_alone() {
        let (committer, gate) = gated();
        let first = queue(&committer, set("first"));
        gate.began.recv().unwrap();
        let before = queue(&committer, set("before"));
        let failing = queue(&committer, |txn| {
            txn.put(Space::Meta, b"spoiled", b"1")?;
            txn.put(Space::Meta, b"", b"1")
        });
        let between = queue(&committer, set("between"));
        let panicking = queue::<()>(&committer, |txn| {
            txn.put(Space::Meta, b"spoiled", b"1")?;
            panic!("planted");
        });
        let after = queue(&committer, set("after"));
        let Gate {
            store,
            began,
            through,
        } = gate;
        drop(began);
        drop(through);
        for good in [first, before, between, after] {
            good.recv().unwrap().unwrap();
        }
        assert!(matches!(
            failing.recv().unwrap(),
            Err(StoreError::Key { length: 0, .. })
        ));
        match panicking.recv().unwrap() {
            Err(StoreError::Panicked(message)) => assert_eq!(message, "planted"),
            other => panic!("{other:?}"),
        }
        assert_eq!(value(&*store, b"spoiled"), None);
        for key in ["first", "before", "between", "after"] {
            assert!(value(&*store, key.as_bytes()).is_some(), "{key}");
        }
        committer.submit_blocking(set("later")).unwrap();
    }

    #[test]
    fn a_commit_that_fails_fails_its_jobs_and_nothing_else() {
        let store = Arc::new(MemoryStore::new());
        let committer = Committer::start(Arc::clone(&store) as Arc<dyn Store>).unwrap();
        store.fail_next(StoreError::Full {
            path: "data".into(),
            available: 0,
        });
        let failed = committer.submit_blocking(set("a"));
        assert!(matches!(failed, Err(StoreError::Full { .. })));
        assert_eq!(value(&*store, b"a"), None);
        committer.submit_blocking(set("a")).unwrap();
        assert!(value(&*store, b"a").is_some());
    }

    #[test]
    fn the_last_handle_waits_for_the_queue() {
        let (committer, gate) = gated();
        let answers: Vec<_> = (0..10_u8)
            .map(|i| queue(&committer, move |txn| txn.put(Space::Meta, &[i], b"1")))
            .collect();
        let Gate {
            store,
            began,
            through,
        } = gate;
        drop(began);
        drop(through);
        drop(committer);
        for answer in answers {
            answer.try_recv().unwrap().unwrap();
        }
        assert!(value(&*store, &[9]).is_some());
        // The thread is gone, and with it its hold on the store.
        assert_eq!(Arc::strong_count(&store), 1);
    }

    #[tokio::test]
    async fn both_ways_to_wait_work_inside_a_runtime() {
        let (committer, gate) = gated();
        drop(gate.began);
        drop(gate.through);
        committer.submit(set("async")).await.unwrap();
        committer.submit_blocking(set("blocking")).unwrap();
        assert!(value(&*gate.store, b"async").is_some());
        assert!(value(&*gate.store, b"blocking").is_some());
    }
}
