//! The merge, made in memory.

use gix_hash::ObjectId;
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::error::MergeError;
use super::input::{Ended, FastForward, Input, Output};
use super::machine::{Facts, MESSAGE, Merge, STAGES, Way, keep, own_dir, shared};
use super::named::Theirs;
use super::settings::Settings;
use super::steps::Move;
use super::{files, message};
use crate::history::commit::{CommitError, Head};
use crate::history::engine::{Engine, Labels, Outcome};
use crate::history::objects;
use crate::history::worktree::{self, WorktreeError};

/// What an index has for a submodule.
const SUBMODULE: u32 = 0o160_000;

/// The state of looking.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Look {}

impl Step<Merge> for Look {
    async fn run(self, cx: &mut Context<'_, Merge>) -> StepResult<Merge> {
        cx.blocking(|b| {
            if b.env().abort {
                return Transition::done(nothing(Ended::Aborted, None));
            }
            look(b)
        })
        .await
    }
}

fn nothing(ended: Ended, at: Option<ObjectId>) -> Output {
    Output {
        ended,
        before: at,
        after: at,
        changes: 0,
        said: Vec::new(),
    }
}

fn look(b: &mut Blocking<Merge>) -> StepResult<Merge> {
    let repository = objects::in_memory(&shared(b)?);
    if repository.workdir().is_none() {
        return Err(MergeError::Bare.into());
    }
    if let Some(error) = files::in_progress(repository.git_dir()) {
        return Err(error.into());
    }
    let input = b.input().clone();
    let head = Head::read(&repository)?;
    let theirs = Theirs::find(&repository, input.commit.as_ref())?;
    let settings = Settings::of(&repository, &head, &input)?;
    let Some(ours) = head.commit else {
        return unborn(b, &repository, &settings, head, &theirs);
    };
    let relation = Relation::of(&repository, ours, theirs.commit)?;
    if relation.has_theirs {
        // As Git does.
        let (own, disk) = (own_dir(b), &*b);
        files::write_id(repository.git_dir(), "ORIG_HEAD", ours, &own, disk)?;
        let _ = std::fs::remove_dir_all(own);
        return Transition::done(nothing(Ended::UpToDate, Some(ours)));
    }
    let fast_forward = fast_forward(&settings, &theirs);
    let from = tree(&repository, ours)?;
    refuse_autostash(&repository, from)?;
    let mut facts = Facts {
        head,
        from,
        name: theirs.name.clone(),
        theirs: theirs.commit,
        merge_head: theirs.tag.unwrap_or(theirs.commit),
        tree: from,
        clean: true,
        way: way(&settings),
        no_ff: fast_forward == FastForward::Never,
        both: true,
    };
    if relation.has_ours && fast_forward != FastForward::Never {
        facts.tree = tree(&repository, theirs.commit)?;
        facts.both = false;
        if facts.way != Way::Squash {
            facts.way = Way::FastForward;
        }
        return begin(b, facts);
    }
    if fast_forward == FastForward::Only {
        return Err(MergeError::NoFastForward.into());
    }
    // As in Git: what is in the index would become a part of the merge.
    let dirt = worktree::dirt(&repository, from)?;
    if !dirt.staged.is_empty() {
        return Err(WorktreeError::Overwrites {
            local: dirt.staged,
            untracked: Vec::new(),
            directories: Vec::new(),
        }
        .into());
    }
    let outcome = merge(b, &repository, &facts, &settings)?;
    facts.tree = outcome.tree;
    facts.clean = outcome.clean;
    let text = text(&input, &repository, &theirs, &facts.head, settings.log)?;
    keep_all(b, &outcome, &text)?;
    objects::save(&repository, &own_dir(b), &*b)?;
    begin(b, facts)
}

/// What is not committed is not kept aside here, as Git would do for this setting.
fn refuse_autostash(repository: &gix::Repository, tree: ObjectId) -> Result<(), StepError> {
    let key = "merge.autoStash";
    let is_set = repository.config_snapshot().boolean(key) == Some(true);
    if is_set && !worktree::dirt(repository, tree)?.is_clean() {
        return Err(MergeError::Setting { key: key.into() }.into());
    }
    Ok(())
}

/// Makes the merge itself.
fn merge(
    b: &Blocking<Merge>,
    repository: &gix::Repository,
    facts: &Facts,
    settings: &Settings,
) -> Result<Outcome, StepError> {
    let mut engine = Engine::open(repository, &own_dir(b).join("engine"));
    let input = b.input();
    let labels = Labels {
        ours: "HEAD".into(),
        theirs: facts.name.clone(),
        base: None,
    };
    let Some(ours) = facts.head.commit else {
        return Err(StepError::fatal("a branch without a commit"));
    };
    let outcome = engine.merge_commits(
        repository,
        ours,
        facts.theirs,
        &labels,
        settings.favor,
        input.allow_unrelated,
    )?;
    if let Some(stage) = outcome.stages.iter().find(|stage| stage.mode == SUBMODULE) {
        let path = stage.path.clone();
        return Err(MergeError::Submodule { path }.into());
    }
    Ok(outcome)
}

