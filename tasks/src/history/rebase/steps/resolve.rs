//! What became of a conflict.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use gix::bstr::{BString, ByteSlice as _};
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::commit::{self, Source};
use super::super::course::{Course, Goal, Stopped};
use super::super::error::RebaseError;
use super::super::folder::{self, Found};
use super::super::input::{End, Wish};
use super::super::machine::{
    Done, RECORD, Rebase, TODO, items, open, output, own, record, rewrite, with_refs,
};
use super::super::pick::short;
use super::super::refs::{self, Head};
use super::super::todo;
use super::pick::made;
use super::{Close, Look, Pick};
use crate::history::objects;
use crate::history::worktree::{self, conflicts, dirt, listed, write_tree};

/// The state of waiting.
#[derive(Debug, Serialize, Deserialize)]
pub struct Resolve {
    course: Course,
    stopped: Stopped,
}

impl Resolve {
    pub(super) fn new(course: Course, stopped: Stopped) -> Self {
        Self { course, stopped }
    }

    /// What the user is told.
    pub(super) fn conflict(
        repository: &gix::Repository,
        source: &Source,
        paths: &[BString],
    ) -> StepError {
        let commit = short(repository, source.id);
        let said = commit::subject(source.message.as_ref());
        let said: String = said
            .to_str_lossy()
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        StepError::needs_user(
            format!(
                "could not apply {commit} ({said}): conflicts in {}",
                listed(paths)
            ),
            "resolve them and `git add` the files, then continue; `mug rebase --skip` leaves the commit \
             out, `mug rebase --abort` puts everything back",
        )
    }
}

impl Step<Rebase> for Resolve {
    async fn run(self, cx: &mut Context<'_, Rebase>) -> StepResult<Rebase> {
        cx.blocking(move |b| Ok(resolve(b, self)?)).await
    }
}

fn resolve(b: &mut Blocking<Rebase>, state: Resolve) -> Result<Transition<Rebase>, RebaseError> {
    let repository = objects::in_memory(&open(b.input())?);
    let Resolve { course, stopped } = state;
    let Some(found) = folder::read(repository.git_dir())? else {
        return closed(b, &repository, &course);
    };
    let mut state = adopt(b, &repository, course, stopped, &found)?;
    match b.env().take_wish() {
        Wish::Abort => {
            let goal = Goal::Abort;
            return Ok(Transition::To(Look::new(state.course, goal).into()));
        }
        Wish::Skip => {
            let goal = Goal::Skip;
            return Ok(Transition::To(Look::new(state.course, goal).into()));
        }
        Wish::Continue => {}
    }
    let source = Source::read(&repository, state.stopped.commit)?;
    let open_paths = conflicts(&repository)?;
    if !open_paths.is_empty() {
        let said = Resolve::conflict(&repository, &source, &open_paths);
        return Ok(Transition::Wait(state.into(), said));
    }
    let head_tree = commit::tree(&repository, state.course.head)?;
    let dirty = dirt(&repository, head_tree)?;
    if !dirty.unstaged.is_empty() {
        let said = StepError::needs_user(
            format!("files differ from the index: {}", listed(&dirty.unstaged)),
            "`git add` them, or undo the changes, then continue",
        );
        return Ok(Transition::Wait(state.into(), said));
    }
    if !dirty.staged.is_empty() {
        let index = worktree::read_index(&repository)?;
        on_disk(b, &repository, &index, &dirty.staged)?;
        let tree = write_tree(&repository, &index)?;
        let committer = b.env().committer(&repository);
        let message = found.message.unwrap_or_else(|| source.message.clone());
        let message = message_of(&message, &source);
        let new = commit::write(
            &repository,
            tree,
            state.course.parent(),
            source.author.as_ref(),
            committer.as_ref(),
            message.as_ref(),
        )?;
        let place = own(b, &repository, "objects");
        objects::save(&repository, &place, &*b)?;
        let done = made("continue", &source, new, &committer);
        b.append_file(RECORD)?.append(&done.line())?;
        state.course.head = new;
        state.course.base = new;
        state.course.picked += 1;
    } else if state.course.head == state.course.at {
        // Nothing is left of it.
        state.course.dropped += 1;
    }
    let course = state.course;
    Ok(Transition::To(Pick { course }.into()))
}

