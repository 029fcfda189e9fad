//! What can be wrong with a pack directory.

use std::path::{Path, PathBuf};

/// Why a pack directory, or a part of it, was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file system said no.
    #[error("could not read or write '{}'", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no manifest: no pack, or one whose creation has not finished.
    #[error("'{}' holds no finished pack: manifest.json is missing; finish its creation or name another directory", path.display())]
    NoManifest {
        /// The directory.
        path: PathBuf,
    },
    /// A later release wrote it.
    #[error("'{}' has format version {found}, this build reads up to version {known}; use a newer mug", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The newest version that is known here.
        known: u32,
    },
    /// It holds objects of a kind that this build can't read.
    #[error("'{}' names objects by {hash}, which this build can't read; only sha1 is supported", path.display())]
    UnsupportedHash {
        /// The file.
        path: PathBuf,
        /// The hash function's name or number.
        hash: String,
    },
    /// The bytes are not what was written.
    #[error("'{}' is damaged: {reason}; fetch or copy it again, or create the pack anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not hold.
        reason: String,
    },
    /// The writer was handed parts that contradict each other: a defect of the caller.
    #[error("refusing to write '{}': {reason}", path.display())]
    Inconsistent {
        /// The file that would have been written.
        path: PathBuf,
        /// What does not hold.
        reason: String,
    },
}

impl FormatError {
    /// For `map_err`: an I/O error of the file at `path`.
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io {
            path: path.as_ref().to_owned(),
            source,
        }
    }

    /// The file at `path` is damaged in the way that `reason` tells.
    ///
    /// The reason may quote what the file holds: control characters are made visible.
    pub(crate) fn damaged(path: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        let mut reason = reason.into();
        if !reason.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            let visible = reason.chars().flat_map(|c| {
                let plain = c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric();
                let escaped = (!plain).then(|| c.escape_default());
                plain
                    .then_some(c)
                    .into_iter()
                    .chain(escaped.into_iter().flatten())
            });
            reason = visible.collect();
        }
        Self::Damaged {
            path: path.as_ref().to_owned(),
            reason,
        }
    }

    /// The file at `path` can't be written for `reason`.
    pub(crate) fn inconsistent(path: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Self::Inconsistent {
            path: path.as_ref().to_owned(),
            reason: reason.into(),
        }
    }
}
