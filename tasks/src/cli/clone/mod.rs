//! `mug clone`: a new repository from a server.
//!
//! - [`args`]: what can be asked for, and what is refused;
//! - [`directory`]: where the new repository goes, if nobody says so;
//! - [`resume`]: the clone to continue, wherever it is;
//! - [`run`]: from arguments to a repository.

mod args;
mod directory;
mod resume;
mod run;
mod told;

pub(super) use args::CloneArgs;
pub(super) use run::run;
