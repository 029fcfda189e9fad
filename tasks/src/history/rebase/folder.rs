//! Git's folder `rebase-merge/`: what its own tools need to know where it waits, and what they made of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::chain::Chain;
use super::commit::Source;
use super::course::Course;
use super::error::RebaseError;
use super::todo::{self, Item};
use crate::disk::Disk;

/// The folder.
pub(super) const NAME: &str = "rebase-merge";
/// Files of what is melded.
const CURRENT: &str = "current-fixups";
const SQUASH: &str = "message-squash";
const FIXUP: &str = "message-fixup";

/// What is written where an operation may wait.
pub(super) struct Place<'a> {
    pub(super) course: &'a Course,
    pub(super) rules: Rules,
    /// All items.
    pub(super) items: &'a [Item],
    /// The commits that have new ones.
    pub(super) rewritten: &'a [(ObjectId, ObjectId)],
    /// Those of which it is not known yet.
    pub(super) open: &'a [ObjectId],
    pub(super) conflict: Option<Conflict<'a>>,
}

/// A commit that conflicts.
pub(super) struct Conflict<'a> {
    pub(super) source: &'a Source,
    /// The message with what Git adds to it.
    pub(super) message: &'a [u8],
    /// The commit that it is to be melded into.
    pub(super) melds_into: Option<ObjectId>,
}

/// What Git is to do on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// Commits stay of which nothing is left.
    pub(super) keeps_empty: bool,
    /// Commands that fail are run again.
    pub(super) runs_again: bool,
}

/// Where it is.
pub(super) fn path(git_dir: &Path) -> PathBuf {
    git_dir.join(NAME)
}

/// The message with what Git adds to it at a conflict.
pub(super) fn message(source: &Source, paths: &[BString]) -> Vec<u8> {
    let mut message = source.message.to_vec();
    if !message.ends_with(b"\n") {
        message.push(b'\n');
    }
    message.extend_from_slice(b"\n# Conflicts:\n");
    for path in paths {
        message.extend_from_slice(b"#\t");
        message.extend_from_slice(path);
        message.push(b'\n');
    }
    message
}

