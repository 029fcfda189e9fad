//! What became of a conflict.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use gix::bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::chain::Chain;
use super::super::commit::{self, Source};
use super::super::course::{Course, Goal, Stopped};
use super::super::error::RebaseError;
use super::super::folder::{self, Found};
use super::super::input::{End, Wish};
use super::super::machine::{
    Done, NOTHING, RECORD, Rebase, TODO, items, open, output, own, record, rewrite, with_refs,
};
use super::super::pick::{self, short};
use super::super::refs::{self, Head};
use super::super::todo::{self, Item};
use super::{Close, Exec, Look, Pick};
use crate::history::commit::message::{Cleanup, clean, comment_mark};
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
    let Resolve {
        course,
        mut stopped,
    } = state;
    let Some(found) = folder::read(repository.git_dir())? else {
        return closed(b, &repository, &course);
    };
    let was_at = course.at;
    let (mut course, at) = adopt(b, &repository, course, &found)?;
    let Some(at) = at else {
        // Git stopped elsewhere: at a command.
        return Ok(Transition::To(Exec::after(course).into()));
    };
    stopped.commit = at;
    let is_committed = course.at != was_at;
    let wish = b.env().wish_at(course.next);
    if wish == Wish::Abort {
        let goal = Goal::Abort;
        return Ok(Transition::To(Look::new(course, goal).into()));
    }
    let source = Source::read(&repository, stopped.commit)?;
    let next = items(b)?;
    let next = usize::try_from(course.next)
        .ok()
        .and_then(|at| next.get(at));
    let mut end = Ended {
        course: &mut course,
        source: &source,
        melds_into: found.amend,
        open: next.is_some_and(Item::melds),
    };
    if wish == Wish::Skip {
        end.without(b, &repository)?;
        return Ok(Transition::To(Look::new(course, Goal::Skip).into()));
    }
    let wait = |course, said| {
        let state = Resolve { course, stopped };
        Ok(Transition::Wait(state.into(), said))
    };
    let open_paths = conflicts(&repository)?;
    if !open_paths.is_empty() {
        let said = Resolve::conflict(&repository, &source, &open_paths);
        return wait(course, said);
    }
    let head_tree = commit::tree(&repository, end.course.head)?;
    let dirty = dirt(&repository, head_tree)?;
    if !dirty.unstaged.is_empty() {
        let said = StepError::needs_user(
            format!("files differ from the index: {}", listed(&dirty.unstaged)),
            "`git add` them, or undo the changes, then continue",
        );
        return wait(course, said);
    }
    if dirty.staged.is_empty() {
        end.without(b, &repository)?;
        if is_committed {
            course.picked += 1;
        } else {
            // Nothing is left of it.
            course.dropped += 1;
        }
    } else {
        if found.amend.is_some_and(|head| head != end.course.head) {
            let said = StepError::needs_user(
                format!(
                    "there are changes that are not committed: {}",
                    listed(&dirty.staged)
                ),
                "commit them, then continue",
            );
            return wait(course, said);
        }
        let index = worktree::read_index(&repository)?;
        on_disk(b, &repository, &index, &dirty.staged)?;
        let tree = write_tree(&repository, &index)?;
        end.with(b, &repository, tree, found.message)?;
        course.base = course.head;
    }
    Ok(Transition::To(Pick { course }.into()))
}

/// What becomes of a commit that conflicted.
struct Ended<'a> {
    course: &'a mut Course,
    source: &'a Source,
    /// The commit that it is melded into.
    melds_into: Option<ObjectId>,
    /// Whether the next one is melded into it.
    open: bool,
}

