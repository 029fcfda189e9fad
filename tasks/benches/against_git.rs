//! `mug pack` beside git, as whole processes, in alternating pairs.
//!
//! ```text
//! cargo bench -p mug --bench against_git -- <repository>... [--pairs N] [--only PART,...]
//! ```
//!
//! For each repository (bare or not; never changed) these parts, or only those
//! that are named with `--only repack,bundle`:
//!
//! | part | `mug pack` | beside |
//! |---|---|---|
//! | `repack` | `create` | `git repack -adf` of a fresh copy; sizes; waiting for commits |
//! | `small` | `create --small`, its size | the same, once |
//! | `bundle` | `create` | `git bundle create --branches --tags` |
//! | `format` | `create --format git` | `git bundle create --branches --tags` |
//! | `clone` | `restore` | `git clone` of a bundle |
//! | `fsck` | `verify --full` | `git fsck --full` of what was restored |
//! | `layer` | `create` with ten commits more, into the pack | the first `create` |
//!
//! Prints median and spread of user CPU, wall and anonymous memory, and the ratios
//! pair by pair.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

mod common;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Arguments, Run, copy, row, run, size};

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

/// What the packs of a repository take.
fn packs(repo: &Path) -> f64 {
    let objects = [repo.join("objects/pack"), repo.join(".git/objects/pack")];
    let there = objects.iter().filter(|dir| dir.is_dir());
    there.map(|dir| size(dir)).sum::<u64>() as f64
}

fn git() -> Command {
    let mut git = Command::new("git");
    git.env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null");
    git
}

