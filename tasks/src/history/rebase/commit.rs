//! Commits that are picked: read, and made anew with another parent.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::filter::plumbing::worktree;
use gix::objs::Kind;
use gix::prelude::Write as _;
use gix_hash::ObjectId;
use resume_runtime::StepError;

use super::error::RebaseError;
use crate::history::commit::{NewCommit, create};

/// A commit to pick.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) id: ObjectId,
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
    /// The author's line.
    pub(super) author: BString,
    /// The message in UTF-8, without empty lines before it.
    pub(super) message: BString,
}

impl Source {
    pub(super) fn read(repository: &gix::Repository, id: ObjectId) -> Result<Self, RebaseError> {
        let commit = repository
            .find_commit(id)
            .map_err(RebaseError::repository)?;
        let decoded = commit.decode().map_err(RebaseError::repository)?;
        let hex = |hex: &BStr| ObjectId::from_hex(hex).map_err(RebaseError::repository);
        let message = in_utf8(decoded.message, decoded.encoding);
        Ok(Self {
            id,
            tree: hex(decoded.tree)?,
            parents: decoded
                .parents
                .iter()
                .map(|id| hex(id))
                .collect::<Result<_, _>>()?,
            // As Git does, which reads all of the commit in its encoding.
            author: in_utf8(decoded.author, decoded.encoding),
            message: without_blank_lines(message.as_ref()).to_owned(),
        })
    }

    /// Its first parent.
    pub(super) fn parent(&self) -> Option<ObjectId> {
        self.parents.first().copied()
    }

    /// The first line of the message.
    pub(super) fn first_line(&self) -> &BStr {
        first_line(self.message.as_ref())
    }
}

/// The first line of a message.
pub(super) fn first_line(message: &BStr) -> &BStr {
    message.lines().next().unwrap_or_default().as_bstr()
}

/// The first paragraph of a message in one line, as Git shows it.
pub(super) fn subject(message: &BStr) -> BString {
    let lines = message.lines().map(|line| line.trim().as_bstr());
    let lines = lines.skip_while(|line| line.is_empty());
    let paragraph: Vec<&BStr> = lines.take_while(|line| !line.is_empty()).collect();
    bstr_join(&paragraph)
}

fn bstr_join(lines: &[&BStr]) -> BString {
    let mut out = BString::default();
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(line);
    }
    out
}

/// Git keeps the messages of new commits in UTF-8.
fn in_utf8(message: &BStr, encoding: Option<&BStr>) -> BString {
    let Some(label) = encoding.filter(|label| !label.eq_ignore_ascii_case(b"utf-8")) else {
        return message.to_owned();
    };
    let mut out = Vec::new();
    let known = worktree::encoding::for_label(label);
    let done = known.is_ok_and(|encoding| {
        let check = worktree::encode_to_git::RoundTripCheck::Skip;
        worktree::encode_to_git(message, encoding, &mut out, check).is_ok()
    });
    // One that is not known stays as it is, as with Git.
    if done { out.into() } else { message.to_owned() }
}

/// A message without the empty lines before it.
pub(super) fn without_blank_lines(message: &BStr) -> &BStr {
    let mut rest = message;
    while let Some((line, after)) = rest.split_once_str("\n") {
        if !line.trim().is_empty() {
            break;
        }
        rest = after.as_bstr();
    }
    rest
}

/// Writes a commit that is no part of a branch.
pub(super) fn write_plain(
    repository: &gix::Repository,
    tree: ObjectId,
    parents: &[ObjectId],
    author: &BStr,
    committer: &BStr,
    message: &BStr,
) -> Result<ObjectId, RebaseError> {
    let mut bytes = format!("tree {tree}\n").into_bytes();
    for parent in parents {
        bytes.extend_from_slice(format!("parent {parent}\n").as_bytes());
    }
    for (word, who) in [("author", author), ("committer", committer)] {
        bytes.extend_from_slice(word.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(who);
        bytes.push(b'\n');
    }
    bytes.push(b'\n');
    bytes.extend_from_slice(message);
    repository
        .objects
        .write_buf(Kind::Commit, &bytes)
        .map_err(RebaseError::repository)
}

/// Writes a commit, signed where `commit.gpgSign` asks for it.
pub(super) fn write(
    repository: &gix::Repository,
    tree: ObjectId,
    parents: &[ObjectId],
    author: &BStr,
    committer: &BStr,
    message: &BStr,
) -> Result<ObjectId, RebaseError> {
    if repository.config_snapshot().boolean("commit.gpgSign") == Some(true) {
        let who = |line: &BStr| -> Result<gix::actor::Signature, RebaseError> {
            let parsed = gix::actor::SignatureRef::from_bytes(line);
            let parsed = parsed.map_err(RebaseError::repository)?;
            parsed.to_owned().map_err(RebaseError::repository)
        };
        let new = NewCommit {
            tree,
            parents: parents.to_vec(),
            author: who(author)?,
            committer: who(committer)?,
            message: message.to_owned(),
            encoding: None,
            headers: Vec::new(),
        };
        return Ok(create(repository, new).map_err(StepError::from)?);
    }
    write_plain(repository, tree, parents, author, committer, message)
}

/// The tree of a commit.
pub(super) fn tree(repository: &gix::Repository, id: ObjectId) -> Result<ObjectId, RebaseError> {
    let commit = repository
        .find_commit(id)
        .map_err(RebaseError::repository)?;
    let tree = commit.tree_id().map_err(RebaseError::repository)?;
    Ok(tree.detach())
}
