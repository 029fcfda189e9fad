//! `mug fetch`: what is new on a server.
//!
//! - [`args`]: what can be asked for, and what is refused;
//! - [`action`]: what the logs of refs say;
//! - [`remotes`]: of which remotes;
//! - [`run`]: from arguments to refs;
//! - [`told`]: what is said.

mod action;
mod args;
mod remotes;
mod run;
mod told;

pub(super) use args::FetchArgs;
pub(super) use run::run;
