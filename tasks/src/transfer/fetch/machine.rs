//! The operation.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use resume_runtime::{Blocking, Resumable, StepError, path_text};
use serde::{Deserialize, Serialize};

use super::FetchError;
use super::steps::{Check, Connect, Publish, Receive, Refs, Relist, Resolve};
use crate::core::database::STORE_NAME;
use crate::transfer::obtain::{Obtained, Server};
use crate::transfer::refs::fetch::FetchOptions;
use crate::transfer::refs::{Committer, Objects};

/// The machine's name in the records of operations.
pub const KIND: &str = "fetch";

/// What to fetch, and into which repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What is asked for; a URL in it has no password.
    pub options: FetchOptions,
    /// The Git directory, that of the linked worktree where there is one; an absolute path.
    #[serde(with = "path_text")]
    pub git_dir: PathBuf,
    /// Where the remote is, for people and for `FETCH_HEAD`, without secrets.
    pub url: String,
    /// What the logs of refs begin with: `fetch origin`.
    pub action: String,
    /// Whether to ask for history first and for blobs in batches, instead of for all at once.
    #[serde(default)]
    pub staged: bool,
}

/// What was fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The objects that came.
    pub objects: u64,
    /// The bytes of packs that came over the line, over all attempts.
    pub bytes: u64,
    /// The refs that moved, or would have.
    pub moved: u64,
    /// The refs that did not, though they were to.
    pub failed: u64,
    /// What else the user should know, in sentences.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// How what became of the refs is told, and where to.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Whether refs are told that are up to date.
    pub verbose: bool,
    /// How wide a line should be; 80 if it is 0.
    pub columns: usize,
    /// The lines, in Git's words.
    pub lines: Arc<Mutex<Vec<String>>>,
}

impl Told {
    /// Takes the lines.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set(&self, lines: Vec<String>) {
        *self.lines.lock().unwrap_or_else(PoisonError::into_inner) = lines;
    }
}

/// What a process needs to fetch.
pub struct Env {
    /// The server.
    pub server: Server,
    /// How many threads to use.
    pub threads: usize,
    /// How often in a row nothing may be gained before the run ends.
    pub tries: u32,
    /// Who writes reflogs; whom the repository is configured for by default.
    pub committer: Option<Committer>,
    /// What became of the refs.
    pub told: Told,
    /// Whether what came over the line is left out of the result: it depends on what was cut off.
    #[cfg(test)]
    pub(super) uncounted: bool,
}

impl Env {
    /// A process with this server.
    pub fn new(server: Server, threads: usize, tries: u32, told: Told) -> Self {
        Self {
            server,
            threads: threads.max(1),
            tries,
            committer: None,
            told,
            #[cfg(test)]
            uncounted: false,
        }
    }

    /// What was got, as the result has it.
    #[cfg_attr(
        not(test),
        expect(clippy::unused_self, reason = "a test counts nothing")
    )]
    pub(super) fn counted(&self, obtained: Obtained) -> Obtained {
        #[cfg(test)]
        if self.uncounted {
            return Obtained::default();
        }
        obtained
    }
}

/// Fetches from a server.
#[derive(Debug, Resumable)]
#[resumable(kind = "fetch", version = 1, input = Input, output = Output, env = Env)]
pub enum Fetching {
    /// Lists the refs.
    #[step(start)]
    Connect(Connect),
    /// Takes objects.
    #[step]
    Receive(Receive),
    /// Makes packs of them.
    #[step]
    Resolve(Resolve),
    /// Looks for what is missing.
    #[step]
    Check(Check),
    /// Lists the refs again.
    #[step]
    Relist(Relist),
    /// Moves the packs into the repository.
    #[step(effect)]
    Publish(Publish),
    /// Moves the refs.
    #[step(effect)]
    Refs(Refs),
}

/// The repository, opened anew.
pub(super) fn open(git_dir: &Path) -> Result<gix::Repository, FetchError> {
    let refused = |reason: String| FetchError::Repository {
        path: git_dir.to_owned(),
        reason,
    };
    let repo = gix::open(git_dir).map_err(|error| refused(error.to_string()))?;
    if let Some(storage) = repo.config_snapshot().string("extensions.refStorage")
        && storage != "files"
    {
        return Err(refused(format!(
            "its refs are kept as {storage}, which is not supported"
        )));
    }
    if repo.object_hash() != gix_hash::Kind::Sha1 {
        let hash = repo.object_hash();
        return Err(refused(format!(
            "its objects are named by {hash}, which is not supported"
        )));
    }
    Ok(repo)
}

/// The operation's own directory on the repository's file system.
pub(super) fn own_dir(b: &Blocking<Fetching>, repo: &gix::Repository) -> PathBuf {
    repo.common_dir().join(STORE_NAME).join("ops").join(b.id())
}

/// Where the repository has its objects.
pub(super) fn objects_of(repo: &gix::Repository) -> PathBuf {
    repo.objects.store_ref().path().to_owned()
}

/// All objects: what was received and what was there.
pub(super) fn all_objects(
    b: &Blocking<Fetching>,
    repo: &gix::Repository,
) -> Result<Objects, StepError> {
    let own = own_dir(b, repo).join("objects");
    let place = if own.join("info/alternates").exists() {
        own
    } else {
        objects_of(repo)
    };
    Ok(Objects::at(&place)?)
}
