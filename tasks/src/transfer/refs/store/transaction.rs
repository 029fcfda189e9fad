//! Moving refs of a repository that exists: all together, each only from the value that it is known to
//! have, under Git's own locks.
//!
//! What goes is removed first, so that there is room for what comes. Then all refs that move are
//! locked, looked at once more, written to their logs, and renamed into place. A process that dies on
//! the way leaves locks that the next run of the same operation knows as its own; what it did already
//! is not done twice.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::file::ref_path;
use super::later::Later;
use super::packed;
use super::reflog::{self, Line, Logging};
use super::{Committer, Local};
use crate::disk::Disk;
use crate::lock::{self, Lock};
use crate::transfer::refs::RefsError;

/// How long another process is waited for, all refs together.
const PATIENCE: Duration = Duration::from_secs(1);

/// A ref that moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Its full name.
    pub name: BString,
    /// The symbolic ref by which it was named, if it was: the log of that one tells it too.
    pub through: Option<BString>,
    /// What it must name before; none if it must not exist.
    pub old: Option<ObjectId>,
    /// What it is to name; none if it goes.
    pub new: Option<ObjectId>,
    /// What its log says.
    pub message: BString,
}

/// Why a ref did not move.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMoved {
    /// Another process has it locked, or its file can't be written.
    #[error("'{}' could not be locked or written: {reason}", path.display())]
    Locked {
        /// The lock, or the file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// It names something else meanwhile.
    #[error("it was moved by another process")]
    Elsewhere {
        /// What it names now.
        is: Option<ObjectId>,
    },
    /// Another ref is where a directory is needed, or has its files in one of this name.
    #[error("'{}' is in the way", crate::transfer::refs::name::shown(other))]
    InTheWay {
        /// The other ref.
        other: BString,
    },
    /// Others did not move, and all or none was asked for.
    #[error("others could not be moved")]
    Others,
}

/// What refs are moved with.
pub struct Transaction<'a> {
    /// The repository, opened for this.
    pub repo: &'a gix::Repository,
    /// A directory of the operation on the same file system.
    pub own: &'a Path,
    /// How bytes get on disk.
    pub disk: &'a dyn Disk,
    /// Who moves them.
    pub committer: &'a Committer,
    /// Whether no ref moves if one can't, as far as that is known before the first one does.
    pub all_or_none: bool,
}

