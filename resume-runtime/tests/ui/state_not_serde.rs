use resume_runtime::{Context, Resumable, Step, StepResult, Transition};

#[derive(Resumable)]
#[resumable(kind = "copy", version = 1)]
enum Machine {
    #[step(start)]
    Walk(Walk),
}

#[derive(Default)]
struct Walk;
impl Step<Machine> for Walk {
    async fn run(self, _: &mut Context<'_, Machine>) -> StepResult<Machine> {
        Transition::done(())
    }
}

fn main() {}
