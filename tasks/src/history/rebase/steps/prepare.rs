//! What is to be done.

use resume_runtime::{Blocking, Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::chain::Chain;
use super::super::choose::choose;
use super::super::course::{Course, Goal};
use super::super::error::RebaseError;
use super::super::input::End;
use super::super::machine::{Rebase, TODO, open, output, own, rewrite};
use super::super::refs::Head;
use super::super::{stash, todo};
use super::{Look, Pick};
use crate::history::hooks::{HookError, Hooks};
use crate::history::objects;

/// The first state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Prepare {}

impl Step<Rebase> for Prepare {
    async fn run(self, cx: &mut Context<'_, Rebase>) -> StepResult<Rebase> {
        cx.blocking(|b| Ok(prepare(b)?)).await
    }
}

fn prepare(b: &mut Blocking<Rebase>) -> Result<Transition<Rebase>, RebaseError> {
    let input = b.input().clone();
    let repository = objects::in_memory(&open(&input)?);
    let who = b.env().committer(&repository);
    let choice = choose(&repository, &input, &who)?;
    choice.refuse_dirty(&repository, &input)?;
    let from_branch = match &choice.head {
        Head::Branch(name) => Some(name.clone()),
        Head::Commit(_) => None,
    };
    let mut course = Course {
        branch: choice.branch.clone(),
        orig: choice.orig,
        from_branch,
        from: choice.from,
        onto: choice.onto,
        onto_name: choice.onto_name.clone(),
        to_root: choice.to_root,
        start: choice.onto,
        base: choice.from,
        at: choice.from,
        head: choice.onto,
        next: 0,
        total: 0,
        begun: false,
        logged: 0,
        picked: 0,
        dropped: 0,
        melded: 0,
        stash: None,
        kept: false,
        chain: Chain::default(),
    };
    if !input.always_begins() && choice.is_up_to_date(&repository)? {
        if input.branch.is_none() {
            return Ok(Transition::Done(output(
                &course,
                End::UpToDate,
                choice.orig,
            )));
        }
        // The branch is checked out all the same.
        course.start = choice.orig;
        course.head = choice.orig;
        rewrite(b, TODO, b"")?;
        if choice.dirty.is_some() {
            return keep_aside(b, course);
        }
        let goal = Goal::Finish;
        return Ok(Transition::To(Look::new(course, goal).into()));
    }
    ask_hook(b, &repository, choice.upstream_name.as_deref())?;
    let (items, skipped) = choice.items(&repository, &input)?;
    course.total = items.len() as u64;
    course.dropped = skipped;
    if skipped > 0 {
        b.note(format!(
            "{skipped} commits are applied already, and left out"
        ));
    }
    rewrite(b, TODO, &todo::render(&items))?;
    let place = own(b, &repository, "objects");
    objects::save_kept(&repository, &place, &*b)?;
    if choice.dirty.is_some() {
        return keep_aside(b, course);
    }
    Ok(Transition::To(Pick { course }.into()))
}

/// Keeps what is not committed as a commit, then takes it out of index and working tree.
fn keep_aside(
    b: &mut Blocking<Rebase>,
    mut course: Course,
) -> Result<Transition<Rebase>, RebaseError> {
    let repository = objects::in_memory(&open(b.input())?);
    let who = b.env().committer(&repository);
    let kept = stash::create(&repository, course.from, course.from_branch.as_ref(), &who)?;
    let place = own(b, &repository, "objects");
    objects::save_kept(&repository, &place, &*b)?;
    b.note(format!("what is not committed is kept as {kept}"));
    course.stash = Some(kept);
    Ok(Transition::To(Look::new(course, Goal::Clean).into()))
}

/// Asks the hook whether it may be.
fn ask_hook(
    b: &Blocking<Rebase>,
    repository: &gix::Repository,
    upstream: Option<&str>,
) -> Result<(), RebaseError> {
    let input = b.input();
    let upstream = upstream.unwrap_or("--root");
    let mut args = vec![std::ffi::OsStr::new(upstream)];
    args.extend(input.branch.as_ref().map(std::ffi::OsStr::new));
    let own = own(b, repository, "hooks");
    let asked = Hooks::of(repository).run("pre-rebase", &args, None, &own, b.interrupt());
    match asked {
        Ok(_) => Ok(()),
        Err(HookError::Refused { output, .. }) => Err(RebaseError::Refused {
            hook: "pre-rebase",
            said: output.trim().lines().collect::<Vec<_>>().join("; "),
        }),
        Err(error) => Err(resume_runtime::StepError::from(error).into()),
    }
}
