//! A command between picks (`--exec`), in the working tree, with the last commit checked out.

use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use gix::bstr::{BString, ByteSlice as _};
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::commit;
use super::super::course::{Course, Goal, Stopped};
use super::super::error::RebaseError;
use super::super::folder;
use super::super::input::Wish;
use super::super::machine::{Rebase, items, open, own};
use super::resolve::{adopt, closed};
use super::{Look, Pick, Resolve};
use crate::history::running::Running;
use crate::history::worktree::{Dirt, dirt, listed};
use crate::transfer::text;

/// Says that commands that failed are run again.
pub(super) const RUNS_AGAIN: &str = "rebase.rescheduleFailedExec";

/// The state before a command, and after one that the user has to see to.
///
/// A command that was not seen to its end, since the process was killed, is run again. One that ended is
/// recorded, and never run again.
#[derive(Debug, Serialize, Deserialize)]
pub struct Exec {
    course: Course,
    /// What is to be run; nothing once it was.
    #[serde(with = "text::maybe_name")]
    command: Option<BString>,
}

impl Exec {
    pub(super) fn new(course: Course, command: BString) -> Self {
        Self {
            course,
            command: Some(command),
        }
    }

    /// Where the user is to go on, with nothing to run before.
    pub(super) fn after(course: Course) -> Self {
        Self {
            course,
            command: None,
        }
    }
}

impl Step<Rebase> for Exec {
    async fn run(self, cx: &mut Context<'_, Rebase>) -> StepResult<Rebase> {
        cx.blocking(move |b| Ok(exec(b, self)?)).await
    }
}

fn exec(b: &mut Blocking<Rebase>, state: Exec) -> Result<Transition<Rebase>, RebaseError> {
    let Exec {
        course,
        mut command,
    } = state;
    let repository = open(b.input())?.to_thread_local();
    let Some(found) = folder::read(repository.git_dir())? else {
        return closed(b, &repository, &course);
    };
    if !found.is_here(&course, &items(b)?) {
        // The user went on with Git.
        command = None;
    }
    if command.is_none() {
        let (course, at) = adopt(b, &repository, course, &found)?;
        if let Some(commit) = at {
            let tree = commit::tree(&repository, course.head)?;
            let stopped = Stopped { commit, tree };
            return Ok(Transition::To(Resolve::new(course, stopped).into()));
        }
        return go_on(b, &repository, course);
    }
    let goal = match b.env().wish_at(course.next) {
        Wish::Abort => Some(Goal::Abort),
        Wish::Skip => Some(Goal::Reset),
        Wish::Continue => None,
    };
    if let Some(goal) = goal {
        return Ok(Transition::To(Look::new(course, goal).into()));
    }
    let command = command.unwrap_or_default();
    let failed = run(b, &repository, &command)?;
    let Some(found) = folder::read(repository.git_dir())? else {
        return closed(b, &repository, &course);
    };
    // The command may have made commits, and changed the list.
    let (course, _) = adopt(b, &repository, course, &found)?;
    let dirty = dirt(&repository, commit::tree(&repository, course.head)?)?;
    let error = match failed {
        Some(said) => StepError::needs_user(
            format!("the command {:?} failed: {said}", command.to_str_lossy()),
            "mend it, then continue; `mug rebase --abort` puts everything back",
        ),
        None if dirty.is_clean() => return Ok(Transition::To(Pick { course }.into())),
        None => StepError::needs_user(
            format!(
                "the command {:?} left changes: {}",
                command.to_str_lossy(),
                changed(&dirty)
            ),
            "commit them or undo them, then continue; `mug rebase --abort` puts everything back",
        ),
    };
    let config = repository.config_snapshot();
    let state = match config.boolean(RUNS_AGAIN) {
        Some(true) => Exec::new(course, command),
        _ => Exec::after(course),
    };
    Ok(Transition::Wait(state.into(), error))
}

/// What the user left, once a command was run.
fn go_on(
    b: &mut Blocking<Rebase>,
    repository: &gix::Repository,
    course: Course,
) -> Result<Transition<Rebase>, RebaseError> {
    match b.env().wish_at(course.next) {
        Wish::Abort => return Ok(Transition::To(Look::new(course, Goal::Abort).into())),
        Wish::Skip => return Ok(Transition::To(Look::new(course, Goal::Reset).into())),
        Wish::Continue => {}
    }
    let dirty = dirt(repository, commit::tree(repository, course.head)?)?;
    if dirty.is_clean() {
        return Ok(Transition::To(Pick { course }.into()));
    }
    let error = StepError::needs_user(
        format!(
            "there are changes that are not committed: {}",
            changed(&dirty)
        ),
        "commit them (`git commit --amend` for the last commit), or undo them, then continue",
    );
    Ok(Transition::Wait(Exec::after(course).into(), error))
}

fn changed(dirty: &Dirt) -> String {
    let mut paths = [&dirty.unstaged[..], &dirty.staged].concat();
    paths.sort();
    paths.dedup();
    listed(&paths)
}

/// Runs a command as Git does; says why it failed.
fn run(
    b: &mut Blocking<Rebase>,
    repository: &gix::Repository,
    command: &BString,
) -> Result<Option<String>, RebaseError> {
    let top = repository.workdir().ok_or(RebaseError::NoPlace)?;
    let mut shell = Command::new("/bin/sh");
    shell
        .arg("-c")
        .arg(std::ffi::OsStr::from_bytes(command))
        .current_dir(std::path::absolute(top).map_err(RebaseError::io(top))?)
        .env("GIT_SEQUENCE_EDITOR", ":")
        // Nobody is there to use one.
        .env("GIT_EDITOR", ":")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE");
    b.note(format!("executing: {}", command.to_str_lossy()));
    let running = Running {
        command: shell,
        stdin: None,
        own: &own(b, repository, "hooks"),
        interrupt: b.interrupt(),
    };
    let ran = running.run().map_err(StepError::from)?;
    let Some(status) = ran.status else {
        let what = "a command (--exec) was interrupted";
        return Err(StepError::transient(what).into());
    };
    if status.success() {
        return Ok(None);
    }
    let lines: Vec<&str> = ran.output.trim_end().lines().collect();
    let told = &lines[lines.len().saturating_sub(TOLD)..];
    let mut said = status.to_string();
    for line in told {
        said.push_str("\n  ");
        said.push_str(line);
    }
    Ok(Some(said))
}

/// So many lines of what a command printed are told.
const TOLD: usize = 20;
