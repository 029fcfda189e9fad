//! Lists the server's refs, and plans from them.

use std::sync::Arc;

use resume_runtime::{Blocking, Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::rounds::{Round, first, goal, may_be_whole};
use super::super::{Fetching, listing};
use crate::transfer::obtain::{self, ListError, Obtain, Said};
use crate::transfer::refs::name::shown;

/// So often a first connection is tried: there is nothing yet that could be lost.
const TRIES: u32 = 4;

/// The first step's state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Connect {
    /// How often there was no connection.
    #[serde(default)]
    setbacks: u32,
}

impl Step<Fetching> for Connect {
    async fn run(self, cx: &mut Context<'_, Fetching>) -> StepResult<Fetching> {
        cx.blocking(move |b| self.connect(b)).await
    }
}

impl Connect {
    fn connect(mut self, b: &mut Blocking<Fetching>) -> StepResult<Fetching> {
        let env = Arc::clone(b.env());
        let remote = listing::remote(b)?;
        let (source, listed) = match obtain::list(b, &env.server.dial, remote.asked()) {
            Ok(Some(listed)) => listed,
            Ok(None) => return Transition::to(self),
            Err(ListError::Connection(error)) => {
                let (tries, server) = (env.tries.min(TRIES), &env.server);
                let error = obtain::weigh(b, &mut self.setbacks, tries, server, error.into())?;
                return Transition::retry(self, error);
            }
            Err(ListError::Step(error)) => return Err(error),
        };
        let listing = listing::plan(b, &remote, &listed)?;
        listing::write(b, &listing)?;
        let abilities = source.abilities();
        let mut remarks = listing.plan.remarks.clone();
        if listing.filter.is_some() && !abilities.blob_none {
            remarks.push("the server can't filter: all objects are fetched".to_owned());
        }
        let left_out = &listing.plan.left_out;
        if !left_out.is_empty() {
            let names: Vec<String> = left_out.iter().take(3).map(|it| shown(it)).collect();
            remarks.push(format!(
                "{} refs of the remote have names that can't be used here, and are left out: {}",
                left_out.len(),
                names.join(", ")
            ));
        }
        let goal = goal(b, Round::All)?;
        let staged = b.input().staged || may_be_whole(&goal)?;
        let choice = format!(
            "{} of {} refs are fetched; {} of what they name is not known to be here",
            listing.plan.entries.len(),
            listed.len(),
            goal.tips.len(),
        );
        (env.server.tell)(Said::Choice(&choice));
        b.note(choice);
        obtain::hand_over(b, goal, source)?;
        first(b, Obtain::new(abilities, staged), remarks)
    }
}
