//! Sends what the server lacks, increment by increment, and has the refs moved at the end.
//!
//! Nothing of where it is is kept here: each time the server says what it has, by its refs and by the
//! temporary ones, and what it lacks follows from that. What a process that goes on keeps is the
//! list of commits, which need not be made again.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt as _,
    sync::{Arc, atomic::Ordering},
};

use gix::bstr::BString;
use gix_hash::ObjectId;
use resume_runtime::{Blocking, Context, ErrorClass, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{
    alone::alone,
    answer::{Answer, answer, says_too_long},
    clean::Clean,
    error::{Limit, PackError},
    finish::Finish,
    increment::{self, Increment, Rest, Size},
    learned,
    machine::{Output, Push, connection, plan, store_outcome, target, threads},
    pack::Options,
    started,
    target::{Opened, Plan, Target, TargetError},
    temporary::{self, Place},
    walked::{Walked, known},
};
use crate::transfer::{
    connection::{Command, Commands, ConnectionError, Outgoing, Report},
    refs::push::{Status, Update},
};

/// What is longer is sent in pieces, in bytes.
const PIECE: u64 = 64 << 20;
/// Pieces do not get shorter than this by themselves.
const SHORTEST: u64 = 1 << 16;

/// How it is sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct Send {
    /// Pieces are about this long.
    piece: u64,
    /// A pack of this length was too long for the server.
    #[serde(default)]
    refused: Option<u64>,
    /// Where the temporary refs are.
    #[serde(default)]
    place: Place,
    /// What all that was sent takes.
    #[serde(default)]
    bytes: u64,
    /// So often the line was cut while a piece was sent.
    #[serde(default)]
    cuts: u32,
    /// So long were the packs for what weighs one byte here.
    #[serde(default = "one")]
    ratio: f64,
}

/// What a guess begins with.
const fn one() -> f64 {
    1.0
}

/// What a process has from the slice before.
pub(super) enum Kept {
    /// Both sides as the plan has them, and a connection that is not used yet.
    Opened(Box<Target>, Opened),
    /// The commits. What is read for one increment is let go with it, so that memory does not grow
    /// with the number of them: what stayed would lie between what goes, and hold it.
    Walked(Walked),
}

impl Step<Push> for Send {
    async fn run(self, cx: &mut Context<'_, Push>) -> StepResult<Push> {
        cx.blocking(move |b| Ok(self.slice(b))).await?
    }
}

impl Send {
    pub(super) fn new(piece: u64) -> Self {
        Self {
            piece: piece.min(PIECE),
            refused: None,
            place: Place::Own,
            bytes: 0,
            cuts: 0,
            ratio: one(),
        }
    }

    fn slice(self, b: &mut Blocking<Push>) -> StepResult<Push> {
        b.env().at("send");
        let plan = plan(b)?;
        let kept = b.take_local();
        let taken_over = kept.is_none();
        let (mut target, opened, updates, walked) = match kept {
            Some(Kept::Opened(target, opened)) => (*target, opened, plan.first, None),
            kept => {
                let target = target(b)?;
                let walked = match kept {
                    Some(Kept::Walked(walked)) => Some(walked),
                    _ => None,
                };
                let opened = connection(b, &target)?;
                let updates = Self::updates(b, &target, &plan, &opened);
                (target, opened, updates, walked)
            }
        };
        let tips: Vec<ObjectId> = updates
            .iter()
            .filter(|it| it.status == Status::Send)
            .filter_map(|it| it.pair.new)
            .collect();
        if updates.iter().all(|it| it.status != Status::Send) {
            return self.end(b, &target, updates, &opened);
        }
        let known = known(&opened);
        let walked = match walked.filter(|it| it.fits(&tips, &known)) {
            Some(walked) => walked,
            None => Walked::new(b, &target, tips, &known)?,
        };
        let options = Options {
            thin: opened.session.has("no-thin").is_none(),
            ofs: opened.session.has("ofs-delta").is_some(),
            threads: threads(),
        };
        let (done, all) = (walked.sent as u64, walked.commits.len() as u64);
        b.report(done, Some(all));
        let at = b.folder()?.join("increment.pack");
        let interrupt = Arc::clone(b.interrupt());
        let stopped = || interrupt.load(Ordering::Relaxed);
        let size = self.size(b);
        let commits = &walked.commits[walked.sent..];
        let first = commits.first();
        let rest = Rest {
            commits,
            tips: &walked.tips,
            sent: first.and_then(|id| temporary::sent(&opened.refs, b.id(), *id)),
        };
        let made = alone(&mut target, |target| {
            increment::next(target, &rest, size, options, &at, &stopped)
        });
        let made = made.map_err(TargetError::from)?;
        b.report_bytes(self.bytes, Some(self.bytes + made.made.bytes));
        b.env().at("made");
        if made.last {
            self.last(b, &target, updates, opened, &made, taken_over)
        } else {
            self.piece(b, &target, opened, walked, &made)
        }
    }