/// Puts on disk what the user made: the commit will point to it.
fn on_disk(
    b: &Blocking<Rebase>,
    repository: &gix::Repository,
    index: &gix::index::State,
    paths: &[BString],
) -> Result<(), RebaseError> {
    let objects = repository.common_dir().join("objects");
    let sync = |path: &Path| {
        // An object may be packed, a file may be gone.
        if path.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            return b.sync(path);
        }
        Ok(())
    };
    for path in paths {
        if let Some(entry) = index.entry_by_path(path.as_ref()) {
            let hex = entry.id.to_string();
            sync(&objects.join(&hex[..2]).join(&hex[2..]))?;
        }
        if let Some(dir) = repository.workdir() {
            sync(&dir.join(OsStr::from_bytes(path)))?;
        }
    }
    b.sync(&repository.git_dir().join("index"))?;
    Ok(())
}

/// The message, without what was added at the conflict; the commit's own if nobody changed it.
fn message_of(found: &BString, source: &Source) -> BString {
    let lines = found.lines_with_terminator();
    let kept: Vec<u8> = lines
        .filter(|line| !line.starts_with(b"#"))
        .flatten()
        .copied()
        .collect();
    let kept = kept.trim_end();
    if kept == source.message.trim_end() {
        return source.message.clone();
    }
    [kept, b"\n"].concat().into()
}

/// Takes over what the user did with Git: a commit, or the next conflict.
fn adopt(
    b: &mut Blocking<Rebase>,
    repository: &gix::Repository,
    mut course: Course,
    mut stopped: Stopped,
    found: &Found,
) -> Result<Resolve, RebaseError> {
    let head = refs::head(repository.git_dir())?;
    let Head::Commit(head) = head else {
        return Err(RebaseError::Moved {
            name: "HEAD".into(),
            found: format!("{head:?}"),
            expected: course.at,
        });
    };
    let mine = items(b)?;
    let next = usize::try_from(course.next)
        .unwrap_or(usize::MAX)
        .min(mine.len());
    let same_list = todo::parse(&found.todo).is_ok_and(|todo| todo == mine[next..]);
    if head == course.at && same_list {
        return Ok(Resolve { course, stopped });
    }
    let rest = todo::parse(&found.todo).map_err(|line| RebaseError::Unknown {
        what: format!("the line {line:?} of the list of commits"),
    })?;
    // What Git made is recorded as done, and logged by it.
    let known = record(b)?;
    let who = b.env().committer(repository);
    let mut lines = Vec::new();
    for (old, new) in &found.rewritten {
        if known
            .iter()
            .any(|done| done.old == *old && done.new == *new)
        {
            continue;
        }
        let done = Done {
            how: "continue".into(),
            old: *old,
            new: *new,
            who: who.clone(),
            said: Source::read(repository, *new)?.first_line().to_owned(),
        };
        course.picked += 1;
        lines.extend(done.line());
        course.logged += 1;
    }
    b.append_file(RECORD)?.append(&lines)?;
    rewrite(b, TODO, &todo::render(&rest))?;
    course.next = 0;
    course.total = rest.len() as u64;
    course.at = head;
    course.head = head;
    course.base = head;
    if let Some(commit) = found.stopped {
        stopped.commit = commit;
    }
    Ok(Resolve { course, stopped })
}

/// The user finished it with Git, or gave it up.
fn closed(
    b: &mut Blocking<Rebase>,
    repository: &gix::Repository,
    course: &Course,
) -> Result<Transition<Rebase>, RebaseError> {
    let now = with_refs(b, repository, |refs| match &course.branch {
        Some(name) => refs.find(name.as_ref()),
        None => Ok(match refs.head()? {
            Head::Commit(id) => Some(id),
            Head::Branch(_) => None,
        }),
    })?;
    let now = now.unwrap_or(course.orig);
    let end = if now == course.orig {
        End::AbortedWithGit
    } else {
        End::FinishedWithGit
    };
    Close::clear(b, repository)?;
    Ok(Transition::Done(output(course, end, now)))
}
