//! What every step hands on to the next.

use serde::{Deserialize, Serialize};

/// How the operation came to where it is.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Course {
    /// How often everything was planned anew: the sources vanished, or the pack changed.
    #[serde(default)]
    pub(super) replans: u32,
    /// Whether a layer is added to a pack that is there.
    #[serde(default)]
    pub(super) adds: bool,
}
