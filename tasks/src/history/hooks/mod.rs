//! Git's hooks: found, run where Git runs them, with what Git tells them.
//!
//! What a hook prints is not shown while it runs; it is given back, for the operation to tell.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::AtomicBool;

use resume_runtime::StepError;

use super::running::{Ran, Running};

#[cfg(test)]
mod tests;

/// Why a hook did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// It said no.
    #[error("the hook {name} refused ({status}){}", said(output))]
    Refused {
        /// Its name.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        output: String,
    },
    /// A pause was asked for; it was ended.
    #[error("the hook {name} was interrupted")]
    Interrupted {
        /// Its name.
        name: String,
    },
    /// It can't be run.
    #[error("the hook '{}' can't be run", path.display())]
    Io {
        /// The hook.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

fn said(output: &str) -> String {
    let output = output.trim_end();
    if output.is_empty() {
        return String::new();
    }
    format!(": {}", output.lines().collect::<Vec<_>>().join("; "))
}

impl From<HookError> for StepError {
    fn from(error: HookError) -> Self {
        match error {
            error @ HookError::Refused { .. } => {
                Self::needs_user(error, "see to what it says, then continue")
            }
            error @ HookError::Interrupted { .. } => Self::transient(error),
            HookError::Io { path, source } => Self::needs_user(
                io::Error::new(source.kind(), format!("'{}': {source}", path.display())),
                "mend the hook, or take it away, then continue",
            ),
        }
    }
}

/// The hooks of a repository.
#[derive(Clone, Debug)]
pub struct Hooks {
    dir: PathBuf,
    git_dir: PathBuf,
    /// Where they run.
    top: PathBuf,
}

impl Hooks {
    /// Those in `core.hooksPath`, or in the Git directory.
    pub fn of(repository: &gix::Repository) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let git_dir = absolute(repository.git_dir());
        let top = repository
            .workdir()
            .map_or_else(|| git_dir.clone(), absolute);
        let set = repository.config_snapshot().trusted_path("core.hooksPath");
        let dir = match set {
            Ok(Some(path)) => top.join(path),
            _ => absolute(repository.common_dir()).join("hooks"),
        };
        Self { dir, git_dir, top }
    }

    /// Whether there is such a hook. One that may not be executed is none, as for Git.
    pub fn has(&self, name: &str) -> bool {
        let meta = self.dir.join(name).metadata();
        meta.is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    }

    /// Runs a hook, if it is there; gives what it printed. `own` is a directory for what it prints.
    ///
    /// A hook is ended when `interrupt` is set. What it did then is done: it is run again later.
    pub fn run(
        &self,
        name: &str,
        args: &[&OsStr],
        stdin: Option<&[u8]>,
        own: &Path,
        interrupt: &AtomicBool,
    ) -> Result<Option<String>, HookError> {
        if !self.has(name) {
            return Ok(None);
        }
        let path = self.dir.join(name);
        let failed = |source| HookError::Io {
            path: path.clone(),
            source,
        };
        let mut command = Command::new(&path);
        command
            .args(args)
            .current_dir(&self.top)
            .env("GIT_DIR", &self.git_dir)
            .env("GIT_INDEX_FILE", self.git_dir.join("index"))
            // No editor is opened.
            .env("GIT_EDITOR", ":");
        let ran = Running {
            command,
            stdin,
            own,
            interrupt,
        };
        let Ran { status, output } = ran.run().map_err(failed)?;
        let name = name.to_owned();
        match status {
            None => Err(HookError::Interrupted { name }),
            Some(status) if status.success() => Ok(Some(output)),
            Some(status) => Err(HookError::Refused {
                name,
                status,
                output,
            }),
        }
    }
}
