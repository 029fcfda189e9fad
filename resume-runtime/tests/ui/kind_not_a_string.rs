use resume_runtime::{Context, Resumable, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

#[derive(Resumable)]
#[resumable(kind = copy, version = 1)]
enum Machine {
    #[step(start)]
    Walk(Walk),
    #[step]
    Copy(Copy),
}

#[derive(Default, Serialize, Deserialize)]
struct Walk;
impl Step<Machine> for Walk {
    async fn run(self, _: &mut Context<'_, Machine>) -> StepResult<Machine> {
        Transition::to(Copy)
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Copy;
impl Step<Machine> for Copy {
    async fn run(self, _: &mut Context<'_, Machine>) -> StepResult<Machine> {
        Transition::done(())
    }
}

fn main() {}
