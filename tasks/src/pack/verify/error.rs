//! Why a pack can't be verified at all. What is wrong with it is no error, but the result.

use std::path::PathBuf;

use resume_runtime::StepError;

use super::super::format::FormatError;
use super::super::restore::RestoreError;

/// Why a pack was not verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It can't be read, for a reason that is not its own.
    #[error(transparent)]
    Read(#[from] RestoreError),
    /// The pack is another one than when the operation began.
    #[error("the pack '{}' has changed since this verification began; verify it anew", path.display())]
    Changed {
        /// The pack.
        path: PathBuf,
    },
}

impl From<FormatError> for VerifyError {
    fn from(error: FormatError) -> Self {
        Self::Read(error.into())
    }
}

impl From<VerifyError> for StepError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Read(error) => error.into(),
            error @ VerifyError::Changed { .. } => Self::fatal(error),
        }
    }
}
