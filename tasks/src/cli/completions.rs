//! `mug completions`: a script that completes commands and options.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::args::Args;
use super::error::Error;
use super::ui::Ui;

/// Arguments of `mug completions`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "For bash: mug completions bash > ~/.local/share/bash-completion/completions/mug"
)]
pub(super) struct CompletionsArgs {
    /// The shell that reads it
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, ui: &Ui) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "mug", &mut script);
    ui.write(&script)
}