    /// How long a piece may be; none where all goes at once.
    fn size(&self, b: &Blocking<Push>) -> Option<Size> {
        if self.place == Place::Nowhere {
            return None;
        }
        let asked = b.input().max_increment.unwrap_or(u64::MAX);
        let refused = self.refused.map_or(u64::MAX, |it| it.saturating_sub(1));
        let limit = if refused < asked {
            Limit::Server
        } else {
            Limit::Asked
        };
        Some(Size {
            piece: self.piece,
            // Where a server or the line wants shorter ones, it is better seen here.
            longest: if self.piece < PIECE {
                self.piece
            } else {
                u64::MAX
            },
            ratio: self.ratio,
            most: asked.min(refused),
            limit,
        })
    }

    /// What becomes of the refs as the server is now.
    fn updates(b: &Blocking<Push>, target: &Target, plan: &Plan, opened: &Opened) -> Vec<Update> {
        let mut updates = target.decide(&plan.pairs, &plan.expected, b.input(), opened);
        for (now, first) in updates.iter_mut().zip(&plan.first) {
            // The answer to the last push may have been lost.
            if now.status == Status::UpToDate && first.status == Status::Send {
                *now = Update {
                    status: Status::Done,
                    ..first.clone()
                };
            }
        }
        updates
    }

    /// Sends a piece, and has the server keep it.
    fn piece(
        mut self,
        b: &mut Blocking<Push>,
        target: &Target,
        opened: Opened,
        mut walked: Walked,
        made: &Increment,
    ) -> StepResult<Push> {
        let id = b.id().to_owned();
        let mut commands: Vec<Command> = Vec::new();
        for head in &made.heads {
            let name = match (made.part, walked.commits.get(walked.sent)) {
                (Some(part), Some(of)) => self.place.part(&id, *of, part.objects),
                _ => self.place.name(&id, *head),
            };
            if !opened.refs.iter().any(|it| it.name == name) {
                commands.push(Command {
                    name,
                    old: None,
                    new: Some(*head),
                });
            }
        }
        let created = commands.len();
        started::note(target, &id);
        let old = temporary::of(&opened.refs, &id).filter(|it| made.onto.contains(&it.1));
        commands.extend(old.map(|(name, at)| Command {
            name: name.to_owned(),
            old: Some(at),
            new: None,
        }));
        let offer = Commands {
            shallow: target.shallow_list(),
            commands,
            ..Commands::default()
        };
        let report = match self.push(b, target, opened, &offer, made, true)? {
            Ok(report) => report,
            Err(again) => return again,
        };
        if report.unpack.is_none() {
            let refused = |command: &Command| answer(&report, &command.name) != Answer::Taken;
            if offer.commands[..created].iter().any(refused) {
                b.note("the server does not take the temporary refs here");
                self.place = self.place.next();
                return Transition::to(self);
            }
        } else {
            // The refs will not fare better, and say so.
            self.place = Place::Nowhere;
            return Transition::to(self);
        }
        self.bytes += made.made.bytes;
        self.cuts = 0;
        walked.sent += made.commits;
        #[allow(clippy::cast_precision_loss, reason = "it is a guess")]
        let ratio = made.made.bytes as f64 / made.weight.max(1) as f64;
        // One that is very short says little of the next one.
        self.ratio = ratio.max(self.ratio / 2.0);
        let (heads, onto) = (&made.heads, &made.onto);
        walked.heads.retain(|it| !onto.contains(it));
        walked.heads.extend_from_slice(heads);
        b.report(walked.sent as u64, Some(walked.commits.len() as u64));
        b.keep_local(Kept::Walked(walked));
        b.want_commit();
        b.env().at("kept");
        Transition::to(self)
    }

