//! Hooks, and what is left behind.

use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::course::Course;
use super::super::error::RebaseError;
use super::super::folder;
use super::super::input::End;
use super::super::machine::{Rebase, open, output, own, record, rewritten, with_refs};
use crate::history::hooks::{HookError, Hooks};
use crate::history::objects;

/// The last state.
#[derive(Debug, Serialize, Deserialize)]
pub struct Close {
    course: Course,
    end: End,
}

impl Close {
    pub(super) fn new(course: Course, end: End) -> Self {
        Self { course, end }
    }

    /// Removes the operation's own directories within the Git directory.
    pub(super) fn clear(
        b: &Blocking<Rebase>,
        repository: &gix::Repository,
    ) -> Result<(), RebaseError> {
        let kept = own(b, repository, "objects");
        objects::release(repository, &kept).map_err(RebaseError::io(&kept))?;
        for name in ["refs", "objects", "engine", "folder", "hooks"] {
            let dir = own(b, repository, name);
            match std::fs::remove_dir_all(&dir) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(RebaseError::io(&dir)(error));
                }
                _ => {}
            }
        }
        // Not empty where the operation's files lie there, too.
        let _ = own(b, repository, "x").parent().map(std::fs::remove_dir);
        Ok(())
    }
}

impl Step<Rebase> for Close {
    async fn run(self, cx: &mut Context<'_, Rebase>) -> StepResult<Rebase> {
        cx.blocking(move |b| Ok(close(b, self)?)).await
    }
}

fn close(b: &mut Blocking<Rebase>, state: Close) -> Result<Transition<Rebase>, RebaseError> {
    let Close { course, end } = state;
    let repository = open(b.input())?.to_thread_local();
    if course.begun {
        folder::remove(repository.git_dir(), &*b)?;
        with_refs(b, &repository, |refs| {
            refs.remove(&["REBASE_HEAD", "AUTO_MERGE", "MERGE_MSG"])
        })?;
    }
    let mut head = course.orig;
    if end == End::Rebased {
        head = course.head;
        let (done, _) = rewritten(&record(b)?);
        let lines = done.iter().map(|(old, new)| format!("{old} {new}\n"));
        let lines: Vec<String> = lines.collect();
        let pairs = lines.concat();
        if !pairs.is_empty() {
            let place = own(b, &repository, "hooks");
            let args = [std::ffi::OsStr::new("rebase")];
            let input = Some(pairs.as_bytes());
            let hooks = Hooks::of(&repository);
            match hooks.run("post-rewrite", &args, input, &place, b.interrupt()) {
                // It can't change anything any more.
                Ok(_) | Err(HookError::Refused { .. }) => {}
                Err(error) => return Err(StepError::from(error).into()),
            }
        }
    }
    Close::clear(b, &repository)?;
    Ok(Transition::Done(output(&course, end, head)))
}
