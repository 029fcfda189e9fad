//! Gets the objects.

use resume_runtime::{Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::Fetching;
use super::super::rounds::{Round, after, goal};
use super::Relist;
use crate::transfer::obtain::{Advance, Obtain, Phase};

/// How far the getting of objects is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct Getting {
    pub(in super::super) round: Round,
    pub(in super::super) obtain: Obtain,
    /// What the user should know in the end.
    pub(in super::super) remarks: Vec<String>,
}

/// The state while objects come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Receive(Getting);

/// The state while packs are made of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resolve(Getting);

/// The state while it is looked for what is missing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check(Getting);

impl Getting {
    /// The step that goes on with it.
    pub(in super::super) fn into_step(self) -> Fetching {
        match self.obtain.phase() {
            Phase::Receive => Fetching::Receive(Receive(self)),
            Phase::Resolve | Phase::Join => Fetching::Resolve(Resolve(self)),
            Phase::Check => Fetching::Check(Check(self)),
        }
    }

    async fn advance(self, cx: &mut Context<'_, Fetching>) -> StepResult<Fetching> {
        cx.blocking(move |b| {
            let Self {
                round,
                obtain,
                remarks,
            } = self;
            let again = |obtain, remarks| Self {
                round,
                obtain,
                remarks,
            };
            match obtain.advance(b, |b| goal(b, round))? {
                Advance::More(obtain) => Transition::to(again(obtain, remarks).into_step()),
                Advance::Later(obtain, error) => {
                    Transition::retry(again(obtain, remarks).into_step(), error)
                }
                Advance::Changed(obtain, said) => {
                    Transition::to(Relist::new(again(obtain, remarks), said))
                }
                Advance::Done(obtain) => after(b, round, obtain, remarks),
            }
        })
        .await
    }
}

impl Step<Fetching> for Receive {
    async fn run(self, cx: &mut Context<'_, Fetching>) -> StepResult<Fetching> {
        self.0.advance(cx).await
    }
}

impl Step<Fetching> for Resolve {
    async fn run(self, cx: &mut Context<'_, Fetching>) -> StepResult<Fetching> {
        self.0.advance(cx).await
    }
}

impl Step<Fetching> for Check {
    async fn run(self, cx: &mut Context<'_, Fetching>) -> StepResult<Fetching> {
        self.0.advance(cx).await
    }
}
