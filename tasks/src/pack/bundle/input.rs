//! What the operation is asked to do, and whether it can be done at all.

use std::{
    num::NonZero,
    path::{Path, PathBuf},
};

use resume_runtime::path_text;
use serde::{Deserialize, Serialize};

use super::{BundleError, choice::Choice};
use crate::pack::select::{Pattern, Repository};

/// What to bundle, and where to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Input {
    /// The repository's Git directory, absolute; that of a linked worktree does too.
    #[serde(with = "path_text")]
    pub repository: PathBuf,
    /// The file to make, absolute; it must not exist.
    #[serde(with = "path_text")]
    pub output: PathBuf,
    /// The refs to bundle: names, short names or globs; all without any. `^<revision>` leaves out
    /// what the revision reaches, `<revision>..<ref>` is `^<revision>` and `<ref>`.
    pub revisions: Vec<Pattern>,
    /// Refs to leave out whatever else chooses them: names, short names or globs.
    #[serde(default)]
    pub exclude: Vec<Pattern>,
    /// How many threads to use; all that there are if not said. It changes no byte of the result.
    pub threads: Option<NonZero<usize>>,
}

impl Input {
    /// Whether the operation can begin, without changing anything.
    ///
    /// The operation checks the same when it starts. Asked before, it saves the user an operation
    /// that fails at once.
    ///
    /// Gives what the user may not expect, as sentences.
    pub fn check(&self) -> Result<Vec<String>, BundleError> {
        let repository = self.open()?;
        let choice = self.choice()?;
        choice.resolve(&repository)?.check()?;
        Ok(repository.remarks(&choice.selection())?)
    }

    /// What is to be bundled.
    pub(super) fn choice(&self) -> Result<Choice, BundleError> {
        Choice::of(&self.revisions, &self.exclude)
    }

    /// The repository, if input and output can be used.
    pub(super) fn open(&self) -> Result<Repository, BundleError> {
        for path in [&self.repository, &self.output] {
            if path.is_relative() {
                return Err(BundleError::Relative(path.clone()));
            }
        }
        self.check_output()?;
        let repository = Repository::open(&self.repository)?;
        if repository.is_shallow() {
            return Err(BundleError::Shallow);
        }
        Ok(repository)
    }

    fn check_output(&self) -> Result<(), BundleError> {
        let unusable = |why: &str| BundleError::Output {
            path: self.output.clone(),
            why: why.to_owned(),
        };
        if self.output.symlink_metadata().is_ok() {
            return Err(BundleError::Exists(self.output.clone()));
        }
        if self.output.file_name().is_none() {
            return Err(unusable("it names no file"));
        }
        let existing = self.folder().ancestors().find(|path| path.exists());
        if existing.is_none_or(|path| !path.is_dir()) {
            return Err(unusable("it is to lie in something that is no directory"));
        }
        Ok(())
    }

    /// Where the bundle goes.
    pub(super) fn folder(&self) -> &Path {
        self.output.parent().unwrap_or(Path::new("/"))
    }

    /// Where the operation `id` keeps the unfinished file: beside the output, to be renamed.
    pub(super) fn work(&self, id: &str) -> PathBuf {
        self.folder().join(format!(".mug-{id}"))
    }
}
