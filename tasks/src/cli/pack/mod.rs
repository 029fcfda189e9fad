//! `mug pack`: packs made, verified and restored.

mod bundle;
mod command;
mod create;

mod restore;
mod select;
mod stats;
mod verify;

pub(super) use command::{PackArgs, run};
pub(super) use restore::{clone, is_pack};
