//! What is made of a line that was lost.

use std::time::Duration;

use resume_runtime::{Blocking, ErrorClass, Resumable, StepError};

use super::work::Work;
use super::{Advance, Obtain, Said, Server};
use crate::transfer::connection::ConnectionError;

/// The wait after the first setback.
const FIRST: Duration = Duration::from_millis(500);
/// No wait between two tries is longer, but where the server asks for it.
const LONGEST: Duration = Duration::from_secs(60);
/// Whoever asks to be left alone for longer is left alone by all of the run.
const PATIENCE: Duration = Duration::from_secs(300);

/// Why not all of an answer came.
pub struct Loss {
    /// What went wrong.
    pub error: StepError,
    /// How long the server asks to be left alone.
    pub after: Option<Duration>,
}

impl From<ConnectionError> for Loss {
    fn from(error: ConnectionError) -> Self {
        Self {
            after: error.retry_after(),
            error: error.into(),
        }
    }
}

impl Obtain {
    /// Nothing was gained: waits, each time for longer, and ends the run in the end.
    ///
    /// What does not pass by itself is an error of the step.
    pub(super) fn setback<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &Work,
        loss: Loss,
    ) -> Result<Advance, StepError> {
        let server = &work.goal.server;
        let error = weigh(b, &mut self.setbacks, work.goal.tries, server, loss)?;
        Ok(Advance::Later(self, error))
    }
}

/// Nothing was gained, once more in a row: gives the error of the next wait, or of the end of the run,
/// to be returned with the state that has the count.
///
/// What does not pass by itself is an error of the step.
pub fn weigh<M: Resumable>(
    b: &mut Blocking<M>,
    setbacks: &mut u32,
    tries: u32,
    server: &Server,
    loss: Loss,
) -> Result<StepError, StepError> {
    if loss.error.class() != ErrorClass::Transient || b.pause_requested() {
        return Err(loss.error);
    }
    let wait = loss.after.unwrap_or_else(|| doubled(*setbacks));
    *setbacks += 1;
    let error = loss.error.not_before(wait);
    if *setbacks >= tries || wait > PATIENCE {
        // Whoever continues it begins with new patience.
        *setbacks = 0;
        return Ok(error.give_up());
    }
    let seconds = wait.as_secs_f32();
    let text = format!("{error}; trying again in {seconds:.1} s");
    (server.tell)(Said::Trouble(&text));
    b.note(text);
    Ok(error)
}

/// The wait after so many setbacks.
fn doubled(setbacks: u32) -> Duration {
    let factor = 1_u32.checked_shl(setbacks).unwrap_or(u32::MAX);
    FIRST.saturating_mul(factor).min(LONGEST)
}

/// Tells the user of something that went wrong.
pub(super) fn trouble<M: Resumable>(b: &mut Blocking<M>, work: &Work, text: &str) {
    (work.goal.server.tell)(Said::Trouble(text));
    b.note(text);
}

/// Tells whoever wants to know how it goes on.
pub(super) fn choice<M: Resumable>(b: &mut Blocking<M>, work: &Work, text: &str) {
    (work.goal.server.tell)(Said::Choice(text));
    b.note(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits = [0, 1, 2, 6, 7, 80].map(|n| doubled(n).as_millis());
        assert_eq!(waits, [500, 1_000, 2_000, 32_000, 60_000, 60_000]);
    }
}
