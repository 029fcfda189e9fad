//! The operation.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use gix_hash::ObjectId;
use resume_runtime::{Blocking, Resumable, path_text};
use serde::{Deserialize, Serialize};

use super::steps::{
    Check, Connect, Files, Join, Publish, Receive, Refs, Relist, Resolve, TreeIndex,
};
use crate::checkout::Written;
use crate::core::database::STORE_NAME;
use crate::pack::restore::publish::Target;
use crate::transfer::connection::{Address, Download, Service, Session, Settings};
use crate::transfer::obtain::{OpenFile, Part, Said, Server, Source, Wanted};
use crate::transfer::refs::{CloneOptions, Committer};
use crate::transfer::text;

/// The machine's name in the records of operations.
pub const KIND: &str = "clone";

/// What to clone, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// What is asked for; its URL has no password.
    pub options: CloneOptions,
    /// The new repository, an absolute path.
    #[serde(with = "path_text")]
    pub target: PathBuf,
    /// Whether the directory was there before, and empty.
    #[serde(default)]
    pub existed: bool,
    /// Whether to ask for history first and for blobs in batches, instead of for all at once.
    #[serde(default)]
    pub staged: bool,
}

impl Input {
    /// The new repository.
    pub fn target(&self) -> Target {
        Target {
            path: self.target.clone(),
            bare: self.options.is_bare(),
        }
    }

    /// Its Git directory.
    pub fn git_dir(&self) -> PathBuf {
        self.target().git_dir()
    }
}

/// What was cloned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The objects that came.
    pub objects: u64,
    /// The refs that were written.
    pub refs: u64,
    /// The commit that `HEAD` leads to; none where its branch is unborn.
    #[serde(
        with = "text::maybe_oid",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub head: Option<ObjectId>,
    /// What was written of a working tree; none where there is none.
    #[serde(default)]
    pub written: Option<Written>,
    /// Why the working tree was not written at all, if it could not be. The repository is complete
    /// without it.
    #[serde(default)]
    pub no_tree: Option<String>,
    /// What else the user should know, in sentences.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// What a process needs to clone.
pub struct Env {
    /// The server.
    pub server: Server,
    /// How many threads to use.
    pub threads: usize,
    /// How often in a row nothing may be gained before the run ends.
    pub tries: u32,
    /// Who writes reflogs; the user by default.
    pub committer: Option<Committer>,
    /// Told in the end how many bytes of packs came over the line, over all attempts.
    pub received: Arc<AtomicU64>,
    /// Counts the files that are staged.
    #[cfg(test)]
    pub(super) staged: Arc<AtomicU64>,
}

impl Env {
    /// A process with this server.
    pub fn new(server: Server, threads: usize, tries: u32) -> Self {
        Self {
            server,
            threads: threads.max(1),
            tries,
            committer: None,
            received: Arc::default(),
            #[cfg(test)]
            staged: Arc::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn count_staged(&self, plan: &mut crate::checkout::Plan) {
        plan.staged = Arc::clone(&self.staged);
    }
}

/// The server at an address, for an [`Env`]; `tell` is told what the user may want to know.
pub fn server(
    address: Address,
    settings: Settings,
    tell: impl Fn(Said<'_>) + Send + Sync + 'static,
) -> Server {
    let bundles = settings.takes_bundles();
    let (of, with) = (address.clone(), settings.clone());
    let file = move |wanted: &Wanted<'_>, interrupt: &Arc<AtomicBool>| {
        let address = of.of_file(wanted.uri, &with)?;
        let (from, validator) = (wanted.from, wanted.validator);
        let file = Download::open(&address, &with, interrupt, from, validator)?;
        Ok(Part {
            from: file.from(),
            validator: file.validator().map(str::to_owned),
            bytes: Box::new(file),
        })
    };
    Server {
        dial: Arc::new(move |interrupt| {
            let session = Session::open(&address, Service::UploadPack, &settings, interrupt)?;
            Ok(Box::new(session) as Box<dyn Source>)
        }),
        file: bundles.then(|| Arc::new(file) as Arc<OpenFile>),
        tell: Arc::new(tell),
    }
}

/// Clones a repository.
#[derive(Debug, Resumable)]
#[resumable(kind = "clone", version = 1, input = Input, output = Output, env = Env)]
pub enum Cloning {
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
    /// Makes one pack of many.
    #[step]
    Join(Join),
    /// Lists the refs again.
    #[step]
    Relist(Relist),
    /// Moves the packs into the new repository.
    #[step(effect)]
    Publish(Publish),
    /// Writes the working tree.
    #[step(effect)]
    Files(Files),
    /// Writes its index.
    #[step]
    TreeIndex(TreeIndex),
    /// Writes configuration and refs, and `HEAD` last.
    #[step(effect)]
    Refs(Refs),
}

/// The operation's own directory on the new repository's file system.
pub(super) fn own_dir(b: &Blocking<Cloning>) -> PathBuf {
    own_dir_of(b.input(), b.id())
}

/// The same for the operation `id`.
pub(super) fn own_dir_of(input: &Input, id: &str) -> PathBuf {
    input.git_dir().join(STORE_NAME).join("ops").join(id)
}

/// Where the new repository has its packs.
pub(super) fn packs_of(git_dir: &Path) -> PathBuf {
    git_dir.join("objects/pack")
}