impl Ended<'_> {
    /// It is committed, with a tree and perhaps another message.
    fn with(
        &mut self,
        b: &mut Blocking<Rebase>,
        repository: &gix::Repository,
        tree: ObjectId,
        message: Option<BString>,
    ) -> Result<(), RebaseError> {
        let committer = b.env().committer(repository);
        let message = message.unwrap_or_else(|| self.source.message.clone());
        let (new, message) = if self.melds_into.is_some() {
            let before = Source::read(repository, self.course.head)?;
            let message = edited(repository, &message);
            self.course.chain.current.clear();
            let new = pick::amend(repository, &before, tree, &committer, message.as_ref())?;
            self.course.melded += 1;
            (new, message)
        } else {
            let message = message_of(&message, self.source);
            let new = commit::write(
                repository,
                tree,
                self.course.parent().as_slice(),
                self.source.author.as_ref(),
                committer.as_ref(),
                message.as_ref(),
            )?;
            self.course.picked += 1;
            (new, message)
        };
        self.made(b, repository, new, &message, committer)
    }

    /// It is left out, or was committed by the user; then the message may have to be made anew.
    fn without(
        &mut self,
        b: &mut Blocking<Rebase>,
        repository: &gix::Repository,
    ) -> Result<(), RebaseError> {
        let committer = b.env().committer(repository);
        let chain = &mut self.course.chain;
        if let Some(head) = self.melds_into
            && chain.count() > 0
        {
            if head == self.course.head {
                chain.forget();
                let before = Source::read(repository, head)?;
                if self.open {
                    chain.squash = Some(before.message);
                } else if chain.count() > 0 {
                    let mark = comment_mark(repository);
                    let message = if chain.has_squash() {
                        edited(repository, &before.message)
                    } else {
                        clean(&before.message, Cleanup::Strip, &mark).into()
                    };
                    let text = message.as_ref();
                    let new = pick::amend(repository, &before, before.tree, &committer, text)?;
                    *chain = Chain::default();
                    return self.made(b, repository, new, &message, committer);
                }
            } else if !self.open {
                *chain = Chain::default();
            }
        }
        let done = Done {
            how: NOTHING.into(),
            open: self.open,
            old: self.source.id,
            new: self.course.head,
            who: committer,
            said: BString::default(),
        };
        Ok(b.append_file(RECORD)?.append(&done.line())?)
    }

    fn made(
        &mut self,
        b: &mut Blocking<Rebase>,
        repository: &gix::Repository,
        new: ObjectId,
        message: &BString,
        who: BString,
    ) -> Result<(), RebaseError> {
        let place = own(b, repository, "objects");
        objects::save_kept(repository, &place, &*b)?;
        let done = Done {
            how: "continue".into(),
            open: self.open,
            old: self.source.id,
            new,
            who,
            said: commit::first_line(message.as_ref()).to_owned(),
        };
        b.append_file(RECORD)?.append(&done.line())?;
        self.course.head = new;
        Ok(())
    }
}

/// A message as it would come out of an editor.
fn edited(repository: &gix::Repository, message: &BString) -> BString {
    let mark = comment_mark(repository);
    clean(message, Cleanup::of(repository, true), &mark).into()
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

/// Takes over what the user, or a command, did with Git: commits, and how far the list is. Gives the commit
/// that conflicts there, too.
pub(super) fn adopt(
    b: &mut Blocking<Rebase>,
    repository: &gix::Repository,
    mut course: Course,
    found: &Found,
) -> Result<(Course, Option<ObjectId>), RebaseError> {
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
    course.at = head;
    course.head = head;
    course.base = head;
    let rest = todo::parse(&found.todo).map_err(|line| RebaseError::Unknown {
        what: format!("the line {line:?} of the list of commits"),
    })?;
    if rest == mine[next..] {
        return Ok((course, found.stopped));
    }
    // What Git made is recorded as done, and logged by it.
    let known = record(b)?;
    let who = b.env().committer(repository);
    let mut lines = Vec::new();
    let made = found.rewritten.iter().map(|(old, new)| (*old, *new, false));
    let open = found.open.iter().map(|old| (*old, head, true));
    for (old, new, open) in made.chain(open) {
        let is_known = |done: &Done| done.old == old && (open || done.new == new);
        if known.iter().any(is_known) {
            continue;
        }
        let done = Done {
            how: "continue".into(),
            open,
            old,
            new,
            who: who.clone(),
            said: Source::read(repository, new)?.first_line().to_owned(),
        };
        course.picked += 1;
        lines.extend(done.line());
        course.logged += 1;
    }
    b.append_file(RECORD)?.append(&lines)?;
    let mut all = todo::parse(&found.done).unwrap_or_default();
    course.next = all.len() as u64;
    all.extend(rest);
    rewrite(b, TODO, &todo::render(&all))?;
    course.total = all.len() as u64;
    course.chain = found.chain.clone();
    Ok((course, found.stopped))
}

/// The user finished it with Git, or gave it up.
pub(super) fn closed(
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
