//! `mug pack`: packs made and restored.

mod command;
mod create;
mod path;
mod restore;

pub(super) use command::{PackArgs, run};
