//! The `mug` binary.
#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    let started = cli::Origin::now();
    let args = cli::Args::parse_or_exit();
    let ui = cli::Ui::new(&args.global);
    let result = cli::run(args, &started, &ui);
    // Threads that a pause left behind end with the process: nothing waits for them.
    cli::exit_code(result, &ui)
}
