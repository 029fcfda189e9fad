use resume_runtime::{Context, Resumable, Step, StepResult, Transition};
use serde::{Deserialize, Serialize};

#[derive(Resumable)]
#[resumable(kind = "copy", version = 1)]
enum Machine<T> {
    #[step(start)]
    Walk(Walk<T>),
}

#[derive(Default, Serialize, Deserialize)]
struct Walk<T>(T);
impl<T: Send + 'static> Step<Machine<T>> for Walk<T> {
    async fn run(self, _: &mut Context<'_, Machine<T>>) -> StepResult<Machine<T>> {
        Transition::to(self)
    }
}

fn main() {}
