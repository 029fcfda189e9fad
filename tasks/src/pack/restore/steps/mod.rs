//! The steps of the operation, one after the other.

mod check;
mod entries;
mod files;
mod publish;
mod refs;

pub(super) use check::Check;
pub(super) use entries::{Entries, Index};
pub(super) use files::{Files, TreeIndex};
pub(super) use publish::Publish;
pub(super) use refs::Refs;
