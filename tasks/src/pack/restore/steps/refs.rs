//! Makes the new directory a repository: the index, the refs, and `HEAD` last.

use resume_runtime::{Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::machine::{Output, Plan, Restore, own_dir};
use super::super::publish;
use super::files::scratch;
use crate::checkout::{self, Written};

/// The state of writing the refs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refs {
    pub(super) plan: Plan,
    pub(super) pack_bytes: u64,
    /// What there is of a working tree.
    #[serde(default)]
    pub(super) written: Option<Written>,
    /// Why there is none, if it could not be written.
    pub(super) no_tree: Option<String>,
}

impl Step<Restore> for Refs {
    async fn run(self, cx: &mut Context<'_, Restore>) -> StepResult<Restore> {
        cx.blocking(move |b| {
            let source = b.env().source(&b.input().pack, &self.plan)?;
            let target = b.input().target();
            let (git_dir, own) = (target.git_dir(), own_dir(b));
            // Once `HEAD` is moved there the repository is in use, and all is done but the record.
            if publish::awaits_head(&own, &target)? {
                if self.written.is_some() {
                    checkout::install_index(b, &git_dir.join("index"))?;
                }
                publish::refs(&git_dir, source.newest().refs(), b)?;
                publish::install_head(&own, &git_dir, b)?;
            }
            publish::remove_dir(&scratch(b), b)?;
            Transition::done(Output {
                objects: source.objects().into(),
                pack_bytes: self.pack_bytes,
                written: self.written,
                no_tree: self.no_tree,
                into: None,
            })
        })
        .await
    }
}
