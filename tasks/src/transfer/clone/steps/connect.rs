//! Lists the server's refs, and plans the new repository from them.

use resume_runtime::{Blocking, Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::super::rounds::{Round, goal};
use super::super::{CloneError, Cloning, listing};
use super::Getting;
use crate::transfer::obtain::{self, ListError, Obtain, Said};
use crate::transfer::refs::clone::{for_clone, prefixes_for_clone};
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

impl Step<Cloning> for Connect {
    async fn run(self, cx: &mut Context<'_, Cloning>) -> StepResult<Cloning> {
        cx.blocking(move |b| self.connect(b)).await
    }
}

impl Connect {
    fn connect(mut self, b: &mut Blocking<Cloning>) -> StepResult<Cloning> {
        let input = std::sync::Arc::clone(b.input());
        let checked = input.target().check_free(Some(b.id()));
        checked.map_err(CloneError::from)?;
        let env = std::sync::Arc::clone(b.env());
        let prefixes = prefixes_for_clone(&input.options);
        let (source, refs) = match obtain::list(b, &env.server.dial, prefixes) {
            Ok(Some(listed)) => listed,
            Ok(None) => return Transition::to(self),
            Err(ListError::Connection(error)) => {
                let tries = env.tries.min(TRIES);
                let error = obtain::weigh(b, &mut self.setbacks, tries, &env.server, error.into())?;
                return Transition::retry(self, error);
            }
            Err(ListError::Step(error)) => return Err(error),
        };
        let plan = for_clone(&refs, &input.options)?;
        listing::write(b, &plan)?;
        let abilities = source.abilities();
        let mut remarks = Vec::new();
        if input.options.filter.is_some() && !abilities.blob_none {
            remarks.push("the server can't filter: all objects are cloned".to_owned());
        }
        if !plan.left_out.is_empty() {
            let names: Vec<String> = plan.left_out.iter().take(3).map(|it| shown(it)).collect();
            remarks.push(format!(
                "{} refs of the remote have names that can't be used here, and are left out: {}",
                plan.left_out.len(),
                names.join(", ")
            ));
        }
        let (depth, filter) = (input.options.depth, &input.options.filter);
        // One that has all is more than is asked for.
        let whole = depth.is_none() && filter.is_none();
        let bundles = env.server.file.is_some() && whole && source.offers_bundles();
        let how = if bundles {
            "the bundles that the server offers, then the rest"
        } else if input.staged {
            "history first, then blobs in batches, as asked"
        } else {
            "everything at once, in one pack"
        };
        let choice = format!(
            "{} refs of {} are cloned; {how}",
            plan.refs.len(),
            refs.len()
        );
        (env.server.tell)(Said::Choice(&choice));
        b.note(choice);
        let goal = goal(b, Round::All)?;
        obtain::hand_over(b, goal, source)?;
        let mut obtain = Obtain::new(abilities, input.staged);
        if bundles {
            obtain = obtain.with_bundles();
        }
        Transition::to(
            Getting {
                round: Round::All,
                obtain,
                remarks,
            }
            .into_step(),
        )
    }
}
