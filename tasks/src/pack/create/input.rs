//! What the operation is asked to do, and whether it can be done at all.

use std::{
    fs, io,
    num::NonZero,
    path::{Path, PathBuf},
};

use resume_runtime::path_text;
use serde::{Deserialize, Serialize};

use super::{CreateError, dates::Dates};
use crate::pack::{
    format::{MANIFEST_NAME, PackDir, Refs},
    select::{Pattern, Repository, Selection},
    source::{Directories, SourceError, SourceList},
};

/// What to pack, and where to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Input {
    /// The repository's Git directory, absolute; that of a linked worktree does too.
    #[serde(with = "path_text")]
    pub repository: PathBuf,
    /// The directory to make, absolute; it may exist if it is empty, or a pack, to which a layer is
    /// added.
    #[serde(with = "path_text")]
    pub output: PathBuf,
    /// The refs to pack: names, short names or globs; empty for all.
    pub refs: Vec<Pattern>,
    /// Refs to leave out whatever else chooses them: names, short names or globs.
    #[serde(default)]
    pub exclude: Vec<Pattern>,
    /// Seconds since 1970: refs whose commit is older are left out.
    #[serde(default)]
    pub since: Option<i64>,
    /// Whether frames are large and compressed hard: slower to make and to read, and smaller.
    #[serde(default)]
    pub small: bool,
    /// Whether objects that a partial clone lacks, because its remote has promised them, are left
    /// out; otherwise they are an error.
    #[serde(default)]
    pub allow_promised: bool,
    /// The directory of the repository's own objects, absolute, where it is not the usual one.
    #[serde(default, with = "optional_path")]
    pub objects: Option<PathBuf>,
    /// Further object directories, absolute, besides those that the repository names.
    #[serde(default, with = "paths")]
    pub alternates: Vec<PathBuf>,
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
    pub fn check(&self) -> Result<Vec<String>, CreateError> {
        let repository = self.check_for(None)?;
        self.choose(&repository)?;
        self.remarks(&repository)
    }

    /// What the user may not expect.
    pub(super) fn remarks(&self, repository: &Repository) -> Result<Vec<String>, CreateError> {
        let mut remarks = repository.remarks(&self.selection())?;
        for absent in self.directories(repository)?.absent {
            remarks.push(format!(
                "the alternate {} is no directory; objects are taken from the others",
                absent.display()
            ));
        }
        Ok(remarks)
    }

    /// The chosen refs, as they are now.
    pub(super) fn choose(&self, repository: &Repository) -> Result<Refs, CreateError> {
        let find = || SourceList::find_in(self.directories(repository)?.present);
        let mut dates = Dates::new(&find);
        Ok(repository.select(&self.selection(), |id| dates.of(id))?)
    }

    fn selection(&self) -> Selection {
        Selection {
            names: self.refs.clone(),
            exclude: self.exclude.clone(),
            since: self.since,
        }
    }

    /// Where the repository's objects are.
    pub(super) fn directories(&self, repository: &Repository) -> Result<Directories, SourceError> {
        let own = self.objects.clone();
        let own = own.unwrap_or_else(|| repository.objects());
        Directories::find(&own, &self.alternates)
    }

    /// The same but for the refs, for the operation `own`; gives the repository.
    pub(super) fn check_for(&self, own: Option<&str>) -> Result<Repository, CreateError> {
        let more = self.objects.iter().chain(&self.alternates);
        for path in [&self.repository, &self.output].into_iter().chain(more) {
            if path.is_relative() {
                return Err(CreateError::Relative(path.clone()));
            }
        }
        self.check_output(own)?;
        Ok(Repository::open_shallow(&self.repository)?)
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

/// Some path, or none.
mod optional_path {
    use std::path::PathBuf;

    use serde::{Deserializer, Serializer};

    use super::paths;

    #[expect(clippy::ref_option, reason = "this is how serde hands it over")]
    pub(super) fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        paths::serialize(path.as_slice(), serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        paths::deserialize(deserializer).map(|paths| paths.into_iter().next())
    }
}

/// A list of paths.
mod paths {
    use std::path::PathBuf;

    use resume_runtime::path_text;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Text(#[serde(with = "path_text")] PathBuf);

    pub(super) fn serialize<S: Serializer>(
        paths: &[PathBuf],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(paths.iter().map(|path| Text(path.clone())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<PathBuf>, D::Error> {
        let paths = Vec::<Text>::deserialize(deserializer)?;
        Ok(paths.into_iter().map(|path| path.0).collect())
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
