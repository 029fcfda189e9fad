//! Whether somebody else ended the merge.

use gix_hash::ObjectId;

use super::files;
use super::input::Ended;
use crate::history::commit::{CommitError, Head};

/// How the merge was ended by somebody else; none if it goes on. `theirs` is what `MERGE_HEAD` has.
pub(super) fn ended(
    repository: &gix::Repository,
    before: &Head,
    theirs: ObjectId,
    commit: ObjectId,
) -> Result<Option<(Ended, Head)>, CommitError> {
    let now = Head::read(repository)?;
    let going_on = files::read_id(repository.git_dir(), "MERGE_HEAD") == Some(theirs);
    if going_on {
        if now != *before {
            return Err(before.moved(&now));
        }
        return Ok(None);
    }
    let is_merged = match now.commit {
        Some(at) if now.commit != before.commit => {
            let bases = repository.merge_bases_many(commit, &[at]);
            let bases = bases.map_err(CommitError::repository)?;
            bases.iter().any(|base| base.detach() == commit)
        }
        _ => false,
    };
    let ended = if is_merged {
        Ended::FinishedOutside
    } else {
        Ended::AbortedOutside
    };
    Ok(Some((ended, now)))
}
