//! The command line: one file a command, and `ui` for all that is shown.
//!
//! - [`args`]: what can be typed; [`exit`]: what comes back; [`error`]: what is
//!   said when it does not work;
//! - [`mod@run`]: from arguments to a command; [`limits`]: what it may have open;
//! - [`clone`], [`mod@fetch`], [`merge`], [`pack`], [`push`], [`rebase`], [`resume`],
//!   [`completions`], [`man`]: the commands; [`version`]: which build this is;
//! - [`drive`]: an operation under bars and signals; [`again`]: the command that
//!   continues it; [`place`]: where operations are looked for.

mod again;
mod args;
mod clone;
mod completions;
mod drive;
mod error;
mod exit;
mod fetch;
mod limits;
mod man;
mod merge;
mod origin;
mod pack;
mod path;
mod place;
mod push;
mod rebase;
mod resume;
mod run;
mod ui;
mod version;

pub(crate) use args::Args;
pub(crate) use exit::exit_code;
pub(crate) use origin::Origin;
pub(crate) use run::run;
pub(crate) use ui::Ui;
