//! What the operation is asked to do, and whether it can be done at all.

use std::{
    fs, io,
    num::NonZero,
    path::{Path, PathBuf},
};

use resume_runtime::path_text;
use serde::{Deserialize, Serialize};

use super::CreateError;
use crate::pack::{
    format::{MANIFEST_NAME, PackDir},
    select::Repository,
};

/// What to pack, and where to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Input {
    /// The repository's Git directory, absolute; that of a linked worktree does too.
    #[serde(with = "path_text")]
    pub repository: PathBuf,
    /// The directory to make, absolute; it may exist if it is empty, or a pack, to which a layer is
    /// added.
    #[serde(with = "path_text")]
    pub output: PathBuf,
    /// The refs to pack: names, short names or globs; empty for all.
    pub refs: Vec<String>,
    /// How many threads to use; all that there are if not said. It changes no byte of the result.
    pub threads: Option<NonZero<usize>>,
}

impl Input {
    /// Whether the operation can begin, without changing anything.
    ///
    /// The operation checks the same when it starts. Asked before, it saves the user an operation
    /// that fails at once.
    pub fn check(&self) -> Result<(), CreateError> {
        self.check_for(None)?.refs(&self.refs)?;
        Ok(())
    }

    /// The same but for the refs, for the operation `own`; gives the repository.
    pub(super) fn check_for(&self, own: Option<&str>) -> Result<Repository, CreateError> {
        for path in [&self.repository, &self.output] {
            if path.is_relative() {
                return Err(CreateError::Relative(path.clone()));
            }
        }
        self.check_output(own)?;
        Ok(Repository::open(&self.repository)?)
    }

    /// The output must be missing, empty, a pack, or hold nothing but what operation `own` left.
    pub(super) fn check_output(&self, own: Option<&str>) -> Result<(), CreateError> {
        check_output(&self.output, own)
    }

    /// Where the operation `id` keeps the unfinished files of the result.
    pub(super) fn work(&self, id: &str) -> PathBuf {
        self.output.join(work_name(id))
    }
}

fn work_name(id: &str) -> String {
    format!("{WORK}{id}")
}

const WORK: &str = ".mug-";

fn check_output(output: &Path, own: Option<&str>) -> Result<(), CreateError> {
    let own = own.map(work_name);
    let entries = match fs::read_dir(output) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(CreateError::Output {
                path: output.to_owned(),
                why: error.to_string(),
            });
        }
    };
    let is_pack = output.join(MANIFEST_NAME).exists();
    if is_pack {
        PackDir::open(output)?;
    }
    for entry in entries {
        let name = entry?.file_name();
        if own.as_ref().is_some_and(|own| name == own.as_str()) {
            continue;
        }
        return Err(
            match name.to_str().and_then(|name| name.strip_prefix(WORK)) {
                Some(id) => CreateError::Unfinished {
                    path: output.to_owned(),
                    id: id.chars().filter(|c| !c.is_control()).collect(),
                },
                None if is_pack => continue,
                None => CreateError::NotEmpty(output.to_owned()),
            },
        );
    }
    Ok(())
}
