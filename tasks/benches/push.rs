//! `mug push` beside `git push`, as whole processes.
//!
//! ```text
//! cargo bench -p end-to-end --bench push -- <repository>... [--pairs N] [--only PART,...]
//! ```
//!
//! For each repository (bare; never changed: a copy is pushed from) these parts, or only those that are
//! named with `--only 1,100`:
//!
//! | part | what |
//! |---|---|
//! | `1`, `100`, `3000` | so many commits before `HEAD`, by first parents, with what was merged into them, over loopback HTTP to a server that has the rest |
//! | `all` | all branches to an empty repository, by its path |
//!
//! In alternating pairs: wall, CPU and the peak of anonymous memory, children included, and the bytes
//! of the requests, counted at the server (not of `all`). The server's processes share the machine with
//! the client on both sides; over HTTP their CPU is not counted. With `--itself` git takes the place of
//! mug: what differs then is noise.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

mod common;

use std::path::Path;

use common::{Arguments, Pairs, Run, copy, try_run};
use end_to_end::Scratch;
use end_to_end::server::HttpServer;

/// A run, with the bytes that the server got in it.
#[derive(Clone, Copy)]
struct Push {
    run: Run,
    received: u64,
}

struct Bench {
    scratch: Scratch,
    server: HttpServer,
    pairs: usize,
    /// Git on both sides.
    itself: bool,
}

/// The repository that is pushed from.
const LOCAL: &str = "local.git";
/// What the server has before each push.
const BEFORE: &str = "before.git";
/// The same, for one push.
const THERE: &str = "there.git";

impl Bench {
    fn new(repository: &Path, args: &Arguments) -> Self {
        let scratch = Scratch::new();
        copy(repository, &scratch.join(LOCAL));
        let server = HttpServer::start(&scratch);
        Self {
            scratch,
            server,
            pairs: args.pairs,
            itself: args.flags.iter().any(|flag| flag == "--itself"),
        }
    }

    /// Has the server have what this revision has, or nothing.
    fn prepare(&self, revision: Option<&str>) {
        let _ = std::fs::remove_dir_all(self.scratch.join(BEFORE));
        self.scratch.git(".", &["init", "-q", "--bare", BEFORE]);
        for (key, value) in [("http.receivepack", "true"), ("gc.auto", "0")] {
            self.scratch.git(BEFORE, &["config", key, value]);
        }
        if let Some(revision) = revision {
            let spec = format!("{revision}:refs/heads/main");
            let to = format!("../{BEFORE}");
            self.scratch.git(LOCAL, &["push", "-q", &to, &spec]);
        }
    }

    fn push(&self, git: bool, url: &str, specs: &[&str]) -> Push {
        let there = self.scratch.join(THERE);
        let _ = std::fs::remove_dir_all(&there);
        copy(&self.scratch.join(BEFORE), &there);
        self.server.forget();
        let program = if git || self.itself {
            Path::new("git")
        } else {
            end_to_end::binary()
        };
        let mut command = self.scratch.command(program, LOCAL);
        command.args(["push", url]).args(specs);
        let (run, success) = try_run(&mut command);
        assert!(success, "{command:?} failed");
        let received = self.server.served().iter().map(|it| it.received).sum();
        Push { run, received }
    }

    /// Alternating pairs.
    fn beside(&self, title: &str, url: &str, specs: &[&str]) {
        let push = |git| self.push(git, url, specs);
        let pairs = Pairs::measure(title, self.pairs, || push(false), || push(true));
        pairs.compare("wall s", |it| it.run.wall);
        pairs.compare("CPU s", |it| it.run.cpu());
        if pairs.0.iter().any(|pair| pair.1.received > 0) {
            pairs.compare("bytes sent kB", |it| it.received as f64 / 1e3);
        }
        pairs.compare("anonymous memory MiB", |it| it.run.anonymous);
    }
}

fn main() {
    let args = Arguments::read("-p end-to-end --bench push");
    for repository in &args.repositories {
        println!("== {}", repository.display());
        let bench = Bench::new(repository, &args);
        for commits in ["1", "100", "3000"] {
            if args.wants(commits) {
                bench.prepare(Some(&format!("HEAD~{commits}")));
                let url = bench.server.url(THERE);
                let title = format!("push of {commits} commits");
                bench.beside(&title, &url, &["HEAD:refs/heads/main"]);
            }
        }
        if args.wants("all") {
            bench.prepare(None);
            let path = format!("../{THERE}");
            bench.beside("push of all", &path, &["refs/heads/*:refs/heads/*"]);
        }
    }
}
