//! Git's folder `rebase-merge/`: what its own tools need to know at a conflict, and what they made of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::commit::Source;
use super::course::Course;
use super::error::RebaseError;
use super::todo::{self, Item};
use crate::disk::Disk;

/// The folder.
pub(super) const NAME: &str = "rebase-merge";

/// What is written at a conflict.
pub(super) struct Conflict<'a> {
    pub(super) course: &'a Course,
    pub(super) source: &'a Source,
    /// All items.
    pub(super) items: &'a [Item],
    /// The commits that have new ones.
    pub(super) rewritten: &'a [(ObjectId, ObjectId)],
    /// The conflicting paths.
    pub(super) paths: &'a [BString],
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
    conflict: &Conflict<'_>,
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
        for (name, content) in files(conflict) {
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

fn files(conflict: &Conflict<'_>) -> Vec<(&'static str, Vec<u8>)> {
    let Conflict {
        course,
        source,
        items,
        rewritten,
        paths,
    } = conflict;
    let next = usize::try_from(course.next)
        .unwrap_or(usize::MAX)
        .min(items.len());
    let line = |what: &dyn std::fmt::Display| format!("{what}\n").into_bytes();
    let name = match &course.branch {
        Some(name) => [name.as_bytes(), b"\n"].concat(),
        None => b"detached HEAD\n".to_vec(),
    };
    let pairs = rewritten.iter().map(|(old, new)| format!("{old} {new}\n"));
    let mut files = vec![
        ("head-name", name),
        ("onto", line(&course.onto)),
        ("orig-head", line(&course.orig)),
        ("interactive", Vec::new()),
        ("drop_redundant_commits", Vec::new()),
        ("no-reschedule-failed-exec", Vec::new()),
        ("done", todo::render(&items[..next])),
        ("git-rebase-todo", todo::render(&items[next..])),
        ("git-rebase-todo.backup", todo::render(*items)),
        ("msgnum", line(&next)),
        ("end", line(&items.len())),
        ("stopped-sha", line(&source.id)),
        ("message", message(source, paths)),
        ("author-script", author_script(source.author.as_ref())),
        ("rewritten-list", pairs.collect::<String>().into_bytes()),
    ];
    files.extend(course.to_root.then(|| ("squash-onto", line(&course.onto))));
    files.extend(course.stash.map(|kept| ("autostash", line(&kept))));
    files
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
    /// The commits that have new ones.
    pub(super) rewritten: Vec<(ObjectId, ObjectId)>,
    /// The commit that Git stopped at.
    pub(super) stopped: Option<ObjectId>,
    /// The message to commit with.
    pub(super) message: Option<BString>,
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
    let rewritten = file("rewritten-list")?.unwrap_or_default();
    let pairs = rewritten.lines().filter_map(|line| {
        let (old, new) = line.split_once_str(" ")?;
        Some((id(old)?, id(new)?))
    });
    Ok(Some(Found {
        todo: file("git-rebase-todo")?.unwrap_or_default(),
        rewritten: pairs.collect(),
        stopped: file("stopped-sha")?.and_then(|hex| id(&hex)),
        message: file("message")?.map(BString::from),
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
