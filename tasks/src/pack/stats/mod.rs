//! What a pack directory holds, and what it takes: counted from indexes and refs alone.
//!
//! # Beside Git
//! A pack does not know what its objects took in Git's packs. [`read`] looks the same
//! objects up in a repository and adds up what each takes there: an entry's bytes in the pack that
//! has it, or a loose file. So packs that hold more, or other objects, do not blur the figure; what
//! the repository does not have is counted, not guessed.

mod count;
pub mod git;

pub use count::{Kinds, Layer, PerKind, Stats, StatsError, read};
pub use git::GitSize;

#[cfg(test)]
mod tests;
