use resume_runtime::{Context, Resumable, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

#[derive(Resumable)]
#[resumable(kind = "copy", version = 1)]
enum Machine {
    #[step(start)]
    Walk(Walk),
}

#[derive(Serialize, Deserialize)]
struct Walk;
impl Step<Machine> for Walk {
    async fn run(self, _: &mut Context<'_, Machine>) -> StepResult<Machine> {
        Transition::done(())
    }
}

fn main() {}
