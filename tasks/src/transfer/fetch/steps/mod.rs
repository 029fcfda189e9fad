//! The steps of the operation, one after the other.

mod connect;
mod getting;
mod publish;
mod refs;
mod relist;

pub(super) use connect::Connect;
pub(super) use getting::{Check, Getting, Receive, Resolve};
pub(super) use publish::Publish;
pub(super) use refs::Refs;
pub(super) use relist::Relist;
