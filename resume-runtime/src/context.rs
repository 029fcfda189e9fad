//! What a step is handed.

use crate::resumable::Resumable;

/// What a step is handed: its input, tables, files, progress, and whether it
/// should yield.
pub struct Context<'a, M: Resumable> {
    pub(crate) input: &'a M::Input,
}
