//! `mug rebase` and `mug merge` beside git, as whole processes, in alternating pairs.
//!
//! ```text
//! cargo bench -p mug --bench history -- [<repository>...] [--pairs N] [--only PART,...]
//! ```
//!
//! | part | mug | beside |
//! |---|---|---|
//! | `bare` | `rebase` of 1,000 linear commits, bare | `git replay --onto` |
//! | `tree` | the same with a working tree | `git rebase` |
//! | `merge` | `merge` that touches thousands of paths, in each repository | `git merge` |
//! | `pause` | from Ctrl-C to the end of the process, in milliseconds | |
//!
//! The first two and the last make their own repository; `merge` takes two commits of each that is given
//! (bare or not; never changed), as far apart on the first parents as it takes for 2,000 paths. Prints
//! median and spread, and the ratios pair by pair.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Arguments, Pairs, copy, row, run};
use rustix::process::{Pid, Signal, kill_process};

/// Commits that are rebased.
const COMMITS: usize = 1_000;
/// As many for a rebase that is long enough to be paused.
const MANY: usize = 10_000;
/// Files that there are.
const FILES: usize = 1_000;
/// Paths that a merge touches, if the repository has so many.
const PATHS: usize = 2_000;

struct Bench {
    scratch: PathBuf,
    pairs: usize,
}

