//! How kinds are named, and which comes first.

use super::Kind;

impl Kind {
    /// The kind that Git calls `name`.
    pub(crate) const fn from_name(name: &[u8]) -> Option<Self> {
        match name {
            b"commit" => Some(Self::Commit),
            b"tree" => Some(Self::Tree),
            b"blob" => Some(Self::Blob),
            b"tag" => Some(Self::Tag),
            _ => None,
        }
    }

    /// Git's name for this kind.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }

    /// The place of this kind in a pack's order: commits, tags, trees, blobs.
    pub(crate) const fn place(self) -> u8 {
        match self {
            Self::Commit => 0,
            Self::Tag => 1,
            Self::Tree => 2,
            Self::Blob => 3,
        }
    }
}
