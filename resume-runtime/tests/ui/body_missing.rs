use resume_runtime::Resumable;
use serde::{Deserialize, Serialize};

#[derive(Resumable)]
#[resumable(kind = "copy", version = 1)]
enum Machine {
    #[step(start)]
    Walk(Walk),
}

#[derive(Default, Serialize, Deserialize)]
struct Walk;

fn main() {}
