//! The branch gets the commit.

use gix::bstr::BString;
use gix_hash::ObjectId;
use resume_runtime::{Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::files;
use super::super::machine::{Facts, Merge, Way, own_dir, shared};
use super::Post;
use crate::transfer::text;

/// The state of moving the branch.
#[derive(Debug, Serialize, Deserialize)]
pub struct Publish {
    facts: Facts,
    changes: u64,
    #[serde(with = "text::oid")]
    commit: ObjectId,
    /// Where there were conflicts: what the commit says, in a line.
    #[serde(with = "text::maybe_name")]
    resolved: Option<BString>,
    said: Vec<String>,
}

impl Publish {
    pub(super) fn fast_forward(facts: Facts, changes: u64) -> Self {
        Self {
            commit: facts.theirs,
            facts,
            changes,
            resolved: None,
            said: Vec::new(),
        }
    }

    pub(super) fn commit(
        facts: Facts,
        changes: u64,
        commit: ObjectId,
        resolved: Option<BString>,
        said: Vec<String>,
    ) -> Self {
        Self {
            facts,
            changes,
            commit,
            resolved,
            said,
        }
    }
}

impl Step<Merge> for Publish {
    async fn run(self, cx: &mut Context<'_, Merge>) -> StepResult<Merge> {
        cx.blocking(move |b| {
            let repository = shared(b)?.to_thread_local();
            let (own, disk) = (own_dir(b), &*b);
            let name = &self.facts.name;
            let message = match (&self.resolved, self.facts.way) {
                (Some(subject), _) => format!("commit (merge): {subject}"),
                (None, _) if self.facts.head.commit.is_none() => "initial pull".to_owned(),
                (None, Way::FastForward) => format!("merge {name}: Fast-forward"),
                (None, _) => format!("merge {name}: Merge made by the 'ort' strategy."),
            };
            let message = BString::from(message);
            let head = &self.facts.head;
            head.advance(&repository, self.commit, message.as_ref(), &own, disk)?;
            if self.facts.way != Way::FastForward {
                files::clear(repository.git_dir(), disk)?;
            }
            Transition::to(Post {
                resolved: self.resolved.is_some(),
                commit: Some(self.commit),
                facts: self.facts,
                changes: self.changes,
                said: self.said,
            })
        })
        .await
    }
}
