//! Lists the refs again, when the server does not give what they named.

use resume_runtime::{Blocking, Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::{CloneError, Cloning, listing};
use super::Getting;
use crate::transfer::obtain::{self, ListError, Said};
use crate::transfer::refs::clone::{for_clone, prefixes_for_clone};

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

    fn list(mut self, b: &mut Blocking<Cloning>) -> StepResult<Cloning> {
        let env = std::sync::Arc::clone(b.env());
        let before = listing::read(b)?;
        let prefixes = prefixes_for_clone(&before.options);
        let (source, refs) = match obtain::list(b, &env.server.dial, prefixes) {
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
        let now = for_clone(&refs, &before.options)?;
        let said;
        if now.wants() == before.wants() {
            if !getting.obtain.asks_by_id() {
                return Err(CloneError::Unserved { said: self.said }.into());
            }
            said = format!(
                "the server does not give objects by their ids, though it says so ({})",
                self.said
            );
            (env.server.tell)(Said::Choice(&said));
            getting.obtain = getting.obtain.without_ids();
        } else {
            said = listing::difference(&before, &now);
            (env.server.tell)(Said::Trouble(&said));
            getting.remarks.push(said.clone());
            listing::write(b, &now)?;
            getting.obtain = getting.obtain.onward();
        }
        b.note(said);
        Transition::to(getting.into_step())
    }
}

impl Step<Cloning> for Relist {
    async fn run(self, cx: &mut Context<'_, Cloning>) -> StepResult<Cloning> {
        cx.blocking(move |b| self.list(b)).await
    }
}