/// Keeps the conflicts and the message, and tells what Git would have told.
fn keep_all(b: &mut Blocking<Merge>, outcome: &Outcome, message: &[u8]) -> Result<(), StepError> {
    let stages = serde_json::to_vec(&outcome.stages).map_err(StepError::fatal)?;
    keep(b, STAGES, &stages)?;
    keep(b, MESSAGE, message)?;
    for message in &outcome.messages {
        if message.kind.starts_with("CONFLICT") {
            b.note(plain(&message.text));
        }
    }
    Ok(())
}

/// What the commit is to say; so many of its commits are listed.
fn text(
    input: &Input,
    repository: &gix::Repository,
    theirs: &Theirs,
    head: &Head,
    listed: usize,
) -> Result<Vec<u8>, StepError> {
    let mut text = match &input.message {
        Some(message) if listed == 0 => return Ok(message.clone().into()),
        Some(message) => message.clone().into(),
        None => message::of(repository, theirs, head),
    };
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    if let (Some(ours), 1..) = (head.commit, listed) {
        let list = message::list(repository, ours, theirs, listed)?;
        text.extend_from_slice(&list);
    }
    // As in Git: its last line is ended where it is written.
    text.pop();
    Ok(text.into())
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// A branch without a commit gets the other one's.
fn unborn(
    b: &mut Blocking<Merge>,
    repository: &gix::Repository,
    settings: &Settings,
    head: Head,
    theirs: &Theirs,
) -> StepResult<Merge> {
    if settings.squash {
        return Err(MergeError::Unborn { option: "--squash" }.into());
    }
    if settings.fast_forward == Some(FastForward::Never) {
        return Err(MergeError::Unborn { option: "--no-ff" }.into());
    }
    let facts = Facts {
        head,
        from: ObjectId::empty_tree(repository.object_hash()),
        name: theirs.name.clone(),
        theirs: theirs.commit,
        merge_head: theirs.commit,
        tree: tree(repository, theirs.commit)?,
        clean: true,
        way: Way::FastForward,
        no_ff: false,
        both: false,
    };
    begin(b, facts)
}

/// Looks whether the working tree can be moved.
fn begin(b: &mut Blocking<Merge>, facts: Facts) -> StepResult<Merge> {
    let plan = facts.plan(b)?;
    let state = worktree::check(b, &plan)?;
    Transition::to(Move::new(facts, state))
}

/// Whether there is a commit in any case.
fn fast_forward(settings: &Settings, theirs: &Theirs) -> FastForward {
    let usual = if theirs.odd_tag && !settings.squash {
        FastForward::Never
    } else {
        FastForward::Allowed
    };
    settings.fast_forward.unwrap_or(usual)
}

fn way(settings: &Settings) -> Way {
    match (settings.squash, settings.no_commit) {
        (true, _) => Way::Squash,
        (false, true) => Way::Stop,
        (false, false) => Way::Commit,
    }
}

/// Which of the two has all that the other one has.
struct Relation {
    has_theirs: bool,
    has_ours: bool,
}

impl Relation {
    fn of(
        repository: &gix::Repository,
        ours: ObjectId,
        theirs: ObjectId,
    ) -> Result<Self, CommitError> {
        if repository.is_shallow().unwrap_or(true) {
            // Commits say more of their parents than there is.
            return Ok(Self {
                has_theirs: reaches(repository, ours, theirs)?,
                has_ours: reaches(repository, theirs, ours)?,
            });
        }
        let bases = repository.merge_bases_many(ours, &[theirs]);
        let bases = bases.map_err(CommitError::repository)?;
        Ok(Self {
            has_theirs: bases.iter().any(|base| *base == theirs),
            has_ours: bases.iter().any(|base| *base == ours),
        })
    }
}

fn reaches(
    repository: &gix::Repository,
    from: ObjectId,
    to: ObjectId,
) -> Result<bool, CommitError> {
    let walk = repository.rev_walk([from]).all();
    for commit in walk.map_err(CommitError::repository)? {
        if commit.map_err(CommitError::repository)?.id == to {
            return Ok(true);
        }
    }
    Ok(false)
}

fn tree(repository: &gix::Repository, commit: ObjectId) -> Result<ObjectId, StepError> {
    let commit = repository
        .find_commit(commit)
        .map_err(CommitError::repository)?;
    let tree = commit.tree_id().map_err(CommitError::repository)?;
    Ok(tree.detach())
}