impl Transaction<'_> {
    /// Moves refs; what became of each. An error is one that concerns them all.
    pub fn run(&self, moves: &[Move]) -> Result<Vec<Result<(), NotMoved>>, RefsError> {
        let later = Later::new(self.common(), self.disk);
        self.clear(&later)?;
        let mut done: Vec<Result<(), NotMoved>> = moves.iter().map(|_| Ok(())).collect();
        // Symbolic refs may lead several to the same one.
        let mut first: HashMap<&BStr, usize> = HashMap::new();
        let (only, again): (Vec<usize>, Vec<usize>) = (0..moves.len())
            .partition(|at| *first.entry(moves[*at].name.as_bstr()).or_insert(*at) == *at);
        let (come, gone): (Vec<usize>, Vec<usize>) =
            only.into_iter().partition(|at| moves[*at].new.is_some());
        self.remove(moves, &gone, &mut done, &later)?;
        self.put(moves, &come, &mut done, &later)?;
        for at in again {
            let one = first[moves[at].name.as_bstr()];
            done[at] = if moves[one].new == moves[at].new {
                done[one].clone()
            } else {
                Err(NotMoved::Elsewhere { is: moves[one].new })
            };
        }
        later.settle().map_err(RefsError::io(self.common()))?;
        Ok(done)
    }

    /// Whether to go on: if all or none is to move and one can't, none does.
    fn goes_on(&self, done: &mut [Result<(), NotMoved>]) -> bool {
        if !self.all_or_none || done.iter().all(Result::is_ok) {
            return true;
        }
        for it in done.iter_mut().filter(|it| it.is_ok()) {
            *it = Err(NotMoved::Others);
        }
        false
    }

    fn common(&self) -> &Path {
        self.repo.common_dir()
    }

    /// Where the second names of this operation's locks are, each by the name of its ref.
    fn locks(&self) -> PathBuf {
        self.own.join("locks")
    }

    /// Takes away what an earlier run left locked.
    fn clear(&self, later: &Later<'_>) -> Result<(), RefsError> {
        let locks = self.locks();
        let mut left = Vec::new();
        files(&locks, &mut left).map_err(RefsError::io(&locks))?;
        for ours in left {
            let Ok(name) = ours.strip_prefix(&locks) else {
                continue;
            };
            let name = self.common().join(name);
            lock::clear(&name, &ours).map_err(RefsError::io(&name))?;
            later.note(name.parent().unwrap_or(&name));
        }
        Ok(())
    }

    /// Locks some of the refs, to hold what they are to name. Those that can't be are done.
    fn lock(
        &self,
        moves: &[Move],
        which: &[usize],
        done: &mut [Result<(), NotMoved>],
    ) -> Result<Vec<(usize, Lock)>, RefsError> {
        let locks = self.locks();
        let mut prepared = Vec::with_capacity(which.len());
        for &at in which {
            let it = &moves[at];
            let target = ref_path(self.common(), it.name.as_bstr());
            let ours = lock::name_of(&ref_path(&locks, it.name.as_bstr()));
            let content = it.new.map_or_else(String::new, |new| format!("{new}\n"));
            let lock = Lock::prepare(&target, ours, content.as_bytes());
            prepared.push((at, lock.map_err(RefsError::io(&target))?));
        }
        if !prepared.is_empty() {
            self.disk.sync_tree(&locks).map_err(RefsError::io(&locks))?;
        }
        let deadline = Instant::now() + PATIENCE;
        let mut held = Vec::with_capacity(prepared.len());
        for (at, lock) in prepared {
            let path = lock.name().to_owned();
            let taken = make_room(lock.target()).and_then(|()| lock.acquire(deadline));
            match taken {
                Ok(lock) => held.push((at, lock)),
                Err(error) => {
                    let reason = error.to_string();
                    done[at] = Err(NotMoved::Locked { path, reason });
                }
            }
        }
        Ok(held)
    }

    /// Looks again at what the locked refs name.
    fn check(
        &self,
        moves: &[Move],
        held: &mut Vec<(usize, Lock)>,
        done: &mut [Result<(), NotMoved>],
    ) -> Result<Local, RefsError> {
        let local = Local::read(self.repo)?;
        held.retain(|(at, _)| {
            let it = &moves[*at];
            let is = local.oid(it.name.as_bstr());
            // What this operation moved already stays.
            if is != it.old && is != it.new {
                done[*at] = Err(NotMoved::Elsewhere { is });
            }
            done[*at].is_ok()
        });
        Ok(local)
    }

    /// Removes refs, with their logs.
    fn remove(
        &self,
        moves: &[Move],
        which: &[usize],
        done: &mut [Result<(), NotMoved>],
        later: &Later<'_>,
    ) -> Result<(), RefsError> {
        if which.is_empty() {
            return Ok(());
        }
        let before = Local::read(self.repo)?;
        let gone = |at: &usize| before.oid(moves[*at].name.as_bstr()).is_none();
        let (gone, there): (Vec<usize>, Vec<usize>) = which.iter().partition(|at| gone(at));
        for at in gone {
            // Whoever removed it may not have put that on disk.
            let name = moves[at].name.as_bstr();
            let places = [
                ref_path(self.common(), name),
                reflog::path(self.common(), name),
            ];
            for place in places {
                let above = place.ancestors().skip(1).find(|it| it.is_dir());
                later.note(above.unwrap_or(self.common()));
            }
        }
        let mut held = self.lock(moves, &there, done)?;
        self.check(moves, &mut held, done)?;
        if !self.goes_on(done) {
            return Ok(());
        }
        let names: HashSet<&BStr> = held
            .iter()
            .map(|(at, _)| moves[*at].name.as_bstr())
            .collect();
        packed::remove(self.common(), &self.locks(), &names, self.disk)?;
        for (at, lock) in held {
            let name = moves[at].name.as_bstr();
            let file = ref_path(self.common(), name);
            let log = reflog::path(self.common(), name);
            for file in [&file, &log] {
                unlink(file).map_err(RefsError::io(file))?;
            }
            drop(lock);
            // Empty directories would be in the way of refs of their names. Those such as
            // `refs/heads` stay.
            let kept = name
                .find_iter("/")
                .nth(1)
                .map_or(name, |at| name[..at].as_bstr());
            for (base, file) in [
                (self.common().to_owned(), file),
                (self.common().join("logs"), log),
            ] {
                later.note(&drop_empty_above(&file, &ref_path(&base, kept)));
            }
        }
        Ok(())
    }

    /// Moves refs and makes new ones, after their logs.
    fn put(
        &self,
        moves: &[Move],
        which: &[usize],
        done: &mut [Result<(), NotMoved>],
        later: &Later<'_>,
    ) -> Result<(), RefsError> {
        if which.is_empty() {
            return Ok(());
        }
        if !self.goes_on(done) {
            return Ok(());
        }
        let before = Local::read(self.repo)?;
        let mut coming: BTreeSet<&BStr> = BTreeSet::new();
        let mut free = Vec::with_capacity(which.len());
        for &at in which {
            let name = moves[at].name.as_bstr();
            let other = before.in_the_way(name).map(ToOwned::to_owned);
            let other = other.or_else(|| clash(name, &coming));
            if let Some(other) = other {
                done[at] = Err(NotMoved::InTheWay { other });
            } else {
                coming.insert(name);
                free.push(at);
            }
        }
        let mut held = self.lock(moves, &free, done)?;
        let local = self.check(moves, &mut held, done)?;
        if !self.goes_on(done) {
            return Ok(());
        }
        // Logs are on disk before what they tell: a ref that has moved is not logged again.
        let logs = Later::new(self.common(), self.disk);
        let mut logged = Vec::with_capacity(held.len());
        for (at, lock) in held {
            match self.log(&moves[at], &local, &logs) {
                Ok(()) => logged.push((at, lock)),
                Err((path, error)) => done[at] = Err(unwritten(path, &error)),
            }
        }
        logs.settle().map_err(RefsError::io(self.common()))?;
        for (at, lock) in logged {
            let target = lock.target().to_owned();
            later.note(&target);
            if local.oid(moves[at].name.as_bstr()) == moves[at].new {
                continue;
            }
            if let Err(error) = lock.put() {
                done[at] = Err(unwritten(target, &error));
            }
        }
        Ok(())
    }

    /// Tells the logs of a ref that it moves, unless it was moved already.
    fn log(&self, it: &Move, local: &Local, later: &Later<'_>) -> Result<(), (PathBuf, io::Error)> {
        let (name, Some(new)) = (it.name.as_bstr(), it.new) else {
            return Ok(());
        };
        let mut logs = vec![(self.common(), name)];
        if let Some(through) = &it.through {
            logs.push((self.common(), through.as_bstr()));
        }
        if local.head() == Some(name) {
            logs.push((self.repo.git_dir(), "HEAD".into()));
        }
        if local.oid(name) == Some(new) {
            return Ok(());
        }
        let line = Line {
            old: it.old.unwrap_or_else(|| ObjectId::null(new.kind())),
            new,
            committer: self.committer,
            message: it.message.as_bstr(),
        };
        let logging = self.logging();
        for (dir, name) in logs {
            let path = reflog::path(dir, name);
            clear_dir(&path).map_err(|error| (path.clone(), error))?;
            let written = reflog::append(dir, name, &line, logging, later);
            written.map_err(|error| match error {
                RefsError::Io { path, source } => (path, source),
                other => (path, io::Error::other(other)),
            })?;
        }
        Ok(())
    }

    /// Which refs get a log.
    fn logging(&self) -> Logging {
        let config = self.repo.config_snapshot();
        let set = config.string("core.logAllRefUpdates");
        let set = set.and_then(|value| Logging::parse(value.as_bstr()));
        let usual = if self.repo.is_bare() {
            Logging::Never
        } else {
            Logging::Branches
        };
        set.unwrap_or(usual)
    }
}

