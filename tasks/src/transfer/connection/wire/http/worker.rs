//! The thread that makes requests.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};

use super::super::super::ConnectionError;
use super::answer::{Answer, Event, Pulse};
use super::transfer::{Handler, Job, perform};

/// So many blocks of an answer wait for who reads it.
const AHEAD: usize = 16;

type Task = (Job, std::sync::mpsc::SyncSender<Event>, Arc<Pulse>);

/// A thread that makes one request after the other over the same connection. It ends when its
/// `Worker` is gone and its request is over or left.
pub(super) struct Worker {
    tasks: Sender<Task>,
}

impl Worker {
    pub(super) fn start() -> Result<Self, ConnectionError> {
        let (tasks, jobs) = channel();
        let thread = std::thread::Builder::new().name("http".into());
        let started = thread.spawn(move || work(&jobs));
        started.map_err(|error| ConnectionError::Unreachable {
            host: "the server".into(),
            reason: format!("no thread for the connection: {error}"),
        })?;
        Ok(Self { tasks })
    }

    /// Makes a request; all that comes of it is in the answer.
    pub(super) fn take(&mut self, job: Job) -> Result<Answer, ConnectionError> {
        let (tell, events) = sync_channel(AHEAD);
        let pulse = Arc::new(Pulse::default());
        let task = (job, tell, Arc::clone(&pulse));
        let gone = |_| ConnectionError::cut("with the thread that made it");
        self.tasks.send(task).map_err(gone)?;
        Ok(Answer::new(events, pulse))
    }
}

fn work(jobs: &Receiver<Task>) {
    let mut easy = curl::easy::Easy2::new(Handler::default());
    while let Ok((job, tell, pulse)) = jobs.recv() {
        let end = perform(&mut easy, job, &tell, &pulse);
        // Who asked may have left.
        let _ = tell.send(Event::End(end));
    }
}
