//! Which refs go where, and whether the user's hook agrees.

use std::fmt::Write as _;

use gix::bstr::ByteSlice as _;
use resume_runtime::{Blocking, Context, Step, StepError, StepResult, Transition};
use serde::{Deserialize, Serialize};

use super::{
    finish::Finish,
    learned,
    machine::{Output, Push, connection, store_outcome, store_plan, target},
    send::{Kept, Send},
    target::{Plan, Target},
};
use crate::transfer::refs::push::Status;

/// Nothing is known yet but what is asked for.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Prepare {}

impl Step<Push> for Prepare {
    async fn run(self, cx: &mut Context<'_, Push>) -> StepResult<Push> {
        cx.blocking(|b| Ok(prepare(b))).await?
    }
}

fn prepare(b: &mut Blocking<Push>) -> StepResult<Push> {
    b.env().at("prepare");
    let target = target(b)?;
    let opened = connection(b, &target)?;
    let plan = target.plan(b.input(), &opened)?;
    pre_push(b, &target, &plan)?;
    store_plan(b, &plan)?;
    if plan.first.iter().any(|it| it.status == Status::Send) {
        let piece = learned::of(&target).unwrap_or(u64::MAX);
        b.keep_local(Kept::Opened(Box::new(target), opened));
        return Transition::to(Send::new(piece));
    }
    let output = Output {
        to: target.shown().to_owned(),
        updates: plan.first,
        ..Output::default()
    };
    store_outcome(b, &output)?;
    Transition::to(Finish {})
}

/// Asks the hook, as git does it.
fn pre_push(b: &mut Blocking<Push>, target: &Target, plan: &Plan) -> Result<(), StepError> {
    if b.input().no_verify {
        return Ok(());
    }
    let lines = told(plan);
    let hooks = crate::history::hooks::Hooks::of(&target.repo);
    let remote = target.name().to_os_str_lossy();
    let url = target.shown().to_owned();
    let own = b.folder()?;
    let arguments = [remote.as_ref(), url.as_ref()];
    let said = hooks.run("pre-push", &arguments, Some(&lines), &own, b.interrupt());
    match said {
        Ok(said) => {
            let sink = &b.env().sink;
            for text in said.iter().flat_map(|it| it.lines()) {
                let passing = false;
                sink(crate::transfer::connection::Message { text, passing });
            }
            Ok(())
        }
        Err(error @ crate::history::hooks::HookError::Refused { .. }) => {
            Err(StepError::fatal(error).context("nothing was pushed"))
        }
        Err(error) => Err(error.into()),
    }
}

/// What the hook reads: a line for each ref that is to be changed.
fn told(plan: &Plan) -> Vec<u8> {
    let none = gix_hash::ObjectId::null(gix_hash::Kind::Sha1);
    let mut lines = Vec::new();
    for it in &plan.first {
        let left_out = matches!(
            it.status,
            Status::UpToDate | Status::NonFastForward | Status::Stale
        );
        if left_out {
            continue;
        }
        let from: &[u8] = it.pair.from.as_ref().map_or(b"(delete)", |name| name);
        let mut ids = String::new();
        let (new, old) = (it.pair.new.unwrap_or(none), it.old.unwrap_or(none));
        lines.extend_from_slice(from);
        let _ = write!(ids, " {new} ");
        lines.extend_from_slice(ids.as_bytes());
        lines.extend_from_slice(&it.pair.to);
        lines.extend_from_slice(format!(" {old}\n").as_bytes());
    }
    lines
}
