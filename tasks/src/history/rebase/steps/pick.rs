//! Commits, picked in memory until a commit of the operation is due.

use std::time::{Duration, Instant};

use gix::bstr::BString;
use resume_runtime::{Blocking, Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::chain::Chain;
use super::super::commit::{self, Source};
use super::super::course::{Course, Goal, Stopped};
use super::super::error::RebaseError;
use super::super::input::{End, Wish};
use super::super::machine::{
    Done, FORWARD, NOTHING, RECORD, Rebase, STAGES, items, open, own, rewrite,
};
use super::super::pick::{Onto, Picked, short};
use super::super::todo::{How, Item};
use super::{Look, Unstash};
use crate::history::commit::message::{Cleanup, clean, comment_mark};
use crate::history::engine::{Engine, Outcome};
use crate::history::objects;

/// Writing objects may take one part in so many of the time; tests see every slice.
const WRITING: u32 = if cfg!(test) { 0 } else { 10 };
/// A commit of the operation is never put off for longer.
const LONGEST: Duration = Duration::from_secs(2);
/// So many new objects are written quickly enough for a pause.
const MOST: usize = 3_000;

/// The state of picking.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pick {
    pub(in super::super) course: Course,
}

/// What lives from slice to slice.
struct Work {
    repository: gix::Repository,
    engine: Engine,
    items: Vec<Item>,
    committer: BString,
    keeps_empty: bool,
    /// How long the last objects took to be written.
    writing: Duration,
}

impl Step<Rebase> for Pick {
    async fn run(self, cx: &mut Context<'_, Rebase>) -> StepResult<Rebase> {
        cx.blocking(move |b| {
            if b.env().wish == Wish::Abort {
                if self.course.begun {
                    return Transition::to(Look::new(self.course, Goal::Abort));
                }
                return Transition::to(Unstash::new(self.course, End::Aborted));
            }
            Ok(advance(b, self.course)?)
        })
        .await
    }
}

fn advance(
    b: &mut Blocking<Rebase>,
    mut course: Course,
) -> Result<Transition<Rebase>, RebaseError> {
    let mut work = match b.take_local::<Work>() {
        Some(work) => work,
        None => begin(b)?,
    };
    let began = Instant::now();
    let least = (work.writing * WRITING).min(LONGEST);
    let mut record = Vec::new();
    let mut stopped = None;
    b.report(course.next, Some(course.total));
    while let Some(item) = usize::try_from(course.next)
        .ok()
        .and_then(|at| work.items.get(at))
        .cloned()
    {
        course.next += 1;
        let Item::Commit { how, commit, .. } = item else {
            stopped = Some(At::Command(item));
            break;
        };
        let source = Source::read(&work.repository, commit)?;
        let picked = work.take(b, &mut course, how, &source, &mut record)?;
        #[cfg(test)]
        b.env()
            .picked
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if let Some(outcome) = picked {
            stopped = Some(At::Conflict(source, outcome));
            break;
        }
        b.report(course.next, Some(course.total));
        let full = objects::pending(&work.repository) >= MOST;
        if full || b.should_yield() && (b.pause_requested() || began.elapsed() >= least) {
            break;
        }
    }
    // What the state points to is on disk before it.
    let writing = Instant::now();
    let place = own(b, &work.repository, "objects");
    objects::save_kept(&work.repository, &place, b)?;
    work.writing = writing.elapsed();
    b.append_file(RECORD)?.append(&record)?;
    match stopped {
        Some(At::Conflict(source, outcome)) => stop(b, &work.repository, course, &source, &outcome),
        Some(At::Command(Item::Exec(command))) => Ok(Transition::To(
            Look::new(course, Goal::Exec(command)).into(),
        )),
        _ if course.next < course.total => {
            b.keep_local(work);
            Ok(Transition::To(Pick { course }.into()))
        }
        _ => Ok(Transition::To(Look::new(course, Goal::Finish).into())),
    }
}

/// Where picking ends for now.
enum At {
    Conflict(Source, Outcome),
    Command(Item),
}

