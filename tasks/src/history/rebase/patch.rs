//! Whether two commits make the same change (Git's patch ids): the same paths, and the same lines taken
//! out and put in, with three lines around them, whatever their whitespace and wherever they stand.

use std::collections::HashMap;

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::diff::blob::{Algorithm, Diff, InternedInput};
use gix::index::entry::Mode;
use gix_hash::ObjectId;

use super::commit;
use super::error::RebaseError;
use crate::history::worktree::{Change, changes};

/// Lines around a change.
const CONTEXT: u32 = 3;
/// As far as Git looks for a zero byte, which makes a file binary.
const BINARY: usize = 8_000;

/// The changes of some commits, to find those that others make too.
#[derive(Default)]
pub(super) struct Patches {
    /// By the paths that they touch.
    by_paths: HashMap<Vec<BString>, Vec<Vec<Change>>>,
}

impl Patches {
    /// Adds the change of a commit; merges and what can't be read make none.
    pub(super) fn add(&mut self, repository: &gix::Repository, id: ObjectId) {
        if let Ok(Some(patch)) = patch(repository, id) {
            self.by_paths.entry(paths(&patch)).or_default().push(patch);
        }
    }

    /// Whether one of them is the change between two trees.
    pub(super) fn has(
        &self,
        repository: &gix::Repository,
        before: ObjectId,
        after: ObjectId,
    ) -> Result<bool, RebaseError> {
        if self.by_paths.is_empty() {
            return Ok(false);
        }
        let patch = changes(repository, before, after).map_err(RebaseError::repository)?;
        for other in self.by_paths.get(&paths(&patch)).into_iter().flatten() {
            if is_same(repository, &patch, other)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn paths(patch: &[Change]) -> Vec<BString> {
    patch.iter().map(|change| change.path.clone()).collect()
}

fn patch(repository: &gix::Repository, id: ObjectId) -> Result<Option<Vec<Change>>, RebaseError> {
    let found = repository
        .find_commit(id)
        .map_err(RebaseError::repository)?;
    let parents: Vec<ObjectId> = found.parent_ids().map(gix::Id::detach).collect();
    let before = match parents[..] {
        [] => ObjectId::empty_tree(gix_hash::Kind::Sha1),
        [parent] => commit::tree(repository, parent)?,
        _ => return Ok(None),
    };
    let after = commit::tree(repository, id)?;
    let all = changes(repository, before, after).map_err(RebaseError::repository)?;
    Ok(Some(all))
}

fn is_same(repository: &gix::Repository, a: &[Change], b: &[Change]) -> Result<bool, RebaseError> {
    for (a, b) in a.iter().zip(b) {
        let created = |change: &Change| (change.old.is_none(), change.new.is_none());
        if created(a) != created(b) {
            return Ok(false);
        }
        let mode = |change: &Change| match (change.old, change.new) {
            (None, Some(side)) | (Some(side), None) => Some(side.mode),
            _ => None,
        };
        if mode(a) != mode(b) {
            return Ok(false);
        }
        let ids = |change: &Change| {
            (
                change.old.map(|side| side.id),
                change.new.map(|side| side.id),
            )
        };
        if ids(a) == ids(b) {
            continue;
        }
        match (lines(repository, a)?, lines(repository, b)?) {
            (Some(a), Some(b)) if a == b => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// The lines of the change as Git shows it, without whitespace; none where it is binary.
fn lines(repository: &gix::Repository, change: &Change) -> Result<Option<Vec<u8>>, RebaseError> {
    let read = |side: Option<crate::history::worktree::Side>| -> Result<Vec<u8>, RebaseError> {
        match side {
            None => Ok(Vec::new()),
            Some(side) if side.mode == Mode::COMMIT => {
                Ok(format!("Subproject commit {}\n", side.id).into_bytes())
            }
            Some(side) => {
                let blob = repository
                    .find_blob(side.id)
                    .map_err(RebaseError::repository)?;
                Ok(blob.detach().data)
            }
        }
    };
    let (before, after) = (read(change.old)?, read(change.new)?);
    let is_binary = |content: &[u8]| content[..content.len().min(BINARY)].contains(&0);
    if is_binary(&before) || is_binary(&after) {
        return Ok(None);
    }
    Ok(Some(shown(&before, &after)))
}

fn shown(before: &[u8], after: &[u8]) -> Vec<u8> {
    let input = InternedInput::new(before, after);
    let mut diff = Diff::compute(Algorithm::Myers, &input);
    diff.postprocess_lines(&input);
    let line = |token| -> &BStr {
        let line: &[u8] = input.interner[token];
        line.as_bstr()
    };
    let mut out = Vec::new();
    let mut say = |sign: u8, line: &BStr| {
        out.push(sign);
        out.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace()));
        out.push(b'\n');
    };
    let end = u32::try_from(input.before.len()).unwrap_or(u32::MAX);
    // Up to where the old file is shown.
    let mut at = 0;
    let mut hunks = diff.hunks().peekable();
    while let Some(hunk) = hunks.next() {
        for token in hunk.before.start.saturating_sub(CONTEXT).max(at)..hunk.before.start {
            say(b' ', line(input.before[token as usize]));
        }
        for token in hunk.before.clone() {
            say(b'-', line(input.before[token as usize]));
        }
        for token in hunk.after.clone() {
            say(b'+', line(input.after[token as usize]));
        }
        let next = hunks.peek().map_or(end, |next| next.before.start);
        at = hunk.before.end.saturating_add(CONTEXT).min(next);
        for token in hunk.before.end..at {
            say(b' ', line(input.before[token as usize]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_the_same_wherever_it_stands_and_however_it_is_indented() {
        let file = |before: &str, line: &str| format!("{before}1\n2\n3\n{line}\n5\n6\n7\nend\n");
        let change = |before: &str, old: &str, new: &str| {
            shown(file(before, old).as_bytes(), file(before, new).as_bytes())
        };
        let one = change("", "old", "new");
        assert_eq!(one, b" 1\n 2\n 3\n-old\n+new\n 5\n 6\n 7\n");
        assert_eq!(one, change("a\nb\nc\n", " old", "\tnew"));
        assert_ne!(one, change("", "old", "newer"));
    }
}