/// One comparison, on a copy of the repository.
type Part = fn(&Bench, &Path);

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
        copy(&self.repo, &to);
        to
    }

    fn create(&self, repo: &Path, to: &str, options: &[&str]) -> Run {
        let out = self.fresh(to);
        self.create_into(repo, &out, options)
    }

    fn create_into(&self, repo: &Path, out: &Path, options: &[&str]) -> Run {
        run(self
            .mug()
            .arg("-C")
            .arg(repo)
            .args(["pack", "create"])
            .args(options)
            .arg(out))
    }

    fn pairs(&self, mut pair: impl FnMut() -> (Run, Run)) -> Vec<(Run, Run)> {
        (0..self.pairs).map(|_| pair()).collect()
    }

    fn all(&self, args: &Arguments) {
        println!("== {}", self.repo.display());
        let source = self.copy("source.git");
        let parts: [(&str, Part); 7] = [
            ("repack", Self::repack),
            ("small", Self::small),
            ("bundle", Self::bundle),
            ("format", Self::format),
            ("clone", Self::clone),
            ("fsck", Self::fsck),
            ("layer", Self::layer),
        ];
        for (name, part) in parts {
            if args.wants(name) {
                part(self, &source);
            }
        }
    }

    fn repacked(&self) -> PathBuf {
        self.scratch.join("repack.git")
    }

    fn run_repack(&self) -> Run {
        self.copy("repack.git");
        run(git()
            .arg("-C")
            .arg(self.repacked())
            .args(["repack", "-adf"]))
    }

    fn repack(&self, source: &Path) {
        let pairs = self.pairs(|| (self.create(source, "out", &[]), self.run_repack()));
        compare("create against repack -adf", &pairs);
        self.sizes(source, "out");
        self.waiting(source);
    }

    fn small(&self, source: &Path) {
        if !self.repacked().exists() {
            self.run_repack();
        }
        let small = self.create(source, "small", &["--small"]);
        println!(
            "create --small: user CPU {:.3} s, wall {:.3} s",
            small.user, small.wall
        );
        self.sizes(source, "small");
    }

    fn sizes(&self, source: &Path, out: &str) {
        let (found, repacked) = (packs(source), packs(&self.repacked()));
        let ours = size(&self.scratch.join(out)) as f64;
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
    }

    fn run_bundle(&self, source: &Path) -> Run {
        run(git()
            .arg("-C")
            .arg(source)
            .args(["bundle", "create"])
            .arg(self.scratch.join("all.bundle"))
            .args(["--branches", "--tags"]))
    }

    fn bundle(&self, source: &Path) {
        let pairs = self.pairs(|| (self.create(source, "out", &[]), self.run_bundle(source)));
        compare("create against bundle create", &pairs);
    }

    fn format(&self, source: &Path) {
        let pairs = self.pairs(|| {
            let ours = self.create(source, "out.bundle", &["--format", "git"]);
            (ours, self.run_bundle(source))
        });
        compare("create --format git against bundle create", &pairs);
        let ours = self.scratch.join("out.bundle").metadata().unwrap().len();
        let theirs = self.scratch.join("all.bundle").metadata().unwrap().len();
        println!("  size, mug / git {:>27.3}", ours as f64 / theirs as f64);
    }

    /// The pack that `create` made, made now if it was not.
    fn made(&self, source: &Path) -> PathBuf {
        let out = self.scratch.join("out");
        if !out.exists() {
            self.create(source, "out", &[]);
        }
        out
    }

    fn restore(&self, out: &Path) -> Run {
        let target = self.fresh("restored.git");
        run(self
            .mug()
            .args(["pack", "restore"])
            .arg(out)
            .arg(target)
            .arg("--bare"))
    }

    fn clone(&self, source: &Path) {
        let out = self.made(source);
        let bundle = self.scratch.join("all.bundle");
        if !bundle.exists() {
            self.run_bundle(source);
        }
        let pairs = self.pairs(|| {
            let ours = self.restore(&out);
            let target = self.fresh("cloned.git");
            let theirs = run(git().args(["clone", "--bare"]).arg(&bundle).arg(target));
            (ours, theirs)
        });
        compare("restore against clone of a bundle", &pairs);
    }

    /// The same objects on both sides: fsck looks at the repository that was restored.
    fn fsck(&self, source: &Path) {
        let out = self.made(source);
        let restored = self.scratch.join("restored.git");
        if !restored.exists() {
            self.restore(&out);
        }
        let pairs = self.pairs(|| {
            let ours = run(self.mug().args(["pack", "verify", "--full"]).arg(&out));
            let theirs = run(git().arg("-C").arg(&restored).args(["fsck", "--full"]));
            (ours, theirs)
        });
        compare("verify --full against fsck --full", &pairs);
    }

    /// Ten commits, each with a file, on the branch that HEAD is on.
    fn layer(&self, source: &Path) {
        self.create(source, "first", &[]);
        let grown = self.copy("grown.git");
        self.grow(&grown);
        let pairs = self.pairs(|| {
            let first = self.create(source, "again", &[]);
            let out = self.fresh("layered");
            copy(&self.scratch.join("first"), &out);
            (self.create_into(&grown, &out, &[]), first)
        });
        let layers = std::fs::read_dir(self.scratch.join("layered/layers"));
        assert_eq!(layers.unwrap().count(), 2);
        println!("a layer of ten commits against the first creation");
        row("layer wall s", pairs.iter().map(|p| p.0.wall));
        row("first wall s", pairs.iter().map(|p| p.1.wall));
        row(
            "wall, layer / first",
            pairs.iter().map(|p| p.0.wall / p.1.wall),
        );
        row(
            "user CPU, layer / first",
            pairs.iter().map(|p| p.0.user / p.1.user),
        );
    }

    fn grow(&self, repo: &Path) {
        let branch = git()
            .arg("-C")
            .arg(repo)
            .args(["symbolic-ref", "HEAD"])
            .output();
        let branch = String::from_utf8(branch.unwrap().stdout).unwrap();
        let branch = branch.trim();
        let mut stream = String::new();
        for number in 0..10 {
            let from = if number == 0 {
                format!("from {branch}^0\n")
            } else {
                String::new()
            };
            let text = format!("line {number}\n").repeat(50);
            let _ = write!(
                stream,
                "commit {branch}\ncommitter A U Thor <author@example.com> {} +0000\ndata 2\nx\n{from}\
                 M 100644 inline bench/file-{number}\ndata {}\n{text}\n",
                2_000_000_000 + number,
                text.len()
            );
        }
        let input = self.scratch.join("grow");
        std::fs::write(&input, stream).unwrap();
        let status = git()
            .arg("-C")
            .arg(repo)
            .args(["fast-import", "--quiet"])
            .stdin(std::fs::File::open(input).unwrap())
            .status();
        assert!(status.unwrap().success());
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
    let args = Arguments::read("-p mug --bench against_git");
    for repo in &args.repositories {
        let scratch = tempfile::tempdir().unwrap();
        Bench {
            repo: repo.clone(),
            scratch: scratch.path().to_owned(),
            pairs: args.pairs,
        }
        .all(&args);
    }
}
