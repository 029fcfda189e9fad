use resume_runtime::Resumable;

#[derive(Resumable)]
#[resumable(kind = "copy", version = 1)]
enum Machine<'a> {
    #[step(start)]
    Walk(&'a str),
}

fn main() {}
