//! Verifies a pack directory: is every byte what was written, and can everything be had back?
//!
//! - `survey`: the directory, the manifest, each layer's index and refs, and what must hold between
//!   the layers. Quick, and done anew by every process.
//! - `contents`: the frames. Plainly, each is held against its checksum. Fully, each is
//!   decompressed, every object in it is rebuilt and hashed, and what it refers to is looked for.
//! - `machine`: the operation around the two; it counts in the [groups](super::format::Group) of
//!   the layers, and goes on behind the last one that was committed.
//! - [`report`]: what was found. All of it, not only the first.
//!
//! # Connectivity without a walk
//! A layer holds what its refs reached when it was made and no older layer held, so in a sound pack
//! *every* object finds what it refers to, in its own layer or another one (but for what the refs
//! files say was cut off or left out). A full verification holds every object against that, in the
//! order in which they are stored. With each ref's object there and each object's references there,
//! everything that the refs reach is there; no walk along the graph is needed, and damage to history
//! that no ref reaches any more is found as well.
//!
//! What is not looked at is whether commits and trees are well written, as `git fsck` does: objects
//! are kept as they are found, and old history holds odd ones.

mod absent;
mod contents;
mod error;
mod known;
mod machine;
pub mod report;
mod survey;
#[cfg(test)]
mod tests;
mod whole;

pub use error::VerifyError;
pub use machine::{Env, Input, KIND, Verify};
pub use report::{Damage, DamageKind, Report};
pub use whole::verify;
