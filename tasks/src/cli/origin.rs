//! How the process was called: what commands that are shown have to fit.

use std::path::{Path, PathBuf};

/// The directory and the name that the process was started with.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// Where the user's shell is; none when that directory is gone.
    directory: Option<PathBuf>,
    program: String,
}

impl Origin {
    /// Call it before anything changes the directory.
    pub(crate) fn now() -> Self {
        Self {
            directory: std::env::current_dir().ok(),
            program: std::env::args_os()
                .next()
                .and_then(|name| name.into_string().ok())
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "mug".to_owned()),
        }
    }

    #[cfg(test)]
    pub(super) fn at(directory: &str, program: &str) -> Self {
        Self {
            directory: Some(directory.into()),
            program: program.to_owned(),
        }
    }

    /// The user's shell is in `directory`.
    pub(super) fn is_in(&self, directory: &str) -> bool {
        self.directory.as_deref() == Some(Path::new(directory))
    }

    /// What the user typed to call this program.
    pub(super) fn program(&self) -> &str {
        &self.program
    }
}
