//! A machine that moves a working tree and does nothing else.

use std::path::{Path, PathBuf};

use gix_hash::ObjectId;
use resume_runtime::{
    Context, Database, Resumable, Scheduler, Start, Step, StepError, StepResult, Stopped,
    Transition as Next, path_text,
};
use serde::{Deserialize, Serialize};

use super::super::{Advance, Plan, Transition, check};
use crate::history::engine::Stage;
use crate::history::testing::git;

/// From which tree to which.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Input {
    #[serde(with = "path_text")]
    pub(super) repo: PathBuf,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) force: bool,
    pub(super) unmerged: Vec<Stage>,
}

impl Input {
    pub(super) fn new(repo: &Path, from: &str, to: &str) -> Self {
        let tree = |of: &str| {
            let name = format!("{of}^{{tree}}");
            git(repo, &["rev-parse", &name]).trim().to_owned()
        };
        Self {
            repo: repo.to_owned(),
            from: tree(from),
            to: tree(to),
            force: false,
            unmerged: Vec::new(),
        }
    }

    pub(super) fn plan(&self) -> Plan {
        let options = gix::open::Options::isolated();
        let repository = gix::open_opts(&self.repo, options).unwrap().into_sync();
        let id = |hex: &str| ObjectId::from_hex(hex.as_bytes()).unwrap();
        let mut plan = Plan::new(repository, id(&self.from), id(&self.to));
        plan.force = self.force;
        plan.unmerged.clone_from(&self.unmerged);
        plan
    }
}

#[derive(Debug, Resumable)]
#[resumable(kind = "test-move", version = 1, input = Input, output = u64)]
pub(super) enum Machine {
    #[step(start)]
    Look(Look),
    #[step(effect)]
    Move(Move),
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Look {}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Move {
    state: Transition,
}

impl Step<Machine> for Look {
    async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
        cx.blocking(|b| {
            let plan = b.input().plan();
            let state = check(b, &plan)?;
            Next::to(Move { state })
        })
        .await
    }
}

impl Step<Machine> for Move {
    async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
        cx.blocking(
            move |b| match self.state.advance(b, |b| Ok(b.input().plan()))? {
                Advance::More(state) => Next::to(Self { state }),
                Advance::Done { changes } => Next::done(changes),
            },
        )
        .await
    }
}

/// Moves a working tree.
pub(super) fn run(input: Input) -> Result<u64, StepError> {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let scheduler = Scheduler::builder(Database::in_memory().unwrap())
            .folder(folder.path())
            .register::<Machine>(|_| Ok(()))
            .build();
        let handle = scheduler.start::<Machine>(input, Start::new()).await;
        match handle.unwrap().await {
            Ok(changes) => Ok(changes),
            Err(Stopped::NeedsUser { error, .. } | Stopped::Failed { error, .. }) => Err(error),
            Err(other) => panic!("{other}"),
        }
    })
}
