//! A machine that checks out and nothing else, and repositories made by git.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use gix_hash::ObjectId;
use resume_runtime::{
    Context, Resumable, Scheduler, Start, Step, StepError, StepResult, Stopped, Transition,
    path_text,
};
use serde::{Deserialize, Serialize};

use super::super::{Advance, Checkout, CheckoutError, Plan, Written, install_index, write_index};
use crate::core::database::MugDb;

/// Runs git without the user's configuration; gives what it printed.
pub(super) fn git(dir: &Path, args: &[&str]) -> String {
    git_fed(dir, args, b"")
}

/// The same, with something on its standard input.
pub(super) fn git_fed(dir: &Path, args: &[&str], input: &[u8]) -> String {
    let mut command = Command::new("git");
    command
        .current_dir(dir)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env_remove("GIT_DIR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for who in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{who}_NAME"), "A U Thor")
            .env(format!("GIT_{who}_EMAIL"), "author@example.com")
            .env(format!("GIT_{who}_DATE"), "1700000000 +0000");
    }
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A new repository in `dir`.
pub(super) fn init(dir: &Path) -> PathBuf {
    let repo = dir.join("repo");
    fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "-q", "-b", "main"]);
    repo
}

/// Commits everything.
pub(super) fn commit(repo: &Path) {
    git(repo, &["add", "-A"]);
    git(repo, &["commit", "-qm", "all"]);
}

/// What to check out: the `HEAD` of a repository without files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Input {
    #[serde(with = "path_text")]
    pub(super) worktree: PathBuf,
    pub(super) tree: String,
}

impl Input {
    /// The tree of `HEAD` in the clone at `worktree`.
    pub(super) fn of_head(worktree: &Path) -> Self {
        Self {
            worktree: worktree.to_owned(),
            tree: git(worktree, &["rev-parse", "HEAD^{tree}"])
                .trim()
                .to_owned(),
        }
    }

    fn git_dir(&self) -> PathBuf {
        self.worktree.join(".git")
    }
}

#[derive(Default)]
pub(super) struct Env {
    pub(super) threads: usize,
    pub(super) staged: Arc<AtomicU64>,
}

impl Env {
    fn plan(&self, input: &Input) -> Plan {
        let options = gix::open::Options::isolated();
        let repository = gix::open_opts(&input.worktree, options).unwrap();
        let tree = ObjectId::from_hex(input.tree.as_bytes()).unwrap();
        let mut plan = Plan::new(
            repository.into_sync(),
            tree,
            input.worktree.clone(),
            input.git_dir().join("scratch"),
        );
        plan.threads = self.threads.max(1);
        plan.staged = Arc::clone(&self.staged);
        plan
    }
}

#[derive(Debug, Resumable)]
#[resumable(kind = "test-checkout", version = 1, input = Input, output = Written, env = Env)]
pub(super) enum Machine {
    #[step(start, effect)]
    Files(Files),
    #[step]
    Index(Index),
    #[step(effect)]
    Install(Install),
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Files {
    checkout: Checkout,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Index {
    written: Written,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Install {
    written: Written,
}

fn step(error: CheckoutError) -> StepError {
    match error {
        CheckoutError::Refused(refusal) => StepError::fatal(refusal),
        CheckoutError::Step(error) => error,
    }
}

impl Step<Machine> for Files {
    async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
        cx.blocking(move |b| {
            let advance = self
                .checkout
                .advance(b, |b| Ok(b.env().plan(b.input())))
                .map_err(step)?;
            match advance {
                Advance::More(checkout) => Transition::to(Self { checkout }),
                Advance::Done(written) => Transition::to(Index { written }),
            }
        })
        .await
    }
}

impl Step<Machine> for Index {
    async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
        cx.blocking(move |b| {
            let plan = b.env().plan(b.input());
            write_index(b, &plan).map_err(step)?;
            Transition::to(Install {
                written: self.written,
            })
        })
        .await
    }
}

impl Step<Machine> for Install {
    async fn run(self, cx: &mut Context<'_, Machine>) -> StepResult<Machine> {
        cx.blocking(move |b| {
            install_index(b, &b.input().git_dir().join("index"))?;
            Transition::done(self.written)
        })
        .await
    }
}

/// Checks out; on a store beside the working tree.
pub(super) async fn check_out(input: Input) -> Result<Written, Stopped> {
    let store = input.worktree.with_extension("store");
    let scheduler = Scheduler::builder(MugDb::open(&store).unwrap().into())
        .register::<Machine>(|_| {
            Ok(Env {
                threads: 3,
                ..Env::default()
            })
        })
        .build();
    let handle = scheduler.start::<Machine>(input, Start::new()).await;
    handle.unwrap().await
}

/// Everything in a working tree: modes, and content or the target of a link.
pub(super) fn tree(dir: &Path) -> BTreeMap<Vec<u8>, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    walk(dir, dir, &mut found);
    found
}

fn walk(top: &Path, dir: &Path, found: &mut BTreeMap<Vec<u8>, (u32, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path == top.join(".git") {
            continue;
        }
        let meta = path.symlink_metadata().unwrap();
        let content = if meta.is_symlink() {
            fs::read_link(&path)
                .unwrap()
                .as_os_str()
                .as_bytes()
                .to_vec()
        } else if meta.is_dir() {
            walk(top, &path, found);
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        let name = path.strip_prefix(top).unwrap().as_os_str().as_bytes();
        found.insert(name.to_vec(), (meta.mode(), content));
    }
}
