//! `HEAD`, the branch, and Git's folder.

use gix::bstr::BString;
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::commit::Source;
use super::super::course::{Course, Goal, Stopped};
use super::super::error::RebaseError;
use super::super::folder::{self, Conflict, Place, Rules};
use super::super::input::End;
use super::super::logs::Line;
use super::super::machine::{
    Done, FORWARD, NOTHING, Rebase, items, open, own, record, rewritten, with_refs,
};
use super::super::refs::{Head, Refs};
use super::super::todo::Item;
use super::exec::RUNS_AGAIN;
use super::look::stages;
use super::{Close, Exec, Look, Pick, Resolve, Unstash};
use crate::history::hooks::Hooks;

/// The state once the working tree is moved.
#[derive(Debug, Serialize, Deserialize)]
pub struct Settle {
    course: Course,
    goal: Goal,
}

impl Settle {
    pub(super) fn new(course: Course, goal: Goal) -> Self {
        Self { course, goal }
    }
}

impl Step<Rebase> for Settle {
    async fn run(self, cx: &mut Context<'_, Rebase>) -> StepResult<Rebase> {
        cx.blocking(move |b| {
            let Self { course, goal } = self;
            match goal.clone() {
                Goal::Finish => Ok(finish(b, course)?),
                Goal::Stop(stopped) => Ok(stop(b, course, stopped)?),
                Goal::Exec(command) => Ok(exec(b, course, command)?),
                Goal::Skip | Goal::Reset => {
                    let mut course = course;
                    course.base = course.head;
                    course.dropped += u64::from(goal == Goal::Skip);
                    Transition::to(Pick { course })
                }
                Goal::Abort => Ok(abort(b, course)?),
                Goal::Clean if course.total == 0 => Transition::to(Look::new(course, Goal::Finish)),
                Goal::Clean => Transition::to(Pick { course }),
                Goal::Restore { end, .. } => Transition::to(Close::new(course, end)),
            }
        })
        .await
    }
}

/// The branch gets its new commits.
fn finish(b: &mut Blocking<Rebase>, course: Course) -> Result<Transition<Rebase>, RebaseError> {
    let repository = open(b.input())?.to_thread_local();
    let record = record(b)?;
    let who = last_time(b, &repository, &record);
    let mut lines = lines(&course, &record, &who);
    with_refs(b, &repository, |refs| {
        if !course.begun {
            refs.write("ORIG_HEAD", format!("{}\n", course.orig).as_bytes())?;
        }
        let to = match &course.branch {
            Some(name) => {
                let onto = format!(" onto {}", course.onto);
                let said = [b"rebase (finish): ".as_slice(), name, onto.as_bytes()];
                let line = Line {
                    old: course.orig,
                    new: course.head,
                    who: who.clone(),
                    message: said.concat().into(),
                };
                refs.branch(name.as_ref(), course.orig, course.head, &line)?;
                let said = [b"rebase (finish): returning to ".as_slice(), name];
                lines.push(Line {
                    old: course.head,
                    new: course.head,
                    who: who.clone(),
                    message: said.concat().into(),
                });
                Head::Branch(name.clone())
            }
            None => Head::Commit(course.head),
        };
        if repository.workdir().is_none() && to != from(&course) {
            // Without a working tree nothing is checked out.
            return Ok(());
        }
        refs.set_head(&to, &lines)
    })?;
    if !course.begun {
        checked_out(b, &repository, &course)?;
    }
    Ok(Transition::To(Unstash::new(course, End::Rebased).into()))
}

/// What `HEAD` named at the beginning.
fn from(course: &Course) -> Head {
    match &course.from_branch {
        Some(name) => Head::Branch(name.clone()),
        None => Head::Commit(course.from),
    }
}

/// Git's own tools can go on from here, and so can we.
fn stop(
    b: &mut Blocking<Rebase>,
    course: Course,
    stopped: Stopped,
) -> Result<Transition<Rebase>, RebaseError> {
    let repository = open(b.input())?.to_thread_local();
    let items = items(b)?;
    let source = Source::read(&repository, stopped.commit)?;
    let mut paths: Vec<BString> = stages(b)?.into_iter().map(|stage| stage.path).collect();
    paths.dedup();
    let at = usize::try_from(course.next)
        .unwrap_or(usize::MAX)
        .min(items.len());
    let melds = at.checked_sub(1).is_some_and(|at| items[at].melds());
    let message = match &course.chain.squash {
        Some(all) if melds => all.to_vec(),
        _ => folder::message(&source, &paths),
    };
    let conflict = Conflict {
        source: &source,
        message: &message,
        melds_into: melds.then_some(course.head),
    };
    let course = begin(b, &repository, course, &items, Some(conflict), |refs| {
        refs.write("MERGE_MSG", &message)?;
        refs.write("AUTO_MERGE", format!("{}\n", stopped.tree).as_bytes())?;
        refs.write("REBASE_HEAD", format!("{}\n", stopped.commit).as_bytes())
    })?;
    let said = Resolve::conflict(&repository, &source, &paths);
    Ok(Transition::Wait(Resolve::new(course, stopped).into(), said))
}