impl Bench {
    fn fresh(&self, name: &str) -> PathBuf {
        let path = self.scratch.join(name);
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    fn command(&self, program: &str, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(dir)
            .env("XDG_STATE_HOME", self.scratch.join("state"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_EDITOR", "true");
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "A U Thor")
                .env(format!("GIT_{who}_EMAIL"), "author@example.com");
        }
        command
    }

    fn mug(&self, dir: &Path) -> Command {
        self.command(env!("CARGO_BIN_EXE_mug"), dir)
    }

    fn git(&self, dir: &Path, args: &[&str]) -> String {
        let output = self.command("git", dir).args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A copy whose index knows its files.
    fn copy(&self, from: &Path, name: &str) -> PathBuf {
        let to = self.fresh(name);
        copy(from, &to);
        if to.join(".git").exists() {
            self.git(&to, &["update-index", "-q", "--refresh"]);
        }
        to
    }

    /// Runs both in turn, each on a copy of its own, and who goes first takes turns.
    fn beside(&self, title: &str, from: &Path, mug: &[&str], git: &[&str], same: &[&str]) {
        let ours = || {
            let dir = self.copy(from, "ours");
            (run(self.mug(&dir).args(mug)), self.git(&dir, same))
        };
        let theirs = || {
            let dir = self.copy(from, "theirs");
            (
                run(self.command("git", &dir).args(git)),
                self.git(&dir, same),
            )
        };
        let pairs = Pairs::measure(title, self.pairs, ours, theirs);
        // `git replay` moves no branch.
        let same = git[0] == "replay" || pairs.0.iter().all(|pair| pair.0.1 == pair.1.1);
        assert!(same, "the results differ");
        pairs.compare("wall s", |it| it.0.wall);
        pairs.compare("CPU s", |it| it.0.cpu());
    }

    /// `main` has 20 commits, `side` so many, in other lines of the same files.
    fn generate(&self, name: &str, commits: usize, bare: bool) -> PathBuf {
        let repo = self.fresh(name);
        std::fs::create_dir(&repo).unwrap();
        let kind = if bare { "--bare" } else { "--quiet" };
        self.git(&repo, &["init", "-q", "-b", "main", kind]);
        let path = |file: usize| format!("dir-{}/sub-{}/file-{file}", file % 20, file % 7);
        let mut stream = String::new();
        let mut mark = 0;
        let mut commit = |branch: &str, from: Option<&str>, files: &[(String, String)]| {
            mark += 1;
            let said = format!("{branch} {mark}\n\nbody\n");
            let _ = write!(
                stream,
                "commit refs/heads/{branch}\nmark :{mark}\n\
                 committer A U Thor <author@example.com> {} +0000\ndata {}\n{said}\n",
                1_600_000_000 + mark,
                said.len()
            );
            if let Some(from) = from {
                let _ = writeln!(stream, "from {from}");
            }
            for (path, text) in files {
                let _ = write!(
                    stream,
                    "M 100644 inline {path}\ndata {}\n{text}\n",
                    text.len()
                );
            }
        };
        let all: Vec<_> = (0..FILES)
            .map(|n| (path(n), text(&BTreeMap::new())))
            .collect();
        commit("main", None, &all);
        for number in 0..20 {
            let changed = BTreeMap::from([(2, number)]);
            let from = (number == 0).then_some(":1");
            commit("main", from, &[(path(number), text(&changed))]);
        }
        let mut changed = vec![BTreeMap::new(); 200];
        for number in 0..commits {
            let file = number % 200;
            changed[file].insert(10 + number / 200 % 45, number);
            let from = (number == 0).then_some(":1");
            commit("side", from, &[(path(file), text(&changed[file]))]);
        }
        let input = self.scratch.join("stream");
        std::fs::write(&input, stream).unwrap();
        let status = self
            .command("git", &repo)
            .args(["fast-import", "--quiet"])
            .stdin(std::fs::File::open(input).unwrap())
            .status();
        assert!(status.unwrap().success());
        if !bare {
            self.git(&repo, &["checkout", "-q", "side"]);
        }
        repo
    }

    /// A repository whose HEAD is to be merged with a commit far away, in 2,000 paths.
    fn distant(&self, repository: &Path) -> PathBuf {
        let repo = self.fresh("distant");
        let from = repository.to_str().unwrap();
        let to = repo.to_str().unwrap();
        let clone = ["clone", "-q", "--shared", "--no-checkout", from, to];
        self.git(&self.scratch, &clone);
        let history = ["rev-list", "--first-parent", "HEAD"];
        let history = self.git(&repo, &history);
        let history: Vec<&str> = history.lines().collect();
        let paths = |at: usize| {
            let names = self.git(&repo, &["diff", "--name-only", history[at], "HEAD"]);
            names.lines().count()
        };
        let mut at = 1;
        while at * 2 < history.len() && paths(at) < PATHS {
            at *= 2;
        }
        println!("a merge of {} paths", paths(at));
        self.git(&repo, &["branch", "theirs", "HEAD"]);
        self.git(&repo, &["checkout", "-q", "-b", "ours", history[at]]);
        std::fs::write(repo.join("a-file-of-ours"), "ours\n").unwrap();
        self.git(&repo, &["add", "a-file-of-ours"]);
        self.git(&repo, &["commit", "-q", "-m", "ours"]);
        repo
    }

    /// How long a rebase takes to end once it is asked to pause, at moments all over it.
    fn pause(&self) {
        let from = self.generate("many", MANY, false);
        let mut latencies = Vec::new();
        for number in 0..self.pairs {
            let dir = self.copy(&from, "paused");
            let mut child = self
                .mug(&dir)
                .args(["rebase", "main"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(300 + 200 * number as u64));
            let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
            let asked = Instant::now();
            kill_process(pid, Signal::INT).unwrap();
            let status = child.wait().unwrap();
            // One that had come to its end says nothing of pauses.
            if !status.success() {
                latencies.push(asked.elapsed().as_secs_f64() * 1e3);
            }
        }
        println!("{} pauses of a rebase of {MANY} commits", latencies.len());
        if latencies.is_empty() {
            return;
        }
        let longest = latencies.iter().copied().fold(0.0, f64::max);
        row("from SIGINT to the end ms", latencies);
        row("the longest ms", [longest]);
    }
}

/// A text of numbered lines, some of them changed.
fn text(changed: &BTreeMap<usize, usize>) -> String {
    let mut out = String::new();
    for line in 0..60 {
        let _ = match changed.get(&line) {
            Some(by) => writeln!(out, "line {line} changed by {by}"),
            None => writeln!(out, "line {line}"),
        };
    }
    out
}

fn main() {
    let args = Arguments::read("-p mug --bench history");
    let scratch = tempfile::tempdir().unwrap();
    let bench = Bench {
        scratch: scratch.path().to_owned(),
        pairs: args.pairs,
    };
    if args.wants("bare") {
        let from = bench.generate("bare", COMMITS, true);
        let mug = ["rebase", "main", "side"];
        let git = ["replay", "--onto", "main", "main..side"];
        bench.beside(
            "rebase beside replay",
            &from,
            &mug,
            &git,
            &["rev-parse", "main"],
        );
    }
    if args.wants("tree") {
        let from = bench.generate("tree", COMMITS, false);
        let same = ["log", "--format=%T %an %s", "main..side"];
        let both = ["rebase", "main"];
        bench.beside("rebase with a working tree", &from, &both, &both, &same);
    }
    if args.wants("merge") {
        for repository in &args.repositories {
            println!("== {}", repository.display());
            let from = bench.distant(repository);
            let mug = ["merge", "theirs"];
            let git = ["merge", "-q", "--no-edit", "theirs"];
            bench.beside("merge", &from, &mug, &git, &["rev-parse", "HEAD^{tree}"]);
        }
    }
    if args.wants("pause") {
        bench.pause();
    }
}
