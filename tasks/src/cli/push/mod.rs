//! `mug push`.
//!
//! - [`args`]: what can be typed;
//! - [`mod@run`]: from the arguments to an operation for each URL;
//! - [`told`]: what became of each ref, in git's words;
//! - [`clean`]: temporary refs of operations that are gone.

mod args;
mod clean;
mod run;
mod told;

pub(super) use args::PushArgs;
pub(super) use run::run;
