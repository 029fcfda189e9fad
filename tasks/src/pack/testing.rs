//! Repositories for tests, made by the git binary: the oracle that packs are held against.
#![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A repository in a directory of its own, apart from any configuration of user or system.
pub(crate) struct GitRepo {
    root: PathBuf,
    git_dir: PathBuf,
    owned: Option<tempfile::TempDir>,
}

impl GitRepo {
    /// An empty repository on the branch `main`.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut repo = Self::below(dir.path());
        repo.owned = Some(dir);
        repo
    }

    /// The same, in a directory of the caller's.
    pub(crate) fn below(root: &Path) -> Self {
        let repo = Self {
            git_dir: root.join("repo/.git"),
            root: root.to_owned(),
            owned: None,
        };
        std::fs::create_dir(repo.path()).unwrap();
        repo.git(&["init", "-q", "-b", "main", "--template="]);
        // On several threads git finds other deltas each time.
        repo.git(&["config", "pack.threads", "1"]);
        repo
    }

    /// The working tree.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.join("repo")
    }

    /// A directory beside the repository, for whatever the test needs.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// What `git` prints.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = git_in(&self.path(), args);
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Commits everything in the working tree.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// A history of `commits` commits over some nested files that change a little each time.
    pub(crate) fn history(commits: usize) -> Self {
        let repo = Self::new();
        repo.grow(commits);
        repo
    }

    /// The history that [`history`](Self::history) makes.
    pub(crate) fn grow(&self, commits: usize) {
        for n in 0..commits {
            self.write("readme", lines("readme", n, 40));
            self.write(
                &format!("src/mod{}/file{}", n % 3, n % 5),
                lines("code", n, 200),
            );
            self.write(&format!("src/deep/er/{n}"), lines("note", n, 5));
            self.commit(&format!("change {n}"));
        }
    }

    /// The objects that git finds reachable from `revisions`.
    pub(crate) fn reachable(&self, revisions: &[&str]) -> BTreeSet<String> {
        let args = [
            &["rev-list", "--objects", "--no-object-names"],
            revisions,
            &["--"],
        ]
        .concat();
        self.git(&args).lines().map(str::to_owned).collect()
    }
}

/// Runs git, whether it succeeds or not.
pub(crate) fn git_in(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("git");
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("GIT_") {
            command.env_remove(variable);
        }
    }
    command
        .current_dir(dir)
        .args(["-c", "gc.auto=0", "-c", "protocol.file.allow=always"])
        .args(args)
        .envs([
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_NAME", "A U Thor"),
            ("GIT_AUTHOR_EMAIL", "author@example.com"),
            ("GIT_AUTHOR_DATE", "1700000000 +0000"),
            ("GIT_COMMITTER_NAME", "C O Mitter"),
            ("GIT_COMMITTER_EMAIL", "committer@example.com"),
            ("GIT_COMMITTER_DATE", "1700000000 +0000"),
        ])
        .output()
        .unwrap()
}

/// Text in which version `n` differs from its neighbours in a few lines.
pub(crate) fn lines(word: &str, n: usize, count: usize) -> String {
    let mut text = String::new();
    for line in 0..count {
        let version = if line % 17 == n % 17 { n } else { line };
        writeln!(text, "{word} {line} {}", version * 7919).unwrap();
    }
    text
}
