//! What is not committed, kept as Git's stash keeps it, and put back (`--autostash`).

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::commit::{self, Source};
use super::error::RebaseError;
use super::pick::short;
use crate::history::engine::{Engine, Favor, Labels, Outcome, Trees};
use crate::history::worktree::{read_index, snapshot, write_tree};

/// Makes the commit of what index and working tree have over the commit `head`, as `git stash create`
/// does.
pub(super) fn create(
    repository: &gix::Repository,
    head: ObjectId,
    branch: Option<&BString>,
    who: &BString,
) -> Result<ObjectId, RebaseError> {
    let index = read_index(repository)?;
    let index = write_tree(repository, &index)?;
    let files = snapshot(repository)?;
    let source = Source::read(repository, head)?;
    let short_name = branch.map(|name| name.strip_prefix(b"refs/heads/").unwrap_or(name));
    let place = short_name.unwrap_or(b"(no branch)").as_bstr();
    let said = format!("index on {place}: {} ", short(repository, head));
    let subject = commit::subject(source.message.as_ref());
    let said = [said.as_bytes(), &subject, b"\n"].concat();
    let write = |tree, parents: &[ObjectId], said: &[u8]| {
        commit::write_plain(
            repository,
            tree,
            parents,
            who.as_ref(),
            who.as_ref(),
            said.as_bstr(),
        )
    };
    let staged = write(index, &[head], &said)?;
    let said = format!("On {place}: autostash");
    write(files, &[head, staged], said.as_bytes())
}

/// Merges what was kept into the tree of the commit `head`.
pub(super) fn merge(
    repository: &gix::Repository,
    engine: &mut Engine,
    stash: ObjectId,
    head: ObjectId,
) -> Result<Outcome, RebaseError> {
    let source = Source::read(repository, stash)?;
    let base = source.parent().unwrap_or(head);
    let trees = Trees {
        base: commit::tree(repository, base)?,
        ours: commit::tree(repository, head)?,
        theirs: source.tree,
    };
    let name = |text: &str| BString::from(text);
    let labels = Labels {
        ours: name("Updated upstream"),
        theirs: name("Stashed changes"),
        base: Some(name("Stash base")),
    };
    Ok(engine.merge_trees(repository, trees, &labels, Favor::Neither)?)
}

/// The ref that keeps what could not be put back.
pub(super) fn name() -> &'static BStr {
    b"refs/stash".as_bstr()
}
