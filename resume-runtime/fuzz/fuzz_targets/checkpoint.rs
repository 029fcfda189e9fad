//! A stored checkpoint: it gives a state that is stored the same again, or is refused.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use resume_runtime::{Checkpoint, Context, RestoreError, Resumable, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

#[derive(Debug, Resumable)]
#[resumable(kind = "fuzzed", version = 2, input = (), output = u64, migrate(1 => upgrade))]
enum Machine {
    #[step(start)]
    Walk(Walk),
    #[step(effect)]
    Install(Install),
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Walk {
    next: u64,
    names: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Install {
    sizes: BTreeMap<String, Option<i32>>,
}

/// Version 1 had a number alone.
fn upgrade(old: &Checkpoint) -> Result<Machine, RestoreError> {
    let next = old.body_as::<u64>()?;
    Ok(Machine::Walk(Walk {
        next,
        names: Vec::new(),
    }))
}

impl Step<Machine> for Walk {
    async fn run(self, _: &mut Context<'_, Machine>) -> StepResult<Machine> {
        Transition::done(self.next)
    }
}

impl Step<Machine> for Install {
    async fn run(self, _: &mut Context<'_, Machine>) -> StepResult<Machine> {
        Transition::done(self.sizes.len() as u64)
    }
}

fuzz_target!(|input: &[u8]| {
    let Ok(checkpoint) = serde_json::from_slice::<Checkpoint>(input) else {
        return;
    };
    if let Ok(machine) = Machine::restore(&checkpoint) {
        let stored = machine.checkpoint().expect("a state can be stored");
        let again = Machine::restore(&stored).expect("it was just stored");
        assert_eq!(format!("{again:?}"), format!("{machine:?}"));
    }
});
