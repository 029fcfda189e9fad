//! The steps of the operation, one after the other.

mod connect;
mod files;
mod getting;
mod publish;
mod refs;
mod relist;

pub(super) use connect::Connect;
pub(super) use files::{Files, TreeIndex};
pub(super) use getting::{Check, Getting, Join, Receive, Resolve};
pub(super) use publish::Publish;
pub(super) use refs::Refs;
pub(super) use relist::Relist;
