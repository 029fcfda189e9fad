//! The hooks are asked, and the commit is made.

use std::ffi::OsStr;
use std::path::PathBuf;

use gix::bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::back::UndoLook;
use super::super::error::MergeError;
use super::super::machine::{Facts, Merge, index, own_dir, shared, unmerged};
use super::super::outside;
use super::Publish;
use crate::history::commit::create::{NewCommit, create, encoding};
use crate::history::commit::message::{self, Cleanup};
use crate::history::commit::{CommitError, author, committer};
use crate::history::hooks::Hooks;
use crate::history::{objects, worktree};

/// Where Git keeps the message of a merge that is about to be committed.
const MESSAGE: &str = "MERGE_MSG";

/// The state of asking.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ask {
    pub(in super::super) facts: Facts,
    pub(in super::super) changes: u64,
    /// Whether there were conflicts.
    pub(in super::super) resolved: bool,
}

impl Step<Merge> for Ask {
    async fn run(self, cx: &mut Context<'_, Merge>) -> StepResult<Merge> {
        cx.blocking(move |b| {
            let shared = shared(b)?;
            let repository = objects::in_memory(&shared);
            let (facts, git_dir) = (&self.facts, repository.git_dir().to_owned());
            let (theirs, merged) = (facts.merge_head, facts.theirs);
            let ended = outside::ended(&repository, &facts.head, theirs, merged)?;
            if let Some((ended, now)) = ended {
                return Transition::done(facts.output(ended, now.commit, self.changes));
            }
            if b.env().abort {
                return Transition::to(UndoLook::new(self.facts, self.changes));
            }
            let said = self.ask(b, &Hooks::of(&repository))?;
            let tree = if self.resolved {
                let index = index(&repository)?;
                let paths = unmerged(&index);
                if !paths.is_empty() {
                    return Transition::wait(self, MergeError::Unresolved { paths }.into());
                }
                settle(b, &repository, &index, facts.tree)?;
                worktree::write_tree(&repository, &index)?
            } else {
                facts.tree
            };
            let text = std::fs::read(git_dir.join(MESSAGE)).unwrap_or_default();
            let mode = Cleanup::of(&repository, self.resolved);
            let text = message::clean(&text, mode, &message::comment_mark(&repository));
            if text.trim().is_empty() {
                return Transition::wait(self, MergeError::NoMessage.into());
            }
            let subject = BString::from(message::subject(&text));
            let new = NewCommit {
                tree,
                parents: facts
                    .head
                    .commit
                    .into_iter()
                    .chain([facts.theirs])
                    .collect(),
                author: author(&repository)?,
                committer: committer(&repository)?,
                message: text.into(),
                encoding: encoding(&repository),
                headers: self.tag(&repository)?,
            };
            let commit = create(&repository, new)?;
            objects::save(&repository, &own_dir(b), &*b)?;
            Transition::to(Publish::commit(
                self.facts,
                self.changes,
                commit,
                self.resolved.then_some(subject),
                said,
            ))
        })
        .await
    }
}

/// Puts on disk what the user added to the index: Git does not, and the commit is to point to it.
fn settle(
    b: &Blocking<Merge>,
    repository: &gix::Repository,
    index: &gix::index::File,
    tree: ObjectId,
) -> Result<(), StepError> {
    let merged = repository
        .index_from_tree(&tree)
        .map_err(CommitError::repository)?;
    let merged: std::collections::HashSet<ObjectId> =
        merged.entries().iter().map(|entry| entry.id).collect();
    let objects = repository.objects.store_ref().path().to_owned();
    let mut paths = vec![index.path().to_owned()];
    for entry in index.entries() {
        if !merged.contains(&entry.id) {
            let hex = entry.id.to_string();
            let dir = objects.join(&hex[..2]);
            paths.extend([dir.join(&hex[2..]), dir]);
        }
    }
    paths.retain(|path| path.exists());
    for path in paths {
        b.sync(&path)?;
    }
    Ok(())
}

impl Ask {
    fn ask(&self, b: &Blocking<Merge>, hooks: &Hooks) -> Result<Vec<String>, StepError> {
        let file: PathBuf = b.input().repository.join(MESSAGE);
        let own = own_dir(b);
        let before = if self.resolved {
            "pre-commit"
        } else {
            "pre-merge-commit"
        };
        let file: &OsStr = file.as_os_str();
        let calls: [(&str, &[&OsStr]); 3] = [
            (before, &[]),
            ("prepare-commit-msg", &[file, "merge".as_ref()]),
            ("commit-msg", &[file]),
        ];
        let mut said = Vec::new();
        for (name, args) in calls {
            let printed = hooks.run(name, args, None, &own, b.interrupt())?;
            said.extend(printed.filter(|text| !text.trim().is_empty()));
        }
        Ok(said)
    }

    /// A tag that is signed is kept in the commit.
    fn tag(&self, repository: &gix::Repository) -> Result<Vec<(BString, BString)>, CommitError> {
        let tag: ObjectId = self.facts.merge_head;
        if tag == self.facts.theirs {
            return Ok(Vec::new());
        }
        let tag = repository.find_tag(tag).map_err(CommitError::repository)?;
        let signed = tag.decode().map_err(CommitError::repository)?;
        if signed.signature.is_none() {
            return Ok(Vec::new());
        }
        let value = tag.data.trim_end_with(|c| c == '\n');
        Ok(vec![("mergetag".into(), value.into())])
    }
}
