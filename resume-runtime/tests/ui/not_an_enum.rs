use resume_runtime::Resumable;

#[derive(Resumable)]
#[resumable(kind = "copy", version = 1)]
struct Copy {
    done: u64,
}

fn main() {}
