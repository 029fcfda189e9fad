//! Takes what comes.

use resume_runtime::{Blocking, Resumable, StepError};

use super::Obtain;
use super::advance::Next;
use super::line::Event;
use super::setback::Loss;
use super::state::{Stage, What};
use super::work::{RAW, Work};
use crate::transfer::connection::ConnectionError;
use crate::transfer::receive::{Incoming, Parsed, ReceiveError};

impl Obtain {
    /// Takes bytes of a pack until a commit is due, or nothing more comes.
    pub(super) fn receive<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
        what: What,
    ) -> Result<Next, StepError> {
        let (Some(line), Some(mut incoming)) = (work.line.take(), work.incoming.take()) else {
            // The process that received it is gone, and its connection with it.
            self.stage = Stage::Salvage(what);
            return Ok(Next::Go(self));
        };
        let ended = loop {
            let seen = incoming.seen();
            if what == What::All {
                self.expected = self.expected.max(seen.announced.into());
            }
            self.report(b, seen.objects.into());
            match line.next() {
                // It begins once, and is no file.
                None | Some(Event::Began(_) | Event::Offered(_) | Event::Opened(..)) => {}
                Some(Event::Bytes(bytes)) => {
                    b.append_file_in(&work.goal.own, RAW)?.append(&bytes)?;
                    self.bytes += bytes.len() as u64;
                    if let Err(fault) = incoming.feed(&bytes) {
                        break Err(damaged(fault));
                    }
                    line.used(bytes);
                }
                Some(Event::Ended(source)) => {
                    work.source = source;
                    break Ok(());
                }
                Some(Event::Failed(error)) => break Err(Loss::from(error)),
            }
            if b.should_yield() {
                (work.line, work.incoming) = (Some(line), Some(incoming));
                return Ok(Next::Yield(self));
            }
        };
        let parsed = incoming.end()?;
        let loss = match (ended, parsed.fault()) {
            (Err(loss), _) => Some(loss),
            (Ok(()), Some(fault)) => Some(damaged(fault.clone().into())),
            (Ok(()), None) if !parsed.is_whole() => {
                let reason = "the pack ended early".to_owned();
                Some(Loss::from(ConnectionError::Lost { reason }))
            }
            (Ok(()), None) => None,
        };
        self.stage = match loss {
            Some(_) => Stage::Salvage(what),
            None => Stage::Index(what),
        };
        (work.loss, work.parsed) = (loss, Some(parsed));
        // Nothing is made of bytes that could be cut back later.
        b.want_commit();
        Ok(Next::Yield(self))
    }
}

/// Bytes that make no sense: they may have been damaged on their way.
fn damaged(fault: ReceiveError) -> Loss {
    Loss {
        error: match fault {
            fault @ ReceiveError::Fault(_) => StepError::transient(fault),
            other => other.into(),
        },
        after: None,
    }
}

/// What the raw file holds, taken apart again where this process has not received it.
pub(super) fn parsed<M: Resumable>(
    b: &mut Blocking<M>,
    work: &mut Work,
) -> Result<Parsed, StepError> {
    if let Some(parsed) = work.parsed.take() {
        return Ok(parsed);
    }
    let len = b.append_file_in(&work.goal.own, RAW)?.len();
    let path = b.file_path(RAW)?;
    Ok(Incoming::again(&path, len, b.interrupt())?.end()?)
}
