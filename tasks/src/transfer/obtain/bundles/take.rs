//! Takes bundles.

use gix_hash::ObjectId;
use resume_runtime::{Blocking, ErrorClass, Resumable, StepError};

use super::super::Obtain;
use super::super::advance::Next;
use super::super::ask::{append_list, read_list, write_list};
use super::super::line::{Event, Line};
use super::super::receive::parsed;
use super::super::setback::{Loss, choice};
use super::super::state::{Stage, What};
use super::super::work::{BUNDLED, RAW, REFS, Work};
use super::choose::Offers;
use super::head::{self, Head};
use super::state::Bundling;
use crate::transfer::connection::ConnectionError;
use crate::transfer::receive::Incoming;

/// So often in a row a bundle may not come, of which nothing is there.
const TRIES: u32 = 3;
/// A longer validator is not kept.
const LONGEST: usize = 256;
/// The most refs of bundles that the server is told of.
const MOST_REFS: usize = 10_000;

/// What came of a bundle.
enum Came {
    /// These bytes of its pack.
    Pack(Vec<u8>),
    /// That it is of no use, and why.
    Unfit(String),
    /// That it is of no use yet, and why.
    Early(String),
}

impl Obtain {
    /// Chooses a bundle, and waits until it begins.
    pub(in super::super) fn bundle<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
    ) -> Result<Next, StepError> {
        let Some(so_far) = &mut self.bundles else {
            return self.after_bundles(b, work);
        };
        let Some(open) = work.goal.server.file.clone() else {
            return match so_far.current {
                Some(_) => self.give_up(b, work, "the configuration says so"),
                None => self.after_bundles(b, work),
            };
        };
        let Some(offers) = &work.offers else {
            return self.offered(b, work);
        };
        let begun = b.append_file_in(&work.goal.own, RAW)?.len();
        let offer = match &so_far.current {
            Some(current) => match offers.get(current.key) {
                Some(offer) => offer,
                None => return self.give_up(b, work, "the server does not offer it any more"),
            },
            None => match offers.next(so_far) {
                Some(offer) => offer,
                None => return self.after_bundles(b, work),
            },
        };
        let (name, uri) = (offer.name.clone(), offer.uri.clone());
        let current = so_far.current(offer.key);
        let from = if current.head > 0 {
            current.head + begun
        } else {
            0
        };
        let line = match work.line.take() {
            Some(line) => line,
            None => Line::file(open, uri, from, current.validator.clone(), b.interrupt())?,
        };
        match line.next() {
            None => {
                work.line = Some(line);
                Ok(self.waits(b))
            }
            Some(Event::Opened(at, _)) if at != from => {
                self.give_up(b, work, "the rest of it can't be had by itself")
            }
            Some(Event::Opened(_, validator)) => {
                let fit = |it: &String| it.len() <= LONGEST && !it.contains(char::is_control);
                current.validator = validator.filter(fit);
                if from == 0 {
                    choice(b, work, &format!("the bundle {name} comes"));
                    b.append_file_in(&work.goal.own, RAW)?.restart()?;
                    (work.head, work.incoming) = (Vec::new(), None);
                }
                if work.incoming.is_none() {
                    work.incoming = Some(match from {
                        0 => Incoming::new()?,
                        _ => Incoming::again(&b.file_path(RAW)?, begun, b.interrupt())?,
                    });
                }
                work.line = Some(line);
                work.opened_at = if from == 0 { 0 } else { begun };
                self.stage = Stage::Receive(What::Bundle);
                Ok(Next::Go(self))
            }
            Some(Event::Failed(error)) => self.bundle_lost(b, work, error),
            Some(_) => self.give_up(b, work, "it does not come"),
        }
    }

    /// Hears which bundles the server offers.
    fn offered<M: Resumable>(
        self,
        b: &mut Blocking<M>,
        work: &mut Work,
    ) -> Result<Next, StepError> {
        let line = match work.line.take() {
            Some(line) => line,
            None => Line::bundles(&work.goal, work.source.take(), b.interrupt())?,
        };
        loop {
            match line.next() {
                None => {
                    work.line = Some(line);
                    return Ok(self.waits(b));
                }
                Some(Event::Offered(bundles)) => {
                    let offers = Offers::of(bundles);
                    let count = offers.len();
                    choice(b, work, &format!("the server offers {count} bundles"));
                    work.offers = Some(offers);
                }
                Some(Event::Ended(source)) => {
                    work.source = source;
                    return Ok(Next::Go(self));
                }
                Some(Event::Failed(error)) if error.class() == ErrorClass::Transient => {
                    return self.setback(b, work, error.into()).map(Next::Stop);
                }
                Some(Event::Failed(error)) => {
                    choice(b, work, &format!("its bundles are not used: {error}"));
                    work.offers = Some(Offers::default());
                    return Ok(Next::Go(self));
                }
                // It is asked for nothing else.
                Some(_) => {}
            }
        }
    }

    /// Takes what comes of a bundle until a commit is due, or nothing more comes.
    pub(in super::super) fn take_bundle<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
    ) -> Result<Next, StepError> {
        let (Some(line), Some(mut incoming)) = (work.line.take(), work.incoming.take()) else {
            // The process that received it is gone: it goes on where it was.
            self.stage = Stage::Bundle;
            return Ok(Next::Go(self));
        };
        let fault = loop {
            let seen = incoming.seen();
            self.expected = self.expected.max(seen.announced.into());
            self.report(b, seen.objects.into());
            match line.next() {
                Some(Event::Bytes(bytes)) => {
                    self.bytes += bytes.len() as u64;
                    let pack = match self.pack_of(b, work, bytes)? {
                        Came::Pack(pack) => pack,
                        Came::Unfit(why) => return self.give_up(b, work, &why),
                        Came::Early(why) => return Ok(self.put_off(b, work, &why)),
                    };
                    b.append_file_in(&work.goal.own, RAW)?.append(&pack)?;
                    if let Err(fault) = incoming.feed(&pack) {
                        break Some(fault.to_string());
                    }
                    line.used(pack);
                }
                Some(Event::Ended(_)) => break None,
                Some(Event::Failed(error)) => {
                    // What came goes on to be taken apart.
                    work.incoming = Some(incoming);
                    return self.bundle_lost(b, work, error);
                }
                Some(_) | None => {}
            }
            if b.should_yield() {
                (work.line, work.incoming) = (Some(line), Some(incoming));
                return Ok(Next::Yield(self));
            }
        };
        let parsed = incoming.end()?;
        if let Some(fault) = fault.or_else(|| parsed.fault().map(ToString::to_string)) {
            work.parsed = Some(parsed);
            return self.give_up(b, work, &fault);
        }
        if !parsed.is_whole() {
            return self.give_up(b, work, "it ends early");
        }
        work.parsed = Some(parsed);
        self.stage = Stage::Index(What::Bundle);
        // Nothing is made of bytes that could be cut back later.
        b.want_commit();
        Ok(Next::Yield(self))
    }

    /// What these bytes are.
    fn pack_of<M: Resumable>(
        &mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
        bytes: Vec<u8>,
    ) -> Result<Came, StepError> {
        let Some(current) = self.bundles.as_mut().and_then(|it| it.current.as_mut()) else {
            return Err(StepError::fatal("a bundle comes that nobody asked for"));
        };
        if current.head > 0 {
            return Ok(Came::Pack(bytes));
        }
        work.head.extend_from_slice(&bytes);
        let head: Head = match head::parse(&work.head) {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(Came::Pack(Vec::new())),
            Err(why) => return Ok(Came::Unfit(why.to_owned())),
        };
        let there = work.there()?;
        if let Some(lacking) = head.needs.iter().find(|oid| !there.has(oid)) {
            return Ok(Came::Early(format!(
                "it rests on {lacking}, which is not there"
            )));
        }
        current.head = head.length as u64;
        write_list(b, REFS, &head.refs)?;
        Ok(Came::Pack(work.head.split_off(head.length)))
    }

    /// Leaves the bundle that begins to come for later, or for good.
    fn put_off<M: Resumable>(mut self, b: &mut Blocking<M>, work: &mut Work, why: &str) -> Next {
        (work.line, work.incoming) = (None, None);
        let name = self.name(work);
        let again = self.bundles.as_mut().is_some_and(Bundling::lacks);
        let then = if again { "left for later" } else { "not used" };
        choice(b, work, &format!("the bundle {name} is {then}: {why}"));
        self.stage = Stage::Bundle;
        Next::Yield(self)
    }

    /// The name of the bundle that comes, for people.
    fn name(&self, work: &Work) -> String {
        let current = self.bundles.as_ref().and_then(|it| it.current.as_ref());
        let offer = current.and_then(|it| work.offers.as_ref()?.get(it.key));
        offer.map_or_else(|| "that was begun".to_owned(), |it| it.name.clone())
    }

    /// The line is lost over which a bundle came.
    fn bundle_lost<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
        error: ConnectionError,
    ) -> Result<Next, StepError> {
        let length = b.append_file_in(&work.goal.own, RAW)?.len();
        let gained = length > std::mem::replace(&mut work.opened_at, length);
        let so_far = self.bundles.as_mut();
        let Some(current) = so_far.and_then(|it| it.current.as_mut()) else {
            return Err(error.into());
        };
        let transient = error.class() == ErrorClass::Transient;
        self.stage = Stage::Bundle;
        if gained && transient {
            (current.in_vain, self.setbacks) = (0, 0);
            choice(
                b,
                work,
                &format!("{error}; the bundle goes on where it was"),
            );
            return Ok(Next::Yield(self));
        }
        current.in_vain += 1;
        // What is begun is worth another run.
        let most = if length > 0 {
            work.goal.tries + TRIES
        } else {
            TRIES
        };
        if b.pause_requested() || (transient && current.in_vain < most) {
            return self.setback(b, work, error.into()).map(Next::Stop);
        }
        self.give_up(b, work, &error.to_string())
    }

    /// Does without the bundle that was to come; what came of it is kept.
    fn give_up<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
        why: &str,
    ) -> Result<Next, StepError> {
        work.line = None;
        let name = self.name(work);
        let Some(so_far) = &mut self.bundles else {
            return self.after_bundles(b, work);
        };
        let why = format!("the bundle {name} is not used: {why}");
        if b.append_file_in(&work.goal.own, RAW)?.len() == 0 {
            so_far.ended(false, false);
            choice(b, work, &why);
            (work.incoming, self.stage) = (None, Stage::Bundle);
            return Ok(Next::Yield(self));
        }
        let parsed = parsed(b, work)?;
        if parsed.is_whole() {
            // There was no more to ask for.
            self.stage = Stage::Index(What::Bundle);
        } else {
            work.loss = Some(Loss {
                error: StepError::transient(why),
                after: None,
            });
            self.stage = Stage::Salvage(What::Bundle);
        }
        work.parsed = Some(parsed);
        b.want_commit();
        Ok(Next::Yield(self))
    }

    /// A bundle was made a pack.
    pub(in super::super) fn bundle_taken<M: Resumable>(
        &mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
    ) -> Result<(), StepError> {
        let mut refs = read_list(b, REFS)?;
        let there = work.there()?;
        refs.retain(|oid| there.has(oid));
        refs.truncate(MOST_REFS.saturating_sub(read_list(b, BUNDLED)?.len()));
        append_list(b, BUNDLED, &refs)?;
        self.bundle_ended(true, true);
        self.stage = Stage::Bundle;
        Ok(())
    }

    /// A bundle comes no more; `parts`: something of it is there.
    pub(in super::super) fn bundle_ended(&mut self, taken: bool, parts: bool) {
        if let Some(so_far) = &mut self.bundles {
            so_far.ended(taken, parts);
        }
    }

    /// There are no more bundles: the rest comes from the server.
    fn after_bundles<M: Resumable>(
        mut self,
        b: &mut Blocking<M>,
        work: &mut Work,
    ) -> Result<Next, StepError> {
        (work.offers, work.incoming) = (None, None);
        let Some(so_far) = self.bundles.take() else {
            self.stage = Stage::Look;
            return Ok(Next::Go(self));
        };
        self.stage = so_far.then;
        if so_far.taken > 0 {
            let tips = work.goal.tips.clone();
            let there = work.there()?;
            let missing: Vec<&ObjectId> = tips.iter().filter(|oid| !there.has(oid)).collect();
            let said = match missing.len() {
                0 => "all that is asked for came in bundles".to_owned(),
                n => format!("{n} refs lead to what came in no bundle: the rest is asked for"),
            };
            if missing.is_empty() {
                self.stage = Stage::Look;
            }
            choice(b, work, &said);
        } else if so_far.parts {
            self.stage = Stage::Look;
        }
        Ok(Next::Yield(self))
    }

    /// Nothing has come yet.
    fn waits<M: Resumable>(self, b: &Blocking<M>) -> Next {
        if b.should_yield() {
            Next::Yield(self)
        } else {
            Next::Go(self)
        }
    }
}