    /// Sends the rest, moves the refs, and lets the temporary ones go. It may have been sent before by
    /// a process, or over a line, from which it is `taken_over`.
    fn last(
        mut self,
        b: &mut Blocking<Push>,
        target: &Target,
        mut updates: Vec<Update>,
        opened: Opened,
        made: &Increment,
        taken_over: bool,
    ) -> StepResult<Push> {
        let id = b.id().to_owned();
        let send = updates.iter().filter(|it| it.status == Status::Send);
        let mut commands: Vec<Command> = send
            .map(|it| Command {
                name: it.pair.to.clone(),
                old: it.old,
                new: it.pair.new,
            })
            .collect();
        let real = commands.len();
        let temporary: Vec<Command> = temporary::of(&opened.refs, &id)
            .map(|(name, at)| Command {
                name: name.to_owned(),
                old: Some(at),
                new: None,
            })
            .collect();
        let left: Vec<BString> = temporary.iter().map(|it| it.name.clone()).collect();
        // The temporary refs go along where either all of it is so, or nothing was. Elsewhere a ref
        // that is refused would take them along, and who is killed then would send all of it again.
        let able = opened.session.has("atomic").is_some();
        let together = !left.is_empty() && able && (real == 1 || b.input().atomic);
        if together {
            commands.extend(temporary);
        }
        let deletes = commands.iter().all(|it| it.new.is_none());
        let offer = Commands {
            shallow: target.shallow_list(),
            atomic: b.input().atomic || together,
            options: b.input().options.clone(),
            commands,
        };
        let report = match self.push(b, target, opened, &offer, made, !deletes)? {
            Ok(report) => report,
            Err(again) => return again,
        };
        b.env().at("moved");
        let commits = b.progress().snapshot().total;
        b.report(commits.unwrap_or_default(), commits);
        self.bytes += made.made.bytes;
        b.report_bytes(self.bytes, Some(self.bytes));
        for update in updates.iter_mut().filter(|it| it.status == Status::Send) {
            update.status = match answer(&report, &update.pair.to) {
                Answer::Taken => Status::Done,
                Answer::Refused(why) => Status::Remote(why),
                Answer::None => match &report.unpack {
                    Some(_) => Status::Remote("unpacker error".into()),
                    None => Status::Unreported,
                },
            };
        }
        if taken_over {
            Self::look_again(b, target, &mut updates)?;
        }
        let gone = |name: &BString| answer(&report, name) == Answer::Taken;
        let output = Self::output(target, updates);
        store_outcome(b, &output)?;
        if left.iter().all(gone) {
            Transition::to(Finish {})
        } else {
            Transition::to(Clean {})
        }
    }

    /// What was refused may be as it should be: what was sent before may have come to its end behind
    /// the back of what was sent now.
    fn look_again(
        b: &mut Blocking<Push>,
        target: &Target,
        updates: &mut [Update],
    ) -> Result<(), StepError> {
        let is_refused = |it: &&mut Update| matches!(it.status, Status::Remote(_));
        let mut refused = updates.iter_mut().filter(is_refused).peekable();
        if refused.peek().is_none() {
            return Ok(());
        }
        let now = connection(b, target)?;
        for update in refused {
            let there = now.refs.iter().find(|it| it.name == update.pair.to);
            if there.and_then(|it| it.target) == update.pair.new {
                update.status = Status::Done;
            }
        }
        Ok(())
    }