impl Work {
    /// Picks one commit, or melds it into the last one; gives what conflicts.
    fn take(
        &mut self,
        b: &mut Blocking<Rebase>,
        course: &mut Course,
        how: How,
        source: &Source,
        record: &mut Vec<u8>,
    ) -> Result<Option<Outcome>, RebaseError> {
        let next = usize::try_from(course.next).ok();
        let open = next.and_then(|at| self.items.get(at));
        let open = open.is_some_and(Item::melds);
        let onto = Onto {
            repository: &self.repository,
            head: course.head,
            parent: course.parent(),
            committer: &self.committer,
            keeps_empty: self.keeps_empty,
        };
        let (picked, message) = if how.melds() {
            let before = Source::read(&self.repository, course.head)?;
            let chain = &mut course.chain;
            let mark = comment_mark(&self.repository);
            let (said, old) = (source.message.as_ref(), before.message.as_ref());
            chain.add(how, source.id, said, old, &mark);
            let message = match (open, &chain.fixup, &chain.squash) {
                // What stays is as it was.
                (false, Some(fixup), _) => fixup.clone(),
                (false, None, Some(all)) => {
                    let cleanup = Cleanup::of(&self.repository, true);
                    clean(all, cleanup, &mark).into()
                }
                (_, _, all) => self.cleaned(all.as_ref().map_or(b"", |all| all.as_slice())),
            };
            let picked = onto.meld(&mut self.engine, source, &before, message.as_ref())?;
            if !open && !matches!(picked, Picked::Conflict(_)) {
                course.chain = Chain::default();
            }
            (picked, message)
        } else {
            let message = self.cleaned(&source.message);
            (
                onto.pick(&mut self.engine, source, message.as_ref())?,
                message,
            )
        };
        let mut done = Done {
            how: how.word().into(),
            open,
            old: source.id,
            new: source.id,
            who: self.committer.clone(),
            said: commit::first_line(message.as_ref()).to_owned(),
        };
        match picked {
            Picked::Same if course.to_root || course.begun || course.head != course.start => {
                done.how = FORWARD.into();
                course.head = source.id;
            }
            Picked::Same => {
                course.head = source.id;
                course.start = source.id;
                if !open {
                    return Ok(None);
                }
                done.how = NOTHING.into();
            }
            Picked::New(new) => {
                done.new = new;
                course.head = new;
                match how {
                    How::Pick => course.picked += 1,
                    _ => course.melded += 1,
                }
            }
            Picked::Dropped => {
                done.how = NOTHING.into();
                done.new = course.head;
                course.dropped += 1;
                let said = source.first_line();
                b.note(format!("{} {said:?} is empty now, and left out", source.id));
            }
            Picked::Conflict(outcome) => return Ok(Some(outcome)),
        }
        record.extend(done.line());
        Ok(None)
    }

    /// A message as it is configured.
    fn cleaned(&self, message: &[u8]) -> BString {
        let mark = comment_mark(&self.repository);
        clean(message, Cleanup::of_copies(&self.repository), &mark).into()
    }
}

fn begin(b: &mut Blocking<Rebase>) -> Result<Work, RebaseError> {
    let repository = objects::in_memory(&open(b.input())?);
    Ok(Work {
        engine: Engine::open(&repository, &own(b, &repository, "engine")),
        items: items(b)?,
        committer: b.env().committer(&repository),
        keeps_empty: b.input().keeps_empty(),
        writing: Duration::ZERO,
        repository,
    })
}

fn stop(
    b: &mut Blocking<Rebase>,
    repository: &gix::Repository,
    course: Course,
    source: &Source,
    outcome: &Outcome,
) -> Result<Transition<Rebase>, RebaseError> {
    if repository.workdir().is_none() {
        let commit = format!("{} ({})", short(repository, source.id), source.first_line());
        return Err(RebaseError::Bare { commit });
    }
    let mut stages = Vec::new();
    for stage in &outcome.stages {
        serde_json::to_writer(&mut stages, stage)
            .map_err(std::io::Error::from)
            .map_err(resume_runtime::StepError::from)?;
        stages.push(b'\n');
    }
    rewrite(b, STAGES, &stages)?;
    for message in &outcome.messages {
        b.note(message.text.clone());
    }
    let stopped = Stopped {
        commit: source.id,
        tree: outcome.tree,
    };
    Ok(Transition::To(
        Look::new(course, Goal::Stop(stopped)).into(),
    ))
}
