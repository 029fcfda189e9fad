//! `mug resume`: what operations there are, and what can be done with them.

mod cleanup;
mod command;
mod continue_;
mod delete;
mod list;
mod pause;
mod show;

pub(super) use command::{ResumeArgs, run};
