//! Asks the server.

use std::io::Read as _;

use gix_hash::ObjectId;
use resume_runtime::{Blocking, Classify as _, Resumable, StepError};

use super::advance::{Advance, Next};
use super::line::{Event, Line};
use super::setback::choice;
use super::state::{Stage, What};
use super::work::{BLOBS, BUNDLED, EDGES, HAVES, OPENED, RAW, SHALLOW, WANTS, Work};
use super::{Goal, Obtain};
use crate::transfer::connection::{ConnectionError, Request, ShallowChange};
use crate::transfer::missing::List;
use crate::transfer::missing::list::to_bytes;
use crate::transfer::missing::plan::Filter;
use crate::transfer::receive::Incoming;

impl Obtain {
    /// Sends a request, and waits until a pack begins.
    pub(super) fn ask<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
        what: What,
    ) -> Result<Next, StepError> {
        let line = if let Some(line) = work.line.take() {
            line
        } else {
            let Some(request) = self.request(b, work, what)? else {
                self.stage = Stage::Look;
                return Ok(Next::Go(self));
            };
            Line::ask(&work.goal, work.source.take(), request, b.interrupt())?
        };
        let sent = self.filter(work, what);
        match line.next() {
            None => {
                work.line = Some(line);
                Ok(if b.should_yield() {
                    Next::Yield(self)
                } else {
                    Next::Go(self)
                })
            }
            Some(Event::Began(shallow)) => {
                if !shallow.is_empty() {
                    self.note_shallow(b, &shallow)?;
                }
                b.append_file_in(&work.goal.own, RAW)?.restart()?;
                work.incoming = Some(Incoming::new()?);
                work.line = Some(line);
                self.stage = Stage::Receive(what);
                Ok(Next::Go(self))
            }
            Some(Event::Failed(error)) => self.refused(b, work, sent, error),
            Some(Event::Bytes(_) | Event::Ended(_) | Event::Offered(_) | Event::Opened(..)) => {
                let what = "there is no pack in what it sends".to_owned();
                self.refused(b, work, sent, ConnectionError::Protocol { what })
            }
        }
    }

    /// What is made of an answer without a pack.
    fn refused<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &Work,
        sent: Option<Filter>,
        error: ConnectionError,
    ) -> Result<Next, StepError> {
        match (error, sent) {
            (ConnectionError::FilterRefused { said }, Some(filter)) => {
                let name = match filter {
                    Filter::BlobNone => "blob:none",
                    Filter::TreeZero => "tree:0",
                };
                choice(
                    b,
                    work,
                    &format!("the server refuses the filter {name} ({said}): it is not used again"),
                );
                match filter {
                    Filter::BlobNone => self.refused.blob_none = true,
                    Filter::TreeZero => self.refused.tree_zero = true,
                }
                if self.stage != Stage::Ask(What::All) {
                    self.stage = Stage::Look;
                }
                Ok(Next::Go(self))
            }
            (ConnectionError::UnknownWant { said, .. }, _) => {
                Ok(Next::Stop(Advance::Changed(self, said)))
            }
            (error, _) => self.setback(b, work, error.into()).map(Next::Stop),
        }
    }

    /// What is left out of the answer.
    fn filter(&self, work: &Work, what: What) -> Option<Filter> {
        let able = self.able();
        let can = |filter: &Filter| match filter {
            Filter::BlobNone => able.blob_none,
            Filter::TreeZero => able.tree_zero,
        };
        match what {
            // Blobs that nobody wants must not come along with trees and commits either.
            What::All => work.goal.filter.filter(can),
            What::Commits(filter) | What::Trees(filter) => filter.or(work.goal.filter.filter(can)),
            What::Blobs | What::Bundle => None,
        }
    }

    /// What the server is told to be here: what the goal says, and what bundles have brought.
    pub(super) fn known<M: Resumable>(
        b: &mut Blocking<M>,
        goal: &Goal,
    ) -> Result<Vec<ObjectId>, StepError> {
        let mut known = goal.known();
        if goal.haves.is_none() {
            known.extend(read_list(b, BUNDLED)?);
        }
        Ok(known)
    }

    /// The request; none where nothing is left to ask for.
    fn request<M: Resumable>(
        &mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
        what: What,
    ) -> Result<Option<Request>, StepError> {
        let goal = &work.goal;
        let mut request = Request::default().with_filter(self.filter(work, what));
        request.include_tag = goal.tags;
        match what {
            What::All => {
                request.wants.clone_from(&goal.tips);
                request.haves = Self::known(b, goal)?;
                request.shallow.clone_from(&goal.shallow);
                request.depth = goal.depth;
            }
            What::Commits(_) => {
                request.wants = read_list(b, WANTS)?;
                request.haves = Self::known(b, goal)?;
                request.haves.extend(read_list(b, HAVES)?);
                request.shallow = self.cut_off(b, work)?;
                // Where that is not known yet, the server has to say it.
                request.depth = goal.depth.filter(|_| !self.cut_off);
                request.shallow.extend(read_list(b, EDGES)?);
            }
            What::Trees(filter) => {
                request.wants = read_list(b, WANTS)?;
                if filter.is_none() {
                    request.haves = read_list(b, HAVES)?;
                }
            }
            What::Blobs => {
                let Some(wants) = self.batch(b, work)? else {
                    return Ok(None);
                };
                request.wants = wants;
            }
            // It is a file.
            What::Bundle => return Ok(None),
        }
        Ok(Some(request))
    }

    /// The next batch of blobs; none where all of them are there.
    pub(super) fn batch<M: Resumable>(
        &self,
        b: &mut Blocking<M>,
        work: &mut Work,
    ) -> Result<Option<Vec<ObjectId>>, StepError> {
        let bytes = match work.blobs.take() {
            Some(bytes) => bytes,
            None => read_bytes(b, BLOBS)?,
        };
        let there = work.there()?;
        let has = |oid: &ObjectId| Ok::<_, StepError>(there.has(oid));
        let batch = self.batches.next(List::of(&bytes).or_fatal()?, has)?;
        work.blobs = Some(bytes);
        let wants = batch.as_ref().map(|batch| batch.wants.clone());
        work.batch = batch;
        Ok(wants)
    }

    /// Writes down where the server cuts history off.
    fn note_shallow<M: Resumable>(
        &mut self,
        b: &mut Blocking<M>,
        changes: &[ShallowChange],
    ) -> Result<(), StepError> {
        let (mut known, mut opened) = (self.shallow(b)?, self.opened(b)?);
        for change in changes {
            let (oid, to, from) = match change {
                ShallowChange::Shallow(oid) => (oid, &mut known, &mut opened),
                ShallowChange::Unshallow(oid) => (oid, &mut opened, &mut known),
            };
            from.retain(|it| it != oid);
            if !to.contains(oid) {
                to.push(*oid);
            }
        }
        write_list(b, SHALLOW, &known)?;
        write_list(b, OPENED, &opened)?;
        self.cut_off = true;
        Ok(())
    }

    /// The commits whose parents are cut off, those of before included.
    pub(super) fn cut_off<M: Resumable>(
        &self,
        b: &mut Blocking<M>,
        work: &Work,
    ) -> Result<Vec<ObjectId>, StepError> {
        let mut all = work.goal.shallow.clone();
        let opened = self.opened(b)?;
        all.retain(|oid| !opened.contains(oid));
        all.extend(self.shallow(b)?);
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// The commits whose parents were cut off before, and came in this transfer.
    pub fn opened<M: Resumable>(&self, b: &mut Blocking<M>) -> Result<Vec<ObjectId>, StepError> {
        if self.cut_off {
            read_list(b, OPENED)
        } else {
            Ok(Vec::new())
        }
    }

    /// The commits whose parents the server has cut off in this transfer.
    pub fn shallow<M: Resumable>(&self, b: &mut Blocking<M>) -> Result<Vec<ObjectId>, StepError> {
        if self.cut_off {
            read_list(b, SHALLOW)
        } else {
            Ok(Vec::new())
        }
    }
}

fn read_bytes<M: Resumable>(b: &mut Blocking<M>, name: &str) -> Result<Vec<u8>, StepError> {
    // One that was never written is empty.
    b.append_file(name)?;
    let mut bytes = Vec::new();
    b.read_file(name)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The ids in one of the operation's files.
pub(super) fn read_list<M: Resumable>(
    b: &mut Blocking<M>,
    name: &str,
) -> Result<Vec<ObjectId>, StepError> {
    let bytes = read_bytes(b, name)?;
    Ok(List::of(&bytes).or_fatal()?.from(0).collect())
}

/// Replaces the ids in one of the operation's files.
pub(super) fn write_list<M: Resumable>(
    b: &mut Blocking<M>,
    name: &str,
    ids: &[ObjectId],
) -> Result<(), StepError> {
    let mut file = b.append_file(name)?;
    file.restart()?;
    file.append(&to_bytes(ids))
}

/// Adds to the ids in one of the operation's files.
pub(super) fn append_list<M: Resumable>(
    b: &mut Blocking<M>,
    name: &str,
    ids: &[ObjectId],
) -> Result<(), StepError> {
    b.append_file(name)?.append(&to_bytes(ids))
}
