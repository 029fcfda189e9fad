//! The files by which Git knows what is going on.

use gix::bstr::BString;
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::error::MergeError;
use super::super::input::Ended;
use super::super::machine::{Facts, MESSAGE, Merge, Way, kept, own_dir, paths, shared, stages};
use super::super::{files, message, squash};
use super::{Ask, Post, Publish, Resolve};
use crate::history::commit::message::comment_mark;

/// The state of writing them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    pub(in super::super) facts: Facts,
    pub(in super::super) changes: u64,
}

impl Step<Merge> for Record {
    async fn run(self, cx: &mut Context<'_, Merge>) -> StepResult<Merge> {
        cx.blocking(move |b| {
            let Self { facts, changes } = self;
            let repository = shared(b)?.to_thread_local();
            let git_dir = repository.git_dir().to_owned();
            let (own, disk) = (own_dir(b), &*b);
            if let Some(before) = facts.head.commit {
                files::write_id(&git_dir, "ORIG_HEAD", before, &own, disk)?;
            }
            let conflicting = paths(&stages_of(b, &facts)?);
            let disk = &*b;
            match facts.way {
                Way::FastForward => {
                    return Transition::to(Publish::fast_forward(facts, changes));
                }
                Way::Squash => {
                    if let Some(before) = facts.head.commit {
                        let text = squash::message(&repository, before, facts.theirs)?;
                        files::write(&git_dir, "SQUASH_MSG", &text, &own, disk)?;
                    }
                }
                Way::Commit | Way::Stop => {
                    let mode: &[u8] = if facts.no_ff { b"no-ff" } else { b"" };
                    files::write(&git_dir, "MERGE_MODE", mode, &own, disk)?;
                }
            }
            let mut text = match facts.way {
                Way::Squash => Vec::new(),
                _ => kept(b, MESSAGE)?,
            };
            let disk = &*b;
            if !text.is_empty() && (!facts.clean || facts.way == Way::Stop) {
                text.push(b'\n');
            }
            if !facts.clean {
                let mark = comment_mark(&repository);
                text.extend_from_slice(&message::conflicts(&conflicting, &mark));
            }
            if !facts.clean || (facts.both && facts.way != Way::Commit) {
                files::write_id(&git_dir, "AUTO_MERGE", facts.tree, &own, disk)?;
            }
            if !text.is_empty() {
                files::write(&git_dir, "MERGE_MSG", &text, &own, disk)?;
            }
            if facts.way != Way::Squash {
                // The last one: with it Git knows of the merge.
                files::write_id(&git_dir, "MERGE_HEAD", facts.merge_head, &own, disk)?;
            }
            if !facts.clean {
                let error = conflicts(b, &facts, conflicting);
                return Transition::wait(Resolve { facts, changes }, error.into());
            }
            let at = facts.head.commit;
            match facts.way {
                Way::Stop => Transition::done(facts.output(Ended::Stopped, at, changes)),
                Way::Squash => Transition::to(Post::squashed(facts, changes)),
                _ => Transition::to(Ask {
                    facts,
                    changes,
                    resolved: false,
                }),
            }
        })
        .await
    }
}

fn stages_of(
    b: &mut Blocking<Merge>,
    facts: &Facts,
) -> Result<Vec<crate::history::engine::Stage>, StepError> {
    if facts.clean {
        return Ok(Vec::new());
    }
    stages(b)
}

fn conflicts(b: &Blocking<Merge>, facts: &Facts, paths: Vec<BString>) -> MergeError {
    MergeError::Conflicts {
        name: b.input().commit.to_string(),
        into: facts.head.short().to_string(),
        paths,
        details: vec!["paths that a renamed directory would take along".to_owned()],
    }
}
