//! `SQUASH_MSG`: what the commits that are squashed say.

use std::fmt::Write as _;

use gix::bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;

use crate::history::commit::CommitError;

/// The message that lists the commits which `theirs` has over `ours`.
pub(super) fn message(
    repository: &gix::Repository,
    ours: ObjectId,
    theirs: ObjectId,
) -> Result<BString, CommitError> {
    let failed = |error: gix::Error| CommitError::repository(error);
    let mut text = BString::from("Squashed commit of the following:\n");
    let newest = gix::traverse::commit::simple::CommitTimeOrder::NewestFirst;
    let sorting = gix::revision::walk::Sorting::ByCommitTime(newest);
    let walk = repository
        .rev_walk([theirs])
        .sorting(sorting)
        .with_hidden([ours])
        .all()
        .map_err(failed)?;
    for info in walk {
        let id = info.map_err(CommitError::repository)?.id;
        let commit = repository.find_commit(id).map_err(failed)?;
        let commit = commit.decode().map_err(CommitError::repository)?;
        let mut head = format!("\ncommit {id}\n");
        let parents: Vec<_> = commit.parents().collect();
        if parents.len() > 1 {
            let short = |id: &ObjectId| {
                use gix::prelude::ObjectIdExt as _;
                id.attach(repository).shorten_or_id().to_string()
            };
            let parents: Vec<_> = parents.iter().map(short).collect();
            // Writing to a string cannot fail.
            let _ = writeln!(head, "Merge: {}", parents.join(" "));
        }
        let author = commit.author().map_err(CommitError::repository)?;
        let date = author.time().map_err(CommitError::repository)?;
        let date = date.format(gix::date::time::format::DEFAULT);
        text.extend_from_slice(head.as_bytes());
        text.extend_from_slice(b"Author: ");
        text.extend_from_slice(author.name);
        text.extend_from_slice(b" <");
        text.extend_from_slice(author.email);
        let date = date.map_err(CommitError::repository)?;
        text.extend_from_slice(format!(">\nDate:   {date}\n\n").as_bytes());
        for line in commit.message.trim_end().lines() {
            text.extend_from_slice(b"    ");
            text.extend_from_slice(line.trim_end());
            text.push(b'\n');
        }
    }
    Ok(text)
}
