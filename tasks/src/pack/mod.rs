//! Packs: a repository's objects and refs as a directory of compressed frames that any disk or
//! static file server can hold.

pub mod bundle;
pub mod create;
pub(crate) mod delta;
pub mod encode;
pub mod format;
pub(crate) mod gather;
pub(crate) mod git_idx;
pub(crate) mod git_pack;
pub mod plan;
pub mod restore;
pub mod scan;
pub mod select;
pub mod source;
pub mod stats;
pub mod verify;

use crate::ordered;

#[cfg(test)]
pub(crate) mod testing;
