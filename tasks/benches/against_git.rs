//! `mug pack` beside git, as whole processes, in alternating pairs.
//!
//! ```text
//! cargo bench -p mug --bench against_git -- <repository>... [--pairs N]
//! ```
//!
//! For each repository (bare or not; never changed), in turn: `mug pack create`
//! and `git repack -adf` of a fresh copy, then `mug pack create` and `git bundle
//! create`, then `mug pack restore` and `git clone` of a bundle, then `mug pack
//! verify --full` and `git fsck --full` of the restored repository. Prints median
//! and spread of user CPU, wall and anonymous memory, the ratios pair by pair,
//! the sizes, and what `mug` waited for commits.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// One run of a process, with what it started.
#[derive(Clone, Copy)]
struct Run {
    wall: f64,
    user: f64,
    /// The largest anonymous resident memory seen, in MiB.
    anonymous: f64,
}

fn children_user() -> f64 {
    let time = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().user_time();
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

/// Anonymous memory of a process and its children, in MiB.
fn anonymous(pid: u32) -> f64 {
    let of = |pid: &str| -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
            .map_or(0.0, |kib| kib / 1024.0)
    };
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    of(&pid.to_string())
        + children
            .unwrap_or_default()
            .split_whitespace()
            .map(of)
            .sum::<f64>()
}

fn run(command: &mut Command) -> Run {
    let before = children_user();
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak: f64 = 0.0;
    let status = loop {
        peak = peak.max(anonymous(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let wall = start.elapsed().as_secs_f64();
    assert!(status.success(), "{command:?}: {status}");
    Run {
        wall,
        user: children_user() - before,
        anonymous: peak,
    }
}

fn median(values: impl IntoIterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    (values[middle], values[0], values[values.len() - 1])
}

fn row(name: &str, values: impl IntoIterator<Item = f64>) {
    let (median, least, most) = median(values);
    println!("  {name:<34} {median:>9.3}  ({least:.3} to {most:.3})");
}

fn compare(title: &str, pairs: &[(Run, Run)]) {
    println!("{title}, {} pairs: median (spread)", pairs.len());
    row("mug user CPU s", pairs.iter().map(|p| p.0.user));
    row("git user CPU s", pairs.iter().map(|p| p.1.user));
    row(
        "user CPU, mug / git",
        pairs.iter().map(|p| p.0.user / p.1.user),
    );
    row("mug wall s", pairs.iter().map(|p| p.0.wall));
    row("git wall s", pairs.iter().map(|p| p.1.wall));
    row("wall, mug / git", pairs.iter().map(|p| p.0.wall / p.1.wall));
    row(
        "mug anonymous memory MiB",
        pairs.iter().map(|p| p.0.anonymous),
    );
    row(
        "git anonymous memory MiB",
        pairs.iter().map(|p| p.1.anonymous),
    );
}

fn size(dir: &Path) -> u64 {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                size(&entry.path())
            } else {
                entry.metadata().unwrap().len()
            }
        })
        .sum()
}

fn git() -> Command {
    let mut git = Command::new("git");
    git.env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null");
    git
}

struct Bench {
    repo: PathBuf,
    scratch: PathBuf,
    pairs: usize,
}

impl Bench {
    fn fresh(&self, name: &str) -> PathBuf {
        let path = self.scratch.join(name);
        let _ = std::fs::remove_dir_all(&path);
        let _ = std::fs::remove_file(&path);
        path
    }

    fn mug(&self) -> Command {
        let mut mug = Command::new(env!("CARGO_BIN_EXE_mug"));
        mug.env("XDG_STATE_HOME", self.scratch.join("state"));
        mug
    }

    /// A copy with every file of its own, as found, below `scratch`.
    fn copy(&self, name: &str) -> PathBuf {
        let to = self.fresh(name);
        let status = Command::new("cp")
            .arg("-r")
            .arg(&self.repo)
            .arg(&to)
            .status();
        assert!(status.unwrap().success());
        to
    }

    fn create(&self, repo: &Path) -> Run {
        let out = self.fresh("out");
        run(self
            .mug()
            .arg("-C")
            .arg(repo)
            .args(["pack", "create"])
            .arg(out))
    }

