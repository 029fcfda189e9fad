//! Makes a pack of what came.

use std::path::Path;
use std::sync::Arc;

use gix_hash::ObjectId;
use resume_runtime::{Blocking, Resumable, StepError};

use super::advance::Next;
use super::ask::append_list;
use super::receive::parsed;
use super::setback::{Loss, choice, trouble};
use super::state::{Stage, What};
use super::work::{BUNDLED, PACKS, RAW, WANTS, WHOLE, Work};
use super::{Obtain, ask};
use crate::transfer::receive::{self, Parsed, ReceiveError, Received};
use crate::transfer::refs::Objects;

impl Obtain {
    /// Makes a pack of all of an answer.
    pub(super) fn index<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
        what: What,
    ) -> Result<Next, StepError> {
        // Which blobs it was asked for is known as long as they are missing.
        if what == What::Blobs && work.batch.is_none() {
            self.batch(b, work)?;
        }
        let mut parsed = parsed(b, work)?;
        let raw = b.file_path(RAW)?;
        let received = match self.make(b, work, &raw, &mut parsed, receive::finish) {
            Ok(received) => received,
            Err(
                error @ (ReceiveError::Fault(_)
                | ReceiveError::Cut { .. }
                | ReceiveError::NoBase { .. }
                | ReceiveError::Delta { .. }),
            ) => {
                work.parsed = Some(parsed);
                work.loss = Some(Loss {
                    error: StepError::transient(error),
                    after: None,
                });
                self.stage = Stage::Salvage(what);
                return Ok(Next::Go(self));
            }
            Err(error) => return Err(error.into()),
        };
        self.keep(b, work, &received)?;
        self.setbacks = 0;
        self.answered(b, work, what, &received)?;
        self.report(b, 0);
        Ok(Next::Yield(self))
    }

    /// Notes that an answer came to its end, and what follows.
    fn answered<M: Resumable>(
        &mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
        what: What,
        received: &Received,
    ) -> Result<(), StepError> {
        let mut asked: Option<ObjectId> = None;
        self.cuts = 0;
        self.stage = Stage::Look;
        match what {
            What::All => {
                asked = work.goal.tips.first().copied();
                // Whatever was kept of it before is in this pack.
                if work.goal.complete.is_empty() && ask::read_list(b, BUNDLED)?.is_empty() {
                    self.drop_others(b, work, received)?;
                }
            }
            What::Commits(filter) | What::Trees(filter) => {
                let wants = ask::read_list(b, WANTS)?;
                asked = wants.first().copied();
                if filter.is_none() {
                    let whole = roots(work.there()?, wants)?;
                    ask::write_list(b, WHOLE, &whole)?;
                }
            }
            What::Blobs => {
                if let Some(batch) = work.batch.take() {
                    self.batches.whole(&batch, received.bytes);
                }
                self.stage = Stage::Ask(What::Blobs);
            }
            What::Bundle => self.bundle_taken(b, work)?,
        }
        if asked.is_some() && asked != self.answered {
            (self.answered, self.unanswered) = (asked, 0);
        }
        Ok(())
    }

    /// Makes a pack of what is whole of an answer that was cut off.
    pub(super) fn salvage<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
        what: What,
    ) -> Result<Next, StepError> {
        let loss = work.loss.take();
        let mut parsed = parsed(b, work)?;
        let raw = b.file_path(RAW)?;
        let received = self.make(b, work, &raw, &mut parsed, receive::salvage)?;
        self.keep(b, work, &received)?;
        let gained = received.objects > 0;
        self.cuts += 1;
        let why = match &loss {
            Some(loss) => loss.error.to_string(),
            None => "the process that received objects has ended".to_owned(),
        };
        // The rest of a bundle comes in another way.
        let tell = match what {
            What::Bundle => choice,
            _ => trouble,
        };
        tell(b, work, &kept(&why, received.objects));
        self.stage = match what {
            What::Bundle => {
                self.bundle_ended(false, gained);
                Stage::Bundle
            }
            What::Blobs => {
                self.batches.cut(received.objects.into(), received.bytes);
                Stage::Ask(what)
            }
            // A part of what was asked for is there: what else is missing, and how to come by it?
            _ if gained => Stage::Look,
            _ => Stage::Ask(what),
        };
        self.report(b, 0);
        match loss {
            Some(loss) if !gained && what != What::Bundle => {
                self.setback(b, work, loss).map(Next::Stop)
            }
            _ => {
                if gained {
                    self.setbacks = 0;
                }
                Ok(Next::Yield(self))
            }
        }
    }

    /// Has a pack made of the raw file. What is not a delta counts as done at once.
    fn make<M: Resumable>(
        &self,
        b: &Blocking<M>,
        work: &Work,
        raw: &Path,
        parsed: &mut Parsed,
        how: fn(&Path, &mut Parsed, receive::To<'_>) -> Result<Received, ReceiveError>,
    ) -> Result<Received, ReceiveError> {
        let (objects, packs) = (work.goal.objects(), work.goal.packs());
        let deltas = parsed.deltas();
        let whole = self.objects + u64::from(parsed.seen().objects.saturating_sub(deltas));
        let total = self.expected.max(whole + u64::from(deltas));
        let counters = Arc::clone(b.progress());
        counters.set_items(whole, Some(total));
        let to = receive::To {
            objects: &objects,
            packs: &packs,
            threads: work.goal.threads,
            progress: &|resolved| counters.set_items(whole + resolved, Some(total)),
            stopped: b.interrupt(),
            disk: b,
        };
        how(raw, parsed, to)
    }

    /// Takes note of a pack that is on disk, and lets go of the bytes that it was made of.
    fn keep<M: Resumable>(
        &mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
        received: &Received,
    ) -> Result<(), StepError> {
        self.objects += u64::from(received.objects);
        work.there = None;
        if let Some(hash) = received.hash {
            append_list(b, PACKS, &[hash])?;
        }
        b.append_file_in(&work.goal.own, RAW)?.restart()?;
        // From here on the bytes are nowhere but in the pack.
        b.want_commit();
        Ok(())
    }
}

fn kept(why: &str, objects: u32) -> String {
    let kept = match objects {
        0 => "nothing of the last answer could be kept".to_owned(),
        1 => "1 object of the last answer is kept".to_owned(),
        n => format!("{n} objects of the last answer are kept"),
    };
    format!("{why}; {kept}")
}

/// So many root trees of an answer are told the server with the next request.
const WHOLE_ROOTS: usize = 1_000;

/// The trees of commits and tags: for a server, a commit says nothing of the trees that it does not send.
/// Trees stay what they are.
fn roots(objects: &Objects, whole: Vec<ObjectId>) -> Result<Vec<ObjectId>, StepError> {
    let mut roots = Vec::with_capacity(whole.len());
    for oid in whole {
        let commit = objects.commit(&oid)?;
        let tree = commit.map(|commit| objects.tree(&commit)).transpose()?;
        roots.push(tree.flatten().unwrap_or(oid));
    }
    roots.truncate(WHOLE_ROOTS);
    Ok(roots)
}
