//! Temporary refs that are left at the server are let go.

use std::sync::{Arc, atomic::AtomicBool};

use gix::bstr::BString;
use resume_runtime::{Blocking, Context, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{
    finish::Finish,
    machine::{Push, outcome, store_outcome, target},
    target::{Target, TargetError},
    temporary,
};
use crate::transfer::connection::{Command, Commands};

/// The refs are moved, or will not be.
#[derive(Debug, Serialize, Deserialize)]
pub struct Clean {}

impl Step<Push> for Clean {
    async fn run(self, cx: &mut Context<'_, Push>) -> StepResult<Push> {
        cx.blocking(|b| Ok(clean(b))).await?
    }
}

fn clean(b: &mut Blocking<Push>) -> StepResult<Push> {
    b.env().at("clean");
    let target = target(b)?;
    let id = b.id().to_owned();
    let cleaned = remove(&target, &|of| of == id, b.interrupt())?;
    let mut output = outcome(b)?;
    output.leftover = cleaned.left;
    store_outcome(b, &output)?;
    Transition::to(Finish {})
}

/// Temporary refs of a server.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Those that are gone now.
    pub gone: Vec<BString>,
    /// Those that the server did not let go.
    pub left: Vec<BString>,
}

/// Deletes the temporary refs of the operations that `which` names.
pub fn remove(
    target: &Target,
    which: &dyn Fn(&str) -> bool,
    interrupt: &Arc<AtomicBool>,
) -> Result<Cleaned, TargetError> {
    let opened = target.connect(interrupt)?;
    let mut commands = Vec::new();
    for it in &opened.refs {
        if let Some(old) = it.target
            && temporary::operation(it.name()).is_some_and(which)
        {
            commands.push(Command {
                name: it.name.clone(),
                old: Some(old),
                new: None,
            });
        }
    }
    if commands.is_empty() {
        return Ok(Cleaned::default());
    }
    let offer = Commands {
        commands,
        ..Commands::default()
    };
    let report = opened.session.send(&offer, None, &|_| ())?;
    let taken = |name: &BString| {
        let mut refs = report.refs.iter();
        refs.any(|it| it.name == *name && it.refused.is_none())
    };
    let names = offer.commands.into_iter().map(|it| it.name);
    let (gone, left) = names.partition(taken);
    Ok(Cleaned { gone, left })
}