/// The last commit is checked out, for a command.
fn exec(
    b: &mut Blocking<Rebase>,
    course: Course,
    command: BString,
) -> Result<Transition<Rebase>, RebaseError> {
    let repository = open(b.input())?.to_thread_local();
    let items = items(b)?;
    let course = begin(b, &repository, course, &items, None, |refs| {
        refs.remove(&["MERGE_MSG", "AUTO_MERGE", "REBASE_HEAD"])
    })?;
    Ok(Transition::To(Exec::new(course, command).into()))
}

/// `HEAD` is where picking is, `more` is done with refs, and Git's folder says it all.
fn begin(
    b: &mut Blocking<Rebase>,
    repository: &gix::Repository,
    mut course: Course,
    items: &[Item],
    conflict: Option<Conflict<'_>>,
    more: impl FnOnce(&Refs<'_>) -> Result<(), RebaseError>,
) -> Result<Course, RebaseError> {
    let record = record(b)?;
    let who = last_time(b, repository, &record);
    let lines = lines(&course, &record, &who);
    let (pairs, pending) = rewritten(&record);
    with_refs(b, repository, |refs| {
        if !course.begun {
            refs.write("ORIG_HEAD", format!("{}\n", course.orig).as_bytes())?;
        }
        refs.set_head(&Head::Commit(course.head), &lines)?;
        more(refs)
    })?;
    let was_begun = course.begun;
    course.begun = true;
    course.at = course.head;
    course.base = course.head;
    course.logged = record.len() as u64;
    let own = own(b, repository, "folder");
    let config = repository.config_snapshot();
    let place = Place {
        course: &course,
        rules: Rules {
            keeps_empty: b.input().keeps_empty(),
            runs_again: config.boolean(RUNS_AGAIN).unwrap_or(false),
        },
        items,
        rewritten: &pairs,
        open: &pending,
        conflict,
    };
    folder::write(repository.git_dir(), &own, &place, &*b)?;
    if !was_begun {
        checked_out(b, repository, &course)?;
    }
    Ok(course)
}

/// Everything is as it was.
fn abort(b: &mut Blocking<Rebase>, course: Course) -> Result<Transition<Rebase>, RebaseError> {
    let repository = open(b.input())?.to_thread_local();
    if course.begun {
        let who = b.env().committer(&repository);
        let (to, name) = match &course.branch {
            Some(name) => (Head::Branch(name.clone()), name.clone()),
            None => (Head::Commit(course.orig), course.orig.to_string().into()),
        };
        let line = Line {
            old: course.at,
            new: course.orig,
            who,
            message: [b"rebase (abort): returning to ".as_slice(), &name]
                .concat()
                .into(),
        };
        with_refs(b, &repository, |refs| refs.set_head(&to, &[line]))?;
    }
    Ok(Transition::To(Unstash::new(course, End::Aborted).into()))
}

/// The lines that the log of `HEAD` is to get.
fn lines(course: &Course, record: &[Done], who: &BString) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut at = course.at;
    if !course.begun {
        let first = record.first().map_or(who, |done| &done.who);
        let said = [b"rebase (start): checkout ".as_slice(), &course.onto_name];
        lines.push(Line {
            old: course.from,
            new: course.start,
            who: first.clone(),
            message: said.concat().into(),
        });
        at = course.start;
    }
    let logged = usize::try_from(course.logged).unwrap_or(usize::MAX);
    for done in record.iter().skip(logged) {
        if done.how == NOTHING {
            continue;
        }
        let said = match done.how.as_slice() {
            how if how == FORWARD.as_bytes() => vec![b"rebase: ".as_slice(), how],
            how => vec![b"rebase (".as_slice(), how, b"): ", &done.said],
        };
        lines.push(Line {
            old: at,
            new: done.new,
            who: done.who.clone(),
            message: said.concat().into(),
        });
        at = done.new;
    }
    lines
}

/// Who commits: at the time of the last commit, so that it is the same if this is repeated.
fn last_time(b: &Blocking<Rebase>, repository: &gix::Repository, record: &[Done]) -> BString {
    match record.last() {
        Some(done) => done.who.clone(),
        None => b.env().committer(repository),
    }
}

/// Tells the hook.
fn checked_out(
    b: &Blocking<Rebase>,
    repository: &gix::Repository,
    course: &Course,
) -> Result<(), RebaseError> {
    if repository.workdir().is_none() {
        return Ok(());
    }
    let args = [
        course.from.to_string(),
        course.start.to_string(),
        "1".to_owned(),
    ];
    let args: Vec<&std::ffi::OsStr> = args.iter().map(std::ffi::OsStr::new).collect();
    let place = own(b, repository, "hooks");
    let told = Hooks::of(repository).run("post-checkout", &args, None, &place, b.interrupt());
    match told {
        // It can't change anything any more.
        Ok(_) | Err(crate::history::hooks::HookError::Refused { .. }) => Ok(()),
        Err(error) => Err(StepError::from(error).into()),
    }
}
