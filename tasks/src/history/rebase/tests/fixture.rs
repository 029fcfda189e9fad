//! Two copies of a repository: git rebases one, mug the other.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use resume_runtime::{Database, Scheduler, Start, StepError, Stopped};

use super::super::{Env, Input, Output, Rebase, Wish};
use crate::history::testing::{files, git, try_git};

/// Who commits in tests: git, too.
pub(super) const WHO: &str = "A U Thor <author@example.com> 1700000000 +0000";

/// A repository and its copy.
pub(super) struct Pair {
    _dir: tempfile::TempDir,
    /// For git.
    pub(super) git: PathBuf,
    /// For mug.
    pub(super) mug: PathBuf,
}

impl Pair {
    /// Two copies of what `make` makes in a directory, of which it gives the repository.
    pub(super) fn new(make: impl FnOnce(&Path) -> PathBuf) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let original = make(dir.path());
        let copy = |name: &str| {
            let to = dir.path().join(name);
            let done = Command::new("cp")
                .arg("-a")
                .arg(&original)
                .arg(&to)
                .status();
            assert!(done.unwrap().success());
            // Stat data are of the original.
            try_git(&to, &["update-index", "-q", "--refresh"]);
            to
        };
        Self {
            git: copy("git"),
            mug: copy("mug"),
            _dir: dir,
        }
    }

    /// Both rebase, to an end, and the results are the same.
    #[track_caller]
    pub(super) fn same(&self, args: &[&str]) -> Output {
        let done = try_git(&self.git, &[&["rebase"], args].concat());
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        let output = Run::new().start(input(&self.mug, args)).unwrap();
        self.assert_same();
        output
    }

    /// What was written down is the same.
    #[track_caller]
    pub(super) fn assert_said_alike(&self) {
        let said = |repo: &Path| fs::read_to_string(repo.join(".git/said")).unwrap();
        assert_eq!(said(&self.mug), said(&self.git));
    }

    /// Refs, logs, files and status are the same.
    #[track_caller]
    pub(super) fn assert_same(&self) {
        for args in [
            &["log", "-30", "--format=%T %an %ae %ad%n%cn %ce %cd%n%B"][..],
            &["log", "-30", "--format=raw"],
            &["for-each-ref"],
            &["rev-parse", "HEAD"],
            &["rev-parse", "--symbolic-full-name", "HEAD"],
            &["reflog", "-50", "--format=%H %gn %ge %gs"],
        ] {
            assert_eq!(git(&self.mug, args), git(&self.git, args), "{args:?}");
        }
        let fsck = git(&self.mug, &["fsck", "--no-dangling"]);
        assert_eq!(fsck, "");
        if self.mug.join(".git").exists() {
            assert_eq!(
                git(&self.mug, &["status", "--porcelain"]),
                git(&self.git, &["status", "--porcelain"])
            );
            assert_eq!(files(&self.mug), files(&self.git));
            let orig = |repo: &Path| fs::read_to_string(repo.join(".git/ORIG_HEAD")).ok();
            assert_eq!(orig(&self.mug), orig(&self.git));
            for left in [
                "rebase-merge",
                "REBASE_HEAD",
                "index.lock",
                "HEAD.lock",
                "mug/ops/op/refs",
            ] {
                assert!(!self.mug.join(".git").join(left).exists(), "{left}");
            }
        }
        if let Ok(branch) =
            String::from_utf8(try_git(&self.git, &["symbolic-ref", "-q", "HEAD"]).stdout)
        {
            let branch = branch.trim();
            if !branch.is_empty() {
                let log = ["reflog", "-5", "--format=%H %gs", branch];
                assert_eq!(git(&self.mug, &log), git(&self.git, &log));
            }
        }
    }
}

/// The input for `git rebase <args>`.
pub(super) fn input(repo: &Path, args: &[&str]) -> Input {
    let git_dir = if repo.join(".git").exists() {
        repo.join(".git")
    } else {
        repo.to_owned()
    };
    let mut input = Input {
        git_dir,
        ..Input::default()
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "--onto" => input.onto = args.next().map(|it| (*it).to_owned()),
            "--root" => input.root = true,
            "--autosquash" => input.autosquash = true,
            "-x" => input.exec.extend(args.next().map(|it| (*it).to_owned())),
            "--autostash" => input.autostash = Some(true),
            name if input.upstream.is_none() && !input.root => {
                input.upstream = Some(name.to_owned());
            }
            name => input.branch = Some(name.to_owned()),
        }
    }
    input
}

/// Hooks that write down what they are told, in `.git/said`.
pub(super) fn listen(repo: &Path, hooks: &[&str]) {
    for hook in hooks {
        let script = format!("#!/bin/sh\necho {hook} \"$@\" >> .git/said\ncat >> .git/said\n");
        let path = repo.join(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// An operation with its store.
pub(super) struct Run {
    db: Database,
    folder: tempfile::TempDir,
    pub(super) id: Option<String>,
}

impl Run {
    pub(super) fn new() -> Self {
        Self {
            db: Database::in_memory().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            id: None,
        }
    }

    pub(super) fn start(&mut self, input: Input) -> Result<Output, StepError> {
        self.drive(Some(input), Wish::Continue)
    }

    pub(super) fn go_on(&mut self, wish: Wish) -> Result<Output, StepError> {
        self.drive(None, wish)
    }

    fn drive(&mut self, input: Option<Input>, wish: Wish) -> Result<Output, StepError> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let scheduler = Scheduler::builder(self.db.clone())
                .folder(self.folder.path())
                .register::<Rebase>(move |_| Ok(env(wish)))
                .build();
            let handle = match (&self.id, input) {
                (_, Some(input)) => scheduler
                    .start::<Rebase>(input, Start::new())
                    .await
                    .unwrap(),
                (Some(id), None) => scheduler.resume::<Rebase>(id).unwrap(),
                (None, None) => panic!("nothing to go on with"),
            };
            self.id = Some(handle.id().to_owned());
            match handle.await {
                Ok(output) => Ok(output),
                Err(Stopped::NeedsUser { error, .. } | Stopped::Failed { error, .. }) => Err(error),
                Err(other) => panic!("{other}"),
            }
        })
    }
}

/// The environment of a test's process.
pub(super) fn env(wish: Wish) -> Env {
    Env {
        committer: Some(WHO.into()),
        ..Env::new(wish)
    }
}
