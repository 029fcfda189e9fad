//! Fetches under the crash harness.

use std::path::Path;

use resume_runtime::testing::{Case, assert_resumable};

use super::super::Fetching;
use super::fixture::{env, input, observe, pair};
use crate::transfer::obtain::script::{Fault, Script};

fn case(staged: bool, faults: &'static [usize]) -> Case<Fetching> {
    Case::with_env(
        move |scratch: &Path| {
            pair(scratch);
            let mut input = input(scratch);
            input.staged = staged;
            input
        },
        move |scratch, _| {
            let faults = faults.iter().map(|part| Fault::Cut(*part));
            let script = Script::new(&scratch.join("origin")).faults(faults);
            let mut env = env(scratch, &script, 3);
            env.uncounted = true;
            Ok(env)
        },
    )
    .observe(observe)
    .states_may_differ()
    .points(4)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_with_a_cut_stands_every_crash() {
    assert_resumable(case(false, &[60])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_staged_fetch_stands_every_crash() {
    assert_resumable(case(true, &[])).await;
}
