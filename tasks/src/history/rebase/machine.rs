//! The operation.

use std::path::PathBuf;
use std::sync::OnceLock;

use gix::bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;
use resume_runtime::{Blocking, Resumable, StepError};

use super::course::Course;
use super::error::RebaseError;
use super::input::{Input, Output, Wish};
use super::refs::Refs;
use super::steps::{Close, Exec, Keep, Look, Move, Pick, Prepare, Resolve, Settle, Unstash};
use super::todo::{self, Item};
use crate::core::database::STORE_NAME;
use crate::transfer::refs::Committer;

/// The machine's name in the records of operations.
pub const KIND: &str = "rebase";

/// The operation's file with the list of what is to be done.
pub(super) const TODO: &str = "rebase.todo";
/// The operation's file with what was done: a line a commit.
pub(super) const RECORD: &str = "rebase.record";
/// The operation's file with the stages of conflicting paths.
pub(super) const STAGES: &str = "rebase.stages";

/// What a process is told.
#[derive(Debug, Default)]
pub struct Env {
    /// What to do where it waits.
    pub wish: Wish,
    /// Where in the list the wish was heard first: what comes after it waits for another one.
    pub(super) heard: OnceLock<u64>,
    /// Who commits, and when, if not the one who is configured, now.
    pub(super) committer: Option<BString>,
    /// Counts the commits that are picked.
    #[cfg(test)]
    pub(super) picked: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl Env {
    /// For a process with a wish.
    pub fn new(wish: Wish) -> Self {
        Self {
            wish,
            ..Self::default()
        }
    }

    /// The wish, where `next` is to come next. To leave out a commit is for one place: there it is
    /// heard again where the slice was rolled back that heard it before. To give up is for all.
    pub(super) fn wish_at(&self, next: u64) -> Wish {
        let place = *self.heard.get_or_init(|| next);
        if place == next || self.wish == Wish::Abort {
            self.wish
        } else {
            Wish::Continue
        }
    }

    /// Who commits, and when.
    pub(super) fn committer(&self, repository: &gix::Repository) -> BString {
        if let Some(committer) = &self.committer {
            return committer.clone();
        }
        Committer::of(repository).as_bstr().to_owned()
    }
}

/// Rebases commits.
#[derive(Debug, Resumable)]
#[resumable(kind = "rebase", version = 1, input = Input, output = Output, env = Env)]
pub enum Rebase {
    /// Finds out what is to be done.
    #[step(start)]
    Prepare(Prepare),
    /// Picks commits in memory.
    #[step]
    Pick(Pick),
    /// Looks at the working tree.
    #[step]
    Look(Look),
    /// Moves it.
    #[step(effect)]
    Move(Move),
    /// Moves `HEAD` and the branch.
    #[step(effect)]
    Settle(Settle),
    /// Waits for a conflict to be resolved.
    #[step]
    Resolve(Resolve),
    /// Runs a command.
    #[step(effect)]
    Exec(Exec),
    /// Looks whether what was kept aside can be put back.
    #[step]
    Unstash(Unstash),
    /// Keeps it in the stash.
    #[step(effect)]
    Keep(Keep),
    /// Runs hooks and removes what is left.
    #[step(effect)]
    Close(Close),
}

/// Opens the repository anew.
pub(super) fn open(input: &Input) -> Result<gix::ThreadSafeRepository, RebaseError> {
    gix::ThreadSafeRepository::open(&*input.git_dir).map_err(RebaseError::repository)
}

/// A directory of the operation's own within the Git directory.
pub(super) fn own(b: &Blocking<Rebase>, repository: &gix::Repository, name: &str) -> PathBuf {
    let store = repository.common_dir().join(STORE_NAME);
    store.join("ops").join(b.id()).join(name)
}

/// Does something with the refs.
pub(super) fn with_refs<T>(
    b: &Blocking<Rebase>,
    repository: &gix::Repository,
    work: impl FnOnce(&Refs<'_>) -> Result<T, RebaseError>,
) -> Result<T, RebaseError> {
    work(&Refs::new(repository, own(b, repository, "refs"), b))
}

/// The list of what is to be done.
pub(super) fn items(b: &mut Blocking<Rebase>) -> Result<Vec<Item>, StepError> {
    let file = read(b, TODO)?;
    todo::parse(&file).map_err(|line| {
        StepError::fatal(format!("the list of commits has the unknown line {line:?}"))
    })
}

/// All of a file of the operation.
pub(super) fn read(b: &mut Blocking<Rebase>, name: &str) -> Result<Vec<u8>, StepError> {
    // It is there, with nothing in it.
    b.append_file(name)?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut b.read_file(name)?, &mut bytes)?;
    Ok(bytes)
}

/// Replaces a file of the operation.
pub(super) fn rewrite(
    b: &mut Blocking<Rebase>,
    name: &str,
    content: &[u8],
) -> Result<(), StepError> {
    let mut file = b.append_file(name)?;
    if file.len() > 0 {
        file.restart()?;
    }
    file.append(content)
}

/// How a commit was made that lay there already.
pub(super) const FORWARD: &str = "fast-forward";
/// Nothing was made of a commit: it is left out, or lies below the first that was made.
pub(super) const NOTHING: &str = "nothing";

/// What became of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Done {
    /// What Git calls the way the new one was made: `pick`, `continue`.
    pub(super) how: BString,
    /// Whether the next one is melded into it: only then it is known what became of it.
    pub(super) open: bool,
    pub(super) old: ObjectId,
    /// The new commit, or the last one before.
    pub(super) new: ObjectId,
    /// Who committed, and when.
    pub(super) who: BString,
    /// The first line of its message.
    pub(super) said: BString,
}

