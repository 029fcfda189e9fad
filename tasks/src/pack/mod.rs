//! Packs: a repository's objects and refs as a directory of compressed frames that any disk or
//! static file server can hold.

pub mod format;
pub mod restore;

mod ordered;
