//! A slice on the way.

use resume_runtime::{Blocking, Resumable, StepError};

use super::state::{Stage, What};
use super::work::Work;
use super::{Goal, Obtain};

/// What a slice ends with.
#[derive(Debug)]
pub enum Advance {
    /// There is more to do.
    More(Obtain),
    /// The state is to be kept, and to be gone on from later, as the error says.
    Later(Obtain, StepError),
    /// The server does not give an object that was asked for: its refs may have changed. They are to be
    /// listed again; if the tips are other ones, it goes on with [`Obtain::onward`], otherwise with
    /// [`Obtain::without_ids`].
    Changed(Obtain, String),
    /// All is there.
    Done(Obtain),
}

/// How a stage ends.
pub(super) enum Next {
    /// The next one begins.
    Go(Obtain),
    /// A commit is due.
    Yield(Obtain),
    /// The slice ends.
    Stop(Advance),
}

impl Obtain {
    /// Gets objects until a commit is due, or the line is lost, or all is there.
    ///
    /// `goal` is asked once in a process, or after the goal has changed.
    pub fn advance<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        goal: impl FnOnce(&mut Blocking<M>) -> Result<Goal, StepError>,
    ) -> Result<Advance, StepError> {
        let mut work = if let Some(work) = b.take_local::<Work>() {
            work
        } else {
            let goal = goal(b)?;
            Work::open(b, goal)?
        };
        if work.goal.tips.is_empty() {
            return Ok(Advance::Done(self));
        }
        loop {
            let phase = self.phase();
            let next = match self.stage {
                Stage::Bundle => self.bundle(b, &mut work)?,
                Stage::Receive(What::Bundle) => self.take_bundle(b, &mut work)?,
                Stage::Look => self.look(b, &mut work)?,
                Stage::Ask(what) => self.ask(b, &mut work, what)?,
                Stage::Receive(what) => self.receive(b, &mut work, what)?,
                Stage::Index(what) => self.index(b, &mut work, what)?,
                Stage::Salvage(what) => self.salvage(b, &mut work, what)?,
                Stage::Join(begun) => self.join(b, &mut work, begun)?,
                Stage::Install => self.install(b, &mut work)?,
                Stage::Discard => self.discard(b, &work)?,
            };
            match next {
                Next::Go(next) if next.phase() == phase && !b.should_yield() => self = next,
                Next::Go(next) | Next::Yield(next) => {
                    b.keep_local(work);
                    return Ok(Advance::More(next));
                }
                Next::Stop(advance) => return Ok(advance),
            }
        }
    }

    /// Tells how far it is; `coming` objects are on their way.
    pub(super) fn report<M: Resumable>(&self, b: &Blocking<M>, coming: u64) {
        let done = self.objects + coming;
        let total = (self.expected > 0).then(|| self.expected.max(done));
        b.report(done, total);
        b.report_bytes(self.bytes, None);
    }
}