/// Writes the folder; one that is there is replaced. `own` is a directory of the operation.
pub(super) fn write(
    git_dir: &Path,
    own: &Path,
    place: &Place<'_>,
    disk: &dyn Disk,
) -> Result<(), RebaseError> {
    let (to, new, old) = (
        path(git_dir),
        own.join("new-folder"),
        own.join("old-folder"),
    );
    let write = || -> io::Result<()> {
        remove_dir(&new)?;
        remove_dir(&old)?;
        fs::create_dir_all(&new)?;
        for (name, content) in files(place) {
            fs::write(new.join(name), content)?;
        }
        disk.sync_tree(&new)?;
        match fs::rename(&to, &old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(&new, &to)?;
        disk.sync(git_dir)?;
        remove_dir(&old)
    };
    write().map_err(RebaseError::io(&to))
}

fn files(place: &Place<'_>) -> Vec<(&'static str, Vec<u8>)> {
    let Place {
        course,
        rules,
        items,
        rewritten,
        open,
        conflict,
    } = place;
    let next = next(course, items);
    let line = |what: &dyn std::fmt::Display| format!("{what}\n").into_bytes();
    let name = match &course.branch {
        Some(name) => [name.as_bytes(), b"\n"].concat(),
        None => b"detached HEAD\n".to_vec(),
    };
    let mut files = vec![
        ("head-name", name),
        ("onto", line(&course.onto)),
        ("orig-head", line(&course.orig)),
        ("interactive", Vec::new()),
        ("done", todo::render(&items[..next])),
        ("git-rebase-todo", todo::render(&items[next..])),
        ("git-rebase-todo.backup", todo::render(*items)),
        ("msgnum", line(&next)),
        ("end", line(&items.len())),
    ];
    let empty = if rules.keeps_empty {
        "keep_redundant_commits"
    } else {
        "drop_redundant_commits"
    };
    let failed = if rules.runs_again {
        "reschedule-failed-exec"
    } else {
        "no-reschedule-failed-exec"
    };
    files.extend([(empty, Vec::new()), (failed, Vec::new())]);
    if !rewritten.is_empty() {
        let pairs = rewritten.iter().map(|(old, new)| format!("{old} {new}\n"));
        files.push(("rewritten-list", pairs.collect::<String>().into_bytes()));
    }
    if !open.is_empty() {
        let lines = open.iter().map(|old| format!("{old}\n"));
        files.push(("rewritten-pending", lines.collect::<String>().into_bytes()));
    }
    if let Some(conflict) = conflict {
        let author = author_script(conflict.source.author.as_ref());
        files.extend([
            ("stopped-sha", line(&conflict.source.id)),
            ("message", conflict.message.to_vec()),
            ("author-script", author),
        ]);
        files.extend(conflict.melds_into.map(|head| ("amend", line(&head))));
    }
    let Chain {
        current,
        squash,
        fixup,
    } = &course.chain;
    files.extend((!current.is_empty()).then(|| (CURRENT, current.clone().into_bytes())));
    files.extend(squash.clone().map(|all| (SQUASH, all.into())));
    files.extend(fixup.clone().map(|one| (FIXUP, one.into())));
    files.extend(course.to_root.then(|| ("squash-onto", line(&course.onto))));
    files.extend(course.stash.map(|kept| ("autostash", line(&kept))));
    files
}

/// Where the rest of the list begins.
fn next(course: &Course, items: &[Item]) -> usize {
    let next = usize::try_from(course.next).unwrap_or(usize::MAX);
    next.min(items.len())
}

/// The author, as a shell would read it.
fn author_script(author: &BStr) -> Vec<u8> {
    let (name, rest) = author.split_once_str(" <").unwrap_or((author, b""));
    let (email, time) = rest.split_once_str("> ").unwrap_or((rest, b""));
    let mut out = Vec::new();
    let when = [b"@".as_slice(), time].concat();
    for (key, value) in [("NAME", name), ("EMAIL", email), ("DATE", &when)] {
        out.extend_from_slice(format!("GIT_AUTHOR_{key}='").as_bytes());
        out.extend_from_slice(&value.replace(b"'", b"'\\''"));
        out.extend_from_slice(b"'\n");
    }
    out
}

/// What the folder says now.
pub(super) struct Found {
    /// The rest of the list, as it is written.
    pub(super) todo: Vec<u8>,
    /// The part of it that was begun.
    pub(super) done: Vec<u8>,
    /// The commits that have new ones.
    pub(super) rewritten: Vec<(ObjectId, ObjectId)>,
    /// Those of which it is not known yet.
    pub(super) open: Vec<ObjectId>,
    /// The commit that Git stopped at.
    pub(super) stopped: Option<ObjectId>,
    /// The commit that this one is to be melded into.
    pub(super) amend: Option<ObjectId>,
    /// The message to commit with.
    pub(super) message: Option<BString>,
    /// What is melded into the last commit.
    pub(super) chain: Chain,
}

impl Found {
    /// Whether all that was begun was begun by the operation, which wrote the folder.
    pub(super) fn is_here(&self, course: &Course, items: &[Item]) -> bool {
        self.done == todo::render(&items[..next(course, items)])
    }
}

/// Reads the folder; none if it is not there.
pub(super) fn read(git_dir: &Path) -> Result<Option<Found>, RebaseError> {
    let dir = path(git_dir);
    if !dir.is_dir() {
        return Ok(None);
    }
    let file = |name: &str| {
        let path = dir.join(name);
        match fs::read(&path) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(RebaseError::io(&path)(error)),
        }
    };
    let id = |hex: &[u8]| ObjectId::from_hex(hex.trim()).ok();
    let open = file("rewritten-pending")?.unwrap_or_default();
    let rewritten = file("rewritten-list")?.unwrap_or_default();
    let pairs = rewritten.lines().filter_map(|line| {
        let (old, new) = line.split_once_str(" ")?;
        Some((id(old)?, id(new)?))
    });
    Ok(Some(Found {
        todo: file("git-rebase-todo")?.unwrap_or_default(),
        done: file("done")?.unwrap_or_default(),
        rewritten: pairs.collect(),
        open: open.lines().filter_map(id).collect(),
        stopped: file("stopped-sha")?.and_then(|hex| id(&hex)),
        amend: file("amend")?.and_then(|hex| id(&hex)),
        message: file("message")?.map(BString::from),
        chain: Chain {
            current: file(CURRENT)?.map_or_else(String::new, |it| it.to_str_lossy().into_owned()),
            squash: file(SQUASH)?.map(BString::from),
            fixup: file(FIXUP)?.map(BString::from),
        },
    }))
}

/// Removes the folder.
pub(super) fn remove(git_dir: &Path, disk: &dyn Disk) -> Result<(), RebaseError> {
    let dir = path(git_dir);
    remove_dir(&dir).map_err(RebaseError::io(&dir))?;
    disk.sync(git_dir).map_err(RebaseError::io(git_dir))
}

fn remove_dir(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
