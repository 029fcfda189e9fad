//! What a slice costs that ends in no commit.
//!
//! ```text
//! cargo bench -p resume-runtime --bench steps
//! ```
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

use std::time::Instant;

use resume_runtime::{
    Context, Database, Resumable, Scheduler, Start, Step, StepResult, Transition,
};
use serde::{Deserialize, Serialize};

const SLICES: u64 = 1_000_000;
const RUNS: usize = 7;

#[derive(Resumable)]
#[resumable(kind = "count", version = 1, output = u64)]
enum Machine {
    #[step(start)]
    Count(Count),
}

#[derive(Default, Serialize, Deserialize)]
struct Count {
    slices: u64,
    note: [u64; 16],
}

impl Step<Machine> for Count {
    async fn run(mut self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
        self.slices += 1;
        self.note[0] += self.slices;
        cx.report(self.slices, Some(SLICES));
        if self.slices < SLICES {
            Transition::to(self)
        } else {
            Transition::done(self.note[0])
        }
    }
}

#[tokio::main]
async fn main() {
    let scratch = tempfile::tempdir().unwrap();
    let db = Database::open(scratch.path()).unwrap();
    let scheduler = Scheduler::builder(db)
        .register::<Machine>(|()| Ok(()))
        .build();
    let mut costs = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let handle = scheduler.start::<Machine>((), Start::new()).await.unwrap();
        handle.await.unwrap();
        costs.push(start.elapsed().as_secs_f64() * 1e6 / SLICES as f64);
    }
    costs.sort_by(f64::total_cmp);
    println!(
        "a slice that is not committed: {:.3} us ({:.3} to {:.3}), {RUNS} runs of {SLICES}",
        costs[RUNS / 2],
        costs[0],
        costs[RUNS - 1]
    );
}
