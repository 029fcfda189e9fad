//! From arguments to a command.

use super::args::{Args, Command};
use super::error::Error;
use super::origin::Origin;
use super::ui::Ui;
use super::{clone, completions, fetch, limits, man, merge, pack, push, rebase, resume};

/// Runs what the arguments ask for.
pub(crate) fn run(args: Args, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    limits::raise_open_files();
    if let Some(directory) = &args.global.directory {
        std::env::set_current_dir(directory).map_err(|e| {
            Error::usage(format!("cannot change to {}", directory.display())).because(e)
        })?;
    }
    match args.command {
        Command::Clone(args) => clone::run(args, origin, ui),
        Command::Pack(args) => pack::run(args, origin, ui),
        Command::Push(args) => push::run(&args, origin, ui),
        Command::Fetch(args) => fetch::run(args, origin, ui),
        Command::Merge(args) => merge::run(&args, origin, ui),
        Command::Rebase(args) => rebase::run(&args, origin, ui),
        Command::Resume(args) => resume::run(args, origin, ui),
        Command::Completions(args) => completions::run(&args, ui),
        Command::Man(args) => man::run(&args, ui),
    }
}