    fn all(&self) {
        println!("== {}", self.repo.display());
        let source = self.copy("source.git");
        let pairs: Vec<_> = (0..self.pairs)
            .map(|_| {
                let ours = self.create(&source);
                let copy = self.copy("repack.git");
                let theirs = run(git().arg("-C").arg(copy).args(["repack", "-adf"]));
                (ours, theirs)
            })
            .collect();
        compare("create against repack -adf", &pairs);
        let packs = |repo: &Path| {
            let objects = [repo.join("objects/pack"), repo.join(".git/objects/pack")];
            objects
                .iter()
                .filter(|dir| dir.is_dir())
                .map(|dir| size(dir))
                .sum::<u64>() as f64
        };
        let (out, found) = (self.scratch.join("out"), packs(&source));
        let repacked = packs(&self.scratch.join("repack.git"));
        let ours = size(&out) as f64;
        println!(
            "  sizes with index: pack directory {:.1} MB, git packs as found {:.1} MB, repacked {:.1} MB",
            ours / 1e6,
            found / 1e6,
            repacked / 1e6
        );
        println!(
            "  ratio: {:.3} of the packs as found, {:.3} of the repacked",
            ours / found,
            ours / repacked
        );
        self.waiting(&source);

        let bundle = self.scratch.join("all.bundle");
        let pairs: Vec<_> = (0..self.pairs)
            .map(|_| {
                let ours = self.create(&source);
                let theirs = run(git()
                    .arg("-C")
                    .arg(&source)
                    .args(["bundle", "create"])
                    .arg(&bundle)
                    .args(["--branches", "--tags"]));
                (ours, theirs)
            })
            .collect();
        compare("create against bundle create", &pairs);

        let pairs: Vec<_> = (0..self.pairs)
            .map(|_| {
                let target = self.fresh("restored.git");
                let ours = run(self
                    .mug()
                    .args(["pack", "restore"])
                    .arg(&out)
                    .arg(target)
                    .arg("--bare"));
                let target = self.fresh("cloned.git");
                let theirs = run(git().args(["clone", "--bare"]).arg(&bundle).arg(target));
                (ours, theirs)
            })
            .collect();
        compare("restore against clone of a bundle", &pairs);
        self.verify(&out);
    }

    /// The same objects on both sides: fsck looks at the repository that was restored.
    fn verify(&self, out: &Path) {
        let restored = self.scratch.join("restored.git");
        let pairs: Vec<_> = (0..self.pairs)
            .map(|_| {
                let ours = run(self.mug().args(["pack", "verify", "--full"]).arg(out));
                let theirs = run(git().arg("-C").arg(&restored).args(["fsck", "--full"]));
                (ours, theirs)
            })
            .collect();
        compare("verify --full against fsck --full", &pairs);
    }

    /// What the record of the last creation says of its time.
    fn waiting(&self, repo: &Path) {
        let list = self
            .mug()
            .arg("-C")
            .arg(repo)
            .args(["resume", "list", "--json"])
            .output();
        let list: serde_json::Value = serde_json::from_slice(&list.unwrap().stdout).unwrap();
        let timings = list.as_array().unwrap().iter().map(|op| {
            let ms = |name: &str| op["timing"][name].as_f64().unwrap();
            ms("waited_ms") / ms("driven_ms").max(1.0)
        });
        row("waiting for commits, share of wall", timings);
    }
}

fn main() {
    let mut pairs = 7;
    let mut repos = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--pairs" => pairs = args.next().unwrap().parse().unwrap(),
            // What cargo adds.
            "--bench" => {}
            _ => repos.push(std::fs::canonicalize(arg).unwrap()),
        }
    }
    if repos.is_empty() {
        println!("give repositories: cargo bench -p mug --bench against_git -- <repository>...");
    }
    for repo in repos {
        let scratch = tempfile::tempdir().unwrap();
        Bench {
            repo,
            scratch: scratch.path().to_owned(),
            pairs,
        }
        .all();
    }
}
