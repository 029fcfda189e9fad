//! The working tree: looked at, and moved.

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::commit;
use super::super::course::{Course, Goal};
use super::super::error::RebaseError;
use super::super::input::{End, Wish};
use super::super::machine::{Rebase, STAGES, open, read, with_refs};
use super::super::refs::Head;
use super::{Keep, Settle, Unstash};
use crate::history::engine::Stage;
use crate::history::worktree::{self, Advance, Plan, WorktreeError, check};

/// The state before the working tree is moved.
#[derive(Debug, Serialize, Deserialize)]
pub struct Look {
    course: Course,
    goal: Goal,
}

/// The state while it is moved.
#[derive(Debug, Serialize, Deserialize)]
pub struct Move {
    course: Course,
    goal: Goal,
    moving: worktree::Transition,
}

impl Look {
    pub(in super::super) fn new(course: Course, goal: Goal) -> Self {
        Self { course, goal }
    }
}

impl Step<Rebase> for Look {
    async fn run(self, cx: &mut Context<'_, Rebase>) -> StepResult<Rebase> {
        cx.blocking(move |b| {
            let Self { course, mut goal } = self;
            let may_abort = matches!(goal, Goal::Finish | Goal::Stop(_) | Goal::Exec(_));
            if may_abort && b.env().wish == Wish::Abort {
                if !course.begun {
                    return Transition::to(Unstash::new(course, End::Aborted));
                }
                goal = Goal::Abort;
            }
            let repository = open(b.input())?.to_thread_local();
            if !matches!(goal, Goal::Restore { .. }) {
                unmoved(b, &repository, &course)?;
            }
            if repository.workdir().is_none() {
                return Transition::to(Settle::new(course, goal));
            }
            let plan = plan(b, &course, &goal).map_err(StepError::from)?;
            match check(b, &plan) {
                Ok(moving) => Transition::to(Move {
                    course,
                    goal,
                    moving,
                }),
                // What is there now comes first.
                Err(WorktreeError::Overwrites { .. }) if let Goal::Restore { end, .. } = goal => {
                    Transition::to(Keep::new(course, end))
                }
                // Once the user has seen to it, it is looked at anew.
                Err(error @ WorktreeError::Overwrites { .. }) => {
                    Transition::wait(Self { course, goal }, error.into())
                }
                Err(error) => Err(error.into()),
            }
        })
        .await
    }
}

impl Step<Rebase> for Move {
    async fn run(self, cx: &mut Context<'_, Rebase>) -> StepResult<Rebase> {
        cx.blocking(move |b| {
            let Self {
                course,
                goal,
                moving,
            } = self;
            let (of, to) = (course.clone(), goal.clone());
            match moving.advance(b, |b| plan(b, &of, &to))? {
                Advance::More(moving) => Transition::to(Self {
                    course,
                    goal,
                    moving,
                }),
                Advance::Done { .. } => Transition::to(Settle::new(course, goal)),
            }
        })
        .await
    }
}

/// Nobody else moved what is rebased.
fn unmoved(
    b: &Blocking<Rebase>,
    repository: &gix::Repository,
    course: &Course,
) -> Result<(), RebaseError> {
    let moved = |name: &str, found: String, expected| {
        Err(RebaseError::Moved {
            name: name.into(),
            found,
            expected,
        })
    };
    with_refs(b, repository, |refs| {
        let head = refs.head()?;
        let expected = match (&course.from_branch, course.begun) {
            (Some(name), false) => Head::Branch(name.clone()),
            _ => Head::Commit(course.at),
        };
        if head != expected {
            let found = match head {
                Head::Branch(name) => name.to_string(),
                Head::Commit(id) => id.to_string(),
            };
            return moved("HEAD", found, course.at);
        }
        if let Some(name) = &course.branch {
            let found = refs.find(name.as_ref())?;
            if found != Some(course.orig) {
                let found = found.map_or_else(|| "nothing".to_owned(), |id| id.to_string());
                return moved(&name.to_string(), found, course.orig);
            }
        }
        if let Some(name) = &course.from_branch
            && !course.begun
            && refs.find(name.as_ref())? != Some(course.from)
        {
            return moved(&name.to_string(), "another commit".to_owned(), course.from);
        }
        Ok(())
    })
}

fn plan(b: &mut Blocking<Rebase>, course: &Course, goal: &Goal) -> Result<Plan, WorktreeError> {
    let shared = open(b.input()).map_err(StepError::from)?;
    let repository = shared.to_thread_local();
    let tree = |id| tree_of(&repository, id);
    let from = tree(course.base)?;
    let (to, treeish) = match goal {
        Goal::Finish | Goal::Skip | Goal::Exec(_) | Goal::Reset => {
            (tree(course.head)?, course.head)
        }
        Goal::Stop(stopped) => (stopped.tree, stopped.tree),
        Goal::Abort => (tree(course.orig)?, course.orig),
        Goal::Clean => (tree(course.from)?, course.from),
        Goal::Restore { tree, .. } => (*tree, *tree),
    };
    let from = match goal {
        Goal::Restore { end, .. } => tree_of(&repository, course.tip(*end))?,
        _ => from,
    };
    let mut plan = Plan::new(shared, from, to);
    plan.treeish = treeish;
    let forced = [Goal::Skip, Goal::Reset, Goal::Abort, Goal::Clean];
    plan.force = forced.contains(goal);
    plan.unstaged = matches!(goal, Goal::Restore { .. });
    match goal {
        Goal::Stop(_) => plan.unmerged = stages(b)?,
        Goal::Finish | Goal::Abort => plan.branch.clone_from(&course.branch),
        Goal::Exec(_) | Goal::Skip | Goal::Reset | Goal::Clean | Goal::Restore { .. } => {}
    }
    Ok(plan)
}

fn tree_of(
    repository: &gix::Repository,
    id: gix_hash::ObjectId,
) -> Result<gix_hash::ObjectId, StepError> {
    commit::tree(repository, id).map_err(StepError::from)
}

/// The stages of the conflicting paths.
pub(super) fn stages(b: &mut Blocking<Rebase>) -> Result<Vec<Stage>, StepError> {
    let file = read(b, STAGES)?;
    let lines = file
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| {
            serde_json::from_slice(line).map_err(|error| StepError::fatal(error.to_string()))
        })
        .collect()
}
