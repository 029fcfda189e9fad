//! What the commit of a merge says.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::glob::wildmatch;
use gix_hash::ObjectId;

use super::named::Theirs;
use crate::history::commit::{CommitError, Head, message};

/// The message that Git would give it.
pub(super) fn of(repository: &gix::Repository, theirs: &Theirs, head: &Head) -> BString {
    let mut message = format!("Merge {}", theirs.title);
    let into = head.short();
    if !is_suppressed(repository, into.as_bstr()) {
        message.push_str(" into ");
        message.push_str(&into.to_str_lossy());
    }
    message.push('\n');
    let mut message = BString::from(message);
    if let Some(body) = theirs.tag.and_then(|tag| tag_body(repository, tag)) {
        message.push(b'\n');
        message.extend_from_slice(&body);
        if !message.ends_with(b"\n") {
            message.push(b'\n');
        }
    }
    message
}

/// The subjects of the commits that theirs has over ours, the newest first.
pub(super) fn list(
    repository: &gix::Repository,
    ours: ObjectId,
    theirs: &Theirs,
    listed: usize,
) -> Result<Vec<u8>, CommitError> {
    let newest = gix::traverse::commit::simple::CommitTimeOrder::NewestFirst;
    let walk = repository
        .rev_walk([theirs.commit])
        .sorting(gix::revision::walk::Sorting::ByCommitTime(newest))
        .with_hidden([ours])
        .all()
        .map_err(CommitError::repository)?;
    let (mut count, mut subjects) = (0, Vec::new());
    for info in walk {
        let id = info.map_err(CommitError::repository)?.id;
        let commit = repository
            .find_commit(id)
            .map_err(CommitError::repository)?;
        let commit = commit.decode().map_err(CommitError::repository)?;
        if commit.parents().count() > 1 {
            continue;
        }
        count += 1;
        if count > listed {
            continue;
        }
        let subject = message::subject(commit.message);
        subjects.extend_from_slice(b"  ");
        if subject.is_empty() {
            subjects.extend_from_slice(id.to_string().as_bytes());
        } else {
            subjects.extend_from_slice(subject.trim_start());
        }
        subjects.push(b'\n');
    }
    let mut list = format!("\n* {}:", theirs.short()).into_bytes();
    if count > listed {
        list.extend_from_slice(format!(" ({count} commits)").as_bytes());
        subjects.extend_from_slice(b"  ...\n");
    }
    list.push(b'\n');
    list.extend_from_slice(&subjects);
    Ok(list)
}

/// Whether the branch is one that is not named (`merge.suppressDest`).
fn is_suppressed(repository: &gix::Repository, branch: &BStr) -> bool {
    let config = repository.config_snapshot();
    let set = config.plumbing().strings("merge.suppressDest");
    let Some(set) = set else {
        return branch == "main" || branch == "master";
    };
    // An empty one takes back those before it.
    let from = set.iter().rposition(|pattern| pattern.is_empty());
    set[from.map_or(0, |at| at + 1)..].iter().any(|pattern| {
        let mode = wildmatch::Mode::NO_MATCH_SLASH_LITERAL;
        gix::glob::wildmatch(pattern.as_ref(), branch, mode)
    })
}

/// What a tag says, without its signature.
fn tag_body(repository: &gix::Repository, tag: gix_hash::ObjectId) -> Option<BString> {
    let tag = repository.find_tag(tag).ok()?;
    let tag = tag.decode().ok()?;
    let body = tag.message.trim_end();
    (!body.is_empty()).then(|| body.into())
}

/// The lines in `MERGE_MSG` that list conflicts.
pub(super) fn conflicts(paths: &[BString], comment: &[u8]) -> Vec<u8> {
    let mut lines = vec![b'\n'];
    lines.extend_from_slice(comment);
    lines.extend_from_slice(b" Conflicts:\n");
    for path in paths {
        lines.extend_from_slice(comment);
        lines.push(b'\t');
        lines.extend_from_slice(path);
        lines.push(b'\n');
    }
    lines
}
