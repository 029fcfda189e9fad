//! Restoring into a repository that exists: one more pack, and refs under a namespace of their own.
//!
//! `HEAD`, the working tree and all other refs stay as they are. A ref `refs/heads/main` of the pack
//! becomes `<namespace>heads/main`; a symbolic ref, and `HEAD` as `<namespace>HEAD`, names its target
//! there; one whose target the pack does not have is left out. Refs that exist with other values are
//! refused before anything is written, and again when they are written: all that name objects at
//! once, by one rename of `packed-refs` under Git's own lock.
//!
//! The pack holds all objects, those too that the repository has: it may be what a damaged one is to
//! be repaired with, and Git's next `gc` drops what is there twice. Until the refs are written a
//! `.keep` file holds it against that `gc`.

pub(super) mod names;
pub(super) mod packed;
pub(super) mod place;
pub(super) mod shallow;
pub(super) mod symbolic;
pub(super) mod taken;

pub use names::Namespace;
pub use place::Place;