    /// Nothing is left to send.
    fn end(
        self,
        b: &mut Blocking<Push>,
        target: &Target,
        updates: Vec<Update>,
        opened: &Opened,
    ) -> StepResult<Push> {
        // The answer to the last push may have been lost, and with it how much that was.
        let before = b.progress().snapshot();
        let all = before.total.unwrap_or(0).max(before.items);
        b.report(all, Some(all));
        b.report_bytes(self.bytes, Some(self.bytes));
        let output = Self::output(target, updates);
        store_outcome(b, &output)?;
        if temporary::of(&opened.refs, b.id()).next().is_some() {
            return Transition::to(Clean {});
        }
        Transition::to(Finish {})
    }

    fn output(target: &Target, updates: Vec<Update>) -> Output {
        Output {
            to: target.shown().to_owned(),
            updates,
            ..Output::default()
        }
    }

    /// Sends it. Without a report there is another try, or an error.
    fn push(
        &mut self,
        b: &mut Blocking<Push>,
        target: &Target,
        opened: Opened,
        offer: &Commands,
        made: &Increment,
        with_pack: bool,
    ) -> Result<Result<Report, StepResult<Push>>, StepError> {
        b.env().at("push");
        let bytes = made.made.bytes;
        let pack = with_pack.then(|| Outgoing {
            bytes: Box::new(Content {
                file: Arc::clone(&made.pack),
                at: 0,
            }),
            length: bytes,
        });
        let (progress, before) = (Arc::clone(b.progress()), self.bytes);
        let said = opened.said();
        let result = opened.session.send(offer, pack, &move |sent| {
            progress.set_bytes(before + sent, Some(before + bytes));
        });
        let said = said
            .lock()
            .map_or_else(|it| it.into_inner().clone(), |it| it.clone());
        let too_long = match &result {
            Ok(report) => report.unpack.is_some() && says_too_long(&said),
            Err(ConnectionError::Status { status: 413, .. }) => true,
            Err(ConnectionError::Interrupted) => false,
            Err(error) => says_too_long(&said) || says_too_long(&[error.to_string()]),
        };
        if too_long && self.place != Place::Nowhere {
            return self.shorter(b, target, made).map(Err);
        }
        match result {
            Ok(report) => Ok(Ok(report)),
            Err(error) if error.class() == ErrorClass::Transient && !error.is_interrupted() => {
                // A line that does not hold for so long may hold for less.
                self.cuts += 1;
                if self.cuts > 1 && self.place != Place::Nowhere {
                    self.piece = (self.piece.min(bytes) / 2).max(SHORTEST);
                }
                let after = error.retry_after().unwrap_or_default();
                let error = StepError::from(error).not_before(after);
                Ok(Err(Transition::retry(self.again(), error)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The server takes no pack of this length.
    fn shorter(
        &mut self,
        b: &mut Blocking<Push>,
        target: &Target,
        made: &Increment,
    ) -> Result<StepResult<Push>, StepError> {
        let bytes = made.made.bytes;
        if let Some((object, commit)) = made.single {
            let large = increment::find(target, commit, object).map_err(TargetError::from)?;
            let error = match large {
                Some(large) => PackError::too_large(&large, bytes, Limit::Server),
                None => PackError::NoShorter { bytes },
            };
            return Err(StepError::fatal(error));
        }
        if self.piece <= 1 {
            return Err(StepError::fatal(PackError::NoShorter { bytes }));
        }
        b.note(format!("the server takes no pack of {bytes} bytes"));
        self.refused = Some(self.refused.map_or(bytes, |it| it.min(bytes)));
        self.piece = (self.piece.min(bytes) / 2).max(1);
        learned::remember(target, self.piece);
        Ok(Transition::to(self.again()))
    }

    /// The same, once more.
    const fn again(&self) -> Self {
        Self {
            piece: self.piece,
            refused: self.refused,
            place: self.place,
            bytes: self.bytes,
            cuts: self.cuts,
            ratio: self.ratio,
        }
    }
}

/// The content of a file, from its beginning.
struct Content {
    file: Arc<File>,
    at: u64,
}

impl Read for Content {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
