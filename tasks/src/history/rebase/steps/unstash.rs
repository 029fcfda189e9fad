//! What was kept at the beginning is put back, or kept in the stash.

use resume_runtime::{Blocking, Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::course::{Course, Goal};
use super::super::error::RebaseError;
use super::super::input::End;
use super::super::logs::Line;
use super::super::machine::{Rebase, open, own, with_refs};
use super::super::stash;
use super::{Close, Look};
use crate::history::engine::Engine;
use crate::history::objects;

/// The state once all is rebased.
#[derive(Debug, Serialize, Deserialize)]
pub struct Unstash {
    course: Course,
    end: End,
}

/// The state where it can't be put back.
#[derive(Debug, Serialize, Deserialize)]
pub struct Keep {
    course: Course,
    end: End,
}

impl Unstash {
    pub(super) fn new(course: Course, end: End) -> Self {
        Self { course, end }
    }
}

impl Keep {
    pub(super) fn new(course: Course, end: End) -> Self {
        Self { course, end }
    }
}

impl Step<Rebase> for Unstash {
    async fn run(self, cx: &mut Context<'_, Rebase>) -> StepResult<Rebase> {
        cx.blocking(move |b| Ok(unstash(b, self)?)).await
    }
}

fn unstash(b: &mut Blocking<Rebase>, state: Unstash) -> Result<Transition<Rebase>, RebaseError> {
    let Unstash { course, end } = state;
    let Some(kept) = course.stash else {
        return Ok(Transition::To(Close::new(course, end).into()));
    };
    let repository = objects::in_memory(&open(b.input())?);
    let mut engine = Engine::open(&repository, &own(b, &repository, "engine"));
    let head = course.tip(end);
    let merged = stash::merge(&repository, &mut engine, kept, head)?;
    if !merged.clean {
        return Ok(Transition::To(Keep { course, end }.into()));
    }
    let place = own(b, &repository, "objects");
    objects::save_kept(&repository, &place, &*b)?;
    let goal = Goal::Restore {
        tree: merged.tree,
        end,
    };
    Ok(Transition::To(Look::new(course, goal).into()))
}

impl Step<Rebase> for Keep {
    async fn run(self, cx: &mut Context<'_, Rebase>) -> StepResult<Rebase> {
        cx.blocking(move |b| Ok(keep(b, self)?)).await
    }
}

fn keep(b: &mut Blocking<Rebase>, state: Keep) -> Result<Transition<Rebase>, RebaseError> {
    let Keep { mut course, end } = state;
    let repository = open(b.input())?.to_thread_local();
    if let Some(kept) = course.stash {
        let who = b.env().committer(&repository);
        with_refs(b, &repository, |refs| {
            let old = refs.find(stash::name())?;
            let line = Line {
                old: old.unwrap_or(gix_hash::ObjectId::null(gix_hash::Kind::Sha1)),
                new: kept,
                who,
                message: "autostash".into(),
            };
            refs.stash(stash::name(), old, &line)
        })?;
        b.note("the stashed changes conflict; they are safe in the stash: `git stash pop`");
        course.kept = true;
    }
    Ok(Transition::To(Close::new(course, end).into()))
}
