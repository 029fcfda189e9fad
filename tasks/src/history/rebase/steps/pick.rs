//! Commits, picked in memory until a commit of the operation is due.

use std::time::{Duration, Instant};

use gix::bstr::BString;
use gix_hash::ObjectId;
use resume_runtime::{Blocking, Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::commit::Source;
use super::super::course::{Course, Goal, Stopped};
use super::super::error::RebaseError;
use super::super::input::{End, Wish};
use super::super::machine::{Done, FORWARD, RECORD, Rebase, STAGES, items, open, own, rewrite};
use super::super::pick::{Picked, pick, short};
use super::super::todo::Item;
use super::{Look, Unstash};
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
    /// How long the last objects took to be written.
    writing: Duration,
}

impl Step<Rebase> for Pick {
    async fn run(self, cx: &mut Context<'_, Rebase>) -> StepResult<Rebase> {
        cx.blocking(move |b| {
            if !self.course.begun && b.env().wish == Wish::Abort {
                b.env().take_wish();
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
    let mut conflict = None;
    b.report(course.next, Some(course.total));
    while let Some(item) = usize::try_from(course.next)
        .ok()
        .and_then(|at| work.items.get(at))
    {
        let source = Source::read(&work.repository, item.commit)?;
        let (repository, engine) = (&work.repository, &mut work.engine);
        let picked = pick(
            repository,
            engine,
            course.head,
            course.parent(),
            &source,
            &work.committer,
        )?;
        #[cfg(test)]
        b.env()
            .picked
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        course.next += 1;
        match picked {
            Picked::Same if course.to_root => {
                record.extend(made(FORWARD, &source, item.commit, &work.committer).line());
                course.head = item.commit;
            }
            Picked::Same => {
                course.head = item.commit;
                course.start = item.commit;
            }
            Picked::New(new) => {
                record.extend(made("pick", &source, new, &work.committer).line());
                course.head = new;
                course.picked += 1;
            }
            Picked::Dropped => {
                course.dropped += 1;
                let said = source.first_line();
                b.note(format!(
                    "{} {said:?} is empty now, and left out",
                    item.commit
                ));
            }
            Picked::Conflict(outcome) => {
                conflict = Some((source, outcome));
                break;
            }
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
    objects::save(&work.repository, &place, b)?;
    work.writing = writing.elapsed();
    b.append_file(RECORD)?.append(&record)?;
    if let Some((source, outcome)) = conflict {
        return stop(b, &work.repository, course, &source, &outcome);
    }
    if course.next < course.total {
        b.keep_local(work);
        return Ok(Transition::To(Pick { course }.into()));
    }
    Ok(Transition::To(Look::new(course, Goal::Finish).into()))
}

fn begin(b: &mut Blocking<Rebase>) -> Result<Work, RebaseError> {
    let repository = objects::in_memory(&open(b.input())?);
    Ok(Work {
        engine: Engine::open(&repository, &own(b, &repository, "engine")),
        items: items(b)?,
        committer: b.env().committer(&repository),
        writing: Duration::ZERO,
        repository,
    })
}

/// What the record says of a commit that was made.
pub(super) fn made(how: &str, source: &Source, new: ObjectId, who: &BString) -> Done {
    Done {
        how: how.into(),
        old: source.id,
        new,
        who: who.clone(),
        said: source.first_line().to_owned(),
    }
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