impl Done {
    /// The line of the record.
    pub(super) fn line(&self) -> Vec<u8> {
        let open = if self.open { "+" } else { "" };
        let mut line = format!("{}{open} {} {} ", self.how, self.old, self.new).into_bytes();
        line.extend_from_slice(&self.who);
        line.push(b'\t');
        line.extend_from_slice(&self.said);
        line.push(b'\n');
        line
    }

    fn parse(line: &[u8]) -> Option<Self> {
        let (head, said) = line.split_once_str("\t")?;
        let mut words = head.splitn_str(4, " ");
        let how = words.next()?;
        let open = how.strip_suffix(b"+");
        Some(Self {
            how: open.unwrap_or(how).into(),
            open: open.is_some(),
            old: ObjectId::from_hex(words.next()?).ok()?,
            new: ObjectId::from_hex(words.next()?).ok()?,
            who: words.next()?.into(),
            said: said.into(),
        })
    }
}

/// Which commits became which, and those of which it is not known yet.
pub(super) fn rewritten(record: &[Done]) -> (Vec<(ObjectId, ObjectId)>, Vec<ObjectId>) {
    let (mut pairs, mut open) = (Vec::new(), Vec::new());
    for done in record {
        if !open.contains(&done.old) {
            open.push(done.old);
        }
        if !done.open {
            pairs.extend(open.drain(..).map(|old| (old, done.new)));
        }
    }
    (pairs, open)
}

/// What was done so far.
pub(super) fn record(b: &mut Blocking<Rebase>) -> Result<Vec<Done>, StepError> {
    let file = read(b, RECORD)?;
    let lines = file.split(|byte| *byte == b'\n');
    Ok(lines.filter_map(Done::parse).collect())
}

/// What the operation gives.
pub(super) fn output(course: &Course, end: super::input::End, head: ObjectId) -> Output {
    Output {
        end,
        branch: course.branch.clone(),
        head,
        picked: course.picked,
        dropped: course.dropped,
        melded: course.melded,
        stashed: course.kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_heard_again_where_it_was_heard_first() {
        let heard = |wish| {
            let env = Env::new(wish);
            [3, 3, 4, 3].map(|next| env.wish_at(next))
        };
        let (skip, other) = (Wish::Skip, Wish::Continue);
        assert_eq!(heard(skip), [skip, skip, other, skip]);
        assert_eq!(heard(Wish::Abort), [Wish::Abort; 4]);
    }
}
