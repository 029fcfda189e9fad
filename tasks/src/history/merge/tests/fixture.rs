//! Two histories to merge, and the operation run on them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gix::bstr::BString;
use resume_runtime::{Database, Scheduler, Start, StepError, Stopped};

use super::super::{Env, Input, Merge, Output};
use crate::history::engine::Favor;
use crate::history::testing::{command, files, git, init};

/// A repository that makes commits with the same dates as git does in tests.
pub(super) fn repository(dir: &Path) -> PathBuf {
    let repo = init(dir);
    for key in ["authorDate", "committerDate"] {
        let key = format!("gitoxide.commit.{key}");
        git(&repo, &["config", &key, "1700000000 +0000"]);
    }
    repo
}

pub(super) fn input(repo: &Path, commit: &str) -> Input {
    Input {
        repository: repo.join(".git"),
        commit: BString::from(commit),
        fast_forward: None,
        squash: false,
        no_commit: false,
        message: None,
        favor: Favor::Neither,
        allow_unrelated: false,
    }
}

/// Where operations are kept.
pub(super) struct Store {
    database: Database,
    folder: tempfile::TempDir,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            database: Database::in_memory().unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn drive(&self, abort: bool, what: Result<Input, &str>) -> (String, Result<Output, StepError>) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let scheduler = Scheduler::builder(self.database.clone())
                .folder(self.folder.path())
                .register::<Merge>(move |_| Ok(Env { abort }))
                .build();
            let handle = match what {
                Ok(input) => scheduler.start::<Merge>(input, Start::new()).await.unwrap(),
                Err(id) => scheduler.resume::<Merge>(id).unwrap(),
            };
            let id = handle.id().to_owned();
            let result = match handle.await {
                Ok(output) => Ok(output),
                Err(Stopped::NeedsUser { error, .. } | Stopped::Failed { error, .. }) => Err(error),
                Err(other) => panic!("{other}"),
            };
            (id, result)
        })
    }

    /// Begins a merge.
    pub(super) fn start(&self, input: Input) -> (String, Result<Output, StepError>) {
        self.drive(false, Ok(input))
    }

    /// Goes on with it.
    pub(super) fn resume(&self, id: &str) -> Result<Output, StepError> {
        self.drive(false, Err(id)).1
    }

    /// Gives it up.
    pub(super) fn abort(&self, id: &str) -> Result<Output, StepError> {
        self.drive(true, Err(id)).1
    }
}

/// All that can be seen of a repository, but for what is mug's own.
pub(super) fn seen(repo: &Path) -> BTreeMap<String, String> {
    let mut seen: BTreeMap<String, String> = files(repo)
        .into_iter()
        .map(|(path, file)| (format!("file {path}"), format!("{file:?}")))
        .collect();
    for name in [
        "HEAD",
        "MERGE_HEAD",
        "MERGE_MSG",
        "MERGE_MODE",
        "ORIG_HEAD",
        "AUTO_MERGE",
        "SQUASH_MSG",
    ] {
        let content = fs::read(repo.join(".git").join(name)).ok();
        let content = content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        seen.insert(name.to_owned(), format!("{content:?}"));
    }
    for args in [
        &["ls-files", "-s"][..],
        &["status", "--porcelain=v2", "--branch"],
        &["diff-files"],
        &["reflog", "--all"],
        &["for-each-ref"],
        &["cat-file", "-p", "HEAD"],
    ] {
        let output = command(repo, args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        seen.insert(format!("git {}", args.join(" ")), said);
    }
    seen
}

/// A copy of a repository, the stat data of its index mended.
pub(super) fn copy(repo: &Path, to: &Path) {
    let status = std::process::Command::new("cp")
        .args(["-a".as_ref(), repo.as_os_str(), to.as_os_str()])
        .status()
        .unwrap();
    assert!(status.success());
    git(to, &["status"]);
}
