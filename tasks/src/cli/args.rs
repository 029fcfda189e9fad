//! What can be typed: the one definition that parser, help and completions come
//! from.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use super::clone::CloneArgs;
use super::completions::CompletionsArgs;
use super::exit;
use super::fetch::FetchArgs;
use super::man::ManArgs;
use super::merge::MergeArgs;
use super::pack::PackArgs;
use super::push::PushArgs;
use super::rebase::RebaseArgs;
use super::resume::ResumeArgs;
use super::version;

/// Git's long operations, paused, killed and resumed without loss.
#[derive(Debug, Parser)]
#[command(name = "mug", version = version::VERSION, max_term_width = 100)]
#[command(after_help = "`mug help <command>` says more; `mug --help` lists the exit codes.")]
#[command(after_long_help = exit::table())]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Run as if started in this directory
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub(super) directory: Option<PathBuf>,

    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// Say more
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,

    /// Write results as JSON
    ///
    /// Lists are an array of records, `show` gives a record. Commands that take
    /// long write one object a line, each with a `message_type`; the last one is
    /// a `summary` or an `error`.
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// When to show progress
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        env = "MUG_PROGRESS",
        default_value = "auto",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub(super) progress: When,
}

/// When to show progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// Bars on a terminal; elsewhere a line now and then (the default)
    Auto,
    /// Bars on a terminal; elsewhere a line each second
    Always,
    /// Not at all
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a new repository from one on a server, however often the line breaks
    Clone(CloneArgs),
    /// Write a repository as a pack directory, or restore one from it
    Pack(PackArgs),
    /// Push refs, and what they need, to another repository
    Push(Box<PushArgs>),
    /// Receive what is new on a server, and move the refs that lead to it
    Fetch(FetchArgs),
    /// Merge a commit into the branch that is checked out
    Merge(MergeArgs),
    /// Pick the commits of a branch onto another base
    Rebase(RebaseArgs),
    /// List, show, pause, continue and remove operations
    Resume(ResumeArgs),
    /// Write a completion script for a shell
    Completions(CompletionsArgs),
    /// Write the manual pages into a directory
    Man(ManArgs),
}

impl Args {
    /// The arguments of this process. Help and mistakes end it here.
    pub(crate) fn parse_or_exit() -> Self {
        Self::parse()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn global_options_stand_anywhere() {
        for line in [
            "mug -C x --json resume list",
            "mug resume -C x list --json",
            "mug resume list --json -C x",
        ] {
            let args = parse(line).unwrap();
            assert!(args.global.json, "{line}");
            assert_eq!(args.global.directory, Some("x".into()), "{line}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for line in [
            "mug",
            "mug resum",
            "mug resume show",
            "mug resume list op-1",
            "mug resume cleanup --days -1",
            "mug resume cleanup --days many",
            "mug pack",
            "mug pack create",
            "mug pack create out --threads 0",
            "mug pack restore out",
            "mug -q -v resume",
            "mug --progress sometimes resume",
            "mug completions",
        ] {
            let error = parse(line).map(|_| line).unwrap_err();
            // As the table of exit codes has it.
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn a_typo_gets_a_suggestion() {
        let error = parse("mug resume delte op-1").unwrap_err().to_string();
        assert!(error.contains("'delete'"), "{error}");
    }

    #[test]
    fn help_lists_the_exit_codes() {
        let help = Args::command().render_long_help().to_string();
        assert!(help.ends_with(&format!("{}\n", exit::table())), "{help}");
        let short = Args::command().render_help().to_string();
        assert!(short.contains("--help` lists the exit codes"), "{short}");
    }
}
