//! What can be asked of `mug pack`.

use clap::Subcommand;

use super::{create, restore, stats, verify};
use crate::cli::error::Error;
use crate::cli::origin::Origin;
use crate::cli::ui::Ui;

/// Arguments of `mug pack`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PackArgs {
    #[command(subcommand)]
    command: PackCommand,
}

#[derive(Debug, Subcommand)]
enum PackCommand {
    /// Write the repository, or some of its refs, as a pack directory
    Create(create::CreateArgs),
    /// Make a repository from a pack directory
    Restore(restore::RestoreArgs),
    /// Look whether a pack directory is what was written, and complete
    Verify(verify::VerifyArgs),
    /// Say what a pack directory holds, and what it takes
    Stats(stats::StatsArgs),
}

pub(in crate::cli) fn run(args: PackArgs, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    match args.command {
        PackCommand::Create(args) => create::run(args, origin, ui),
        PackCommand::Restore(args) => restore::run(args, origin, ui),
        PackCommand::Verify(args) => verify::run(args, origin, ui),
        PackCommand::Stats(args) => stats::run(&args, ui),
    }
}
