//! What can be asked of `mug resume`.

use clap::Subcommand;

use super::{cleanup, continue_, delete, list, pause, show};
use crate::cli::error::Error;
use crate::cli::origin::Origin;
use crate::cli::ui::Ui;

/// Arguments of `mug resume`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ResumeArgs {
    #[command(subcommand)]
    command: Option<ResumeCommand>,
    #[command(flatten)]
    list: list::ListArgs,
}

#[derive(Debug, Subcommand)]
enum ResumeCommand {
    /// List operations (also without a subcommand)
    List(list::ListArgs),
    /// Show all that is known of an operation
    Show(Id),
    /// Show how to continue an operation, or do it
    Continue(continue_::ContinueArgs),
    /// Pause a running operation, and wait until it has paused
    Pause(Id),
    /// Remove an operation from the list, and what it keeps to be continued
    Delete(delete::DeleteArgs),
    /// Remove old operations that are completed or failed
    Cleanup(cleanup::CleanupArgs),
}

/// The operation that is meant.
#[derive(Debug, clap::Args)]
struct Id {
    /// The operation's id, or its beginning
    #[arg(value_name = "OP-ID")]
    id: String,
}

pub(in crate::cli) fn run(args: ResumeArgs, origin: &Origin, ui: &Ui) -> Result<(), Error> {
    match args.command {
        None => list::run(&args.list, ui),
        Some(ResumeCommand::List(more)) => list::run(&args.list.and(&more), ui),
        Some(_) if args.list.is_given() => {
            Err(Error::usage("filters by status are for the list alone"))
        }
        Some(ResumeCommand::Show(args)) => show::run(&args.id, ui),
        Some(ResumeCommand::Continue(args)) => continue_::run(&args, origin, ui),
        Some(ResumeCommand::Pause(args)) => pause::run(&args.id, origin, ui),
        Some(ResumeCommand::Delete(args)) => delete::run(&args, ui),
        Some(ResumeCommand::Cleanup(args)) => cleanup::run(&args, ui),
    }
}
