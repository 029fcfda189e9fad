//! The steps, in order.

mod close;
mod exec;
mod look;
mod pick;
mod prepare;
mod resolve;
mod settle;
mod unstash;

pub(super) use close::Close;
pub(super) use exec::Exec;
pub(super) use look::{Look, Move};
pub(super) use pick::Pick;
pub(super) use prepare::Prepare;
pub(super) use resolve::Resolve;
pub(super) use settle::Settle;
pub(super) use unstash::{Keep, Unstash};
