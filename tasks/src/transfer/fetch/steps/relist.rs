//! Lists the refs again, when the server does not give what they named.

use std::sync::Arc;

use resume_runtime::{Blocking, Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::rounds::first;
use super::super::{FetchError, Fetching, listing};
use super::Getting;
use crate::transfer::obtain::{self, ListError, Said};

/// The state of listing the refs again.
#[derive(Debug, Serialize, Deserialize)]
pub struct Relist {
    getting: Getting,
    /// What the server said.
    said: String,
    #[serde(default)]
    setbacks: u32,
}

impl Relist {
    pub(super) fn new(getting: Getting, said: String) -> Self {
        Self {
            getting,
            said,
            setbacks: 0,
        }
    }

    fn list(mut self, b: &mut Blocking<Fetching>) -> StepResult<Fetching> {
        let env = Arc::clone(b.env());
        let before = listing::read(b)?;
        let remote = listing::remote(b)?;
        let (source, listed) = match obtain::list(b, &env.server.dial, remote.asked()) {
            Ok(Some(listed)) => listed,
            Ok(None) => return Transition::to(self),
            Err(ListError::Connection(error)) => {
                let (setbacks, server) = (&mut self.setbacks, &env.server);
                let error = obtain::weigh(b, setbacks, env.tries, server, error.into())?;
                return Transition::retry(self, error);
            }
            Err(ListError::Step(error)) => return Err(error),
        };
        let mut getting = self.getting;
        getting.obtain = getting.obtain.with(source.abilities());
        let now = listing::plan(b, &remote, &listed)?;
        if now.plan.wants() == before.plan.wants() {
            if !getting.obtain.asks_by_id() {
                return Err(FetchError::Unserved { said: self.said }.into());
            }
            let said = format!(
                "the server does not give objects by their ids, though it says so ({})",
                self.said
            );
            (env.server.tell)(Said::Choice(&said));
            b.note(said);
            getting.obtain = getting.obtain.without_ids();
            return Transition::to(getting.into_step());
        }
        let said = listing::difference(&before.plan, &now.plan);
        (env.server.tell)(Said::Trouble(&said));
        getting.remarks.push(said.clone());
        b.note(said);
        listing::write(b, &now)?;
        first(b, getting.obtain.onward(), getting.remarks)
    }
}

impl Step<Fetching> for Relist {
    async fn run(self, cx: &mut Context<'_, Fetching>) -> StepResult<Fetching> {
        cx.blocking(move |b| self.list(b)).await
    }
}