fn unwritten(path: PathBuf, error: &io::Error) -> NotMoved {
    let reason = error.to_string();
    NotMoved::Locked { path, reason }
}

/// One of the `others` that can't be there together with `name`: one is a directory for the other.
fn clash(name: &BStr, others: &BTreeSet<&BStr>) -> Option<BString> {
    let mut above = name.find_iter("/").map(|at| name[..at].as_bstr());
    if let Some(above) = above.find(|it| others.contains(it)) {
        return Some(above.to_owned());
    }
    let below = [name.as_bytes(), b"/"].concat();
    let mut after = others.range(below.as_bstr()..);
    let next = after.next().filter(|it| it.starts_with(&below));
    next.map(|it| (*it).to_owned())
}

/// Makes the directories for a file, and takes away one without files in it that has its name.
fn make_room(path: &Path) -> io::Result<()> {
    clear_dir(path)?;
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Removes a directory that holds nothing but directories, if `path` is one.
fn clear_dir(path: &Path) -> io::Result<()> {
    if !path.symlink_metadata().is_ok_and(|it| it.is_dir()) {
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        clear_dir(&entry?.path())?;
    }
    fs::remove_dir(path)
}

/// Removes a file, which need not be there.
fn unlink(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::IsADirectory
            ) =>
        {
            Ok(())
        }
        removed => removed,
    }
}

/// Removes the empty directories above `file`, below `keep`; the first one that stays.
fn drop_empty_above(file: &Path, keep: &Path) -> PathBuf {
    let mut dir = file.parent().unwrap_or(keep);
    while dir.starts_with(keep) && dir != keep && fs::remove_dir(dir).is_ok() {
        dir = dir.parent().unwrap_or(keep);
    }
    dir.to_owned()
}

/// All files below a directory, which need not be there.
fn files(dir: &Path, to: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, to)?;
        } else {
            to.push(path);
        }
    }
    Ok(())
}
