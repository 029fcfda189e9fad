//! `mug clone` beside `git clone`, as whole processes, from one loopback server.
//!
//! ```text
//! cargo bench -p end-to-end --bench transfer -- <repository>... [--pairs N] [--only PART,...]
//! ```
//!
//! For each repository (bare; never changed: a copy is served by `git http-backend`,
//! with git's own defaults except where a part says otherwise) these parts, or only
//! those that are named with `--only clone,cuts`:
//!
//! | part | what |
//! |---|---|
//! | `clone` | with a working tree, in alternating pairs: wall, CPU, bytes, memory |
//! | `bare` | the same without |
//! | `cuts` | bytes in all, with one cut at six places and with ten at random (seeds 1 to 5), with `uploadpack.allowFilter` on and off, and with `--staged` |
//! | `salvage` | a prefix salvaged beside `git index-pack` of the same objects |
//!
//! Bytes are those of the answers' bodies, counted at the server. The server's
//! processes share the machine with the client on both sides; their CPU is not
//! counted. With `--itself` git takes the place of mug: what differs then is noise.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

mod common;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use common::{Arguments, Pairs, Run, copy, row, run, try_run};
use end_to_end::Scratch;
use end_to_end::server::{HttpServer, Kind};
use fastrand::Rng;
use mug::disk::Disk;
use mug::transfer::receive::{Incoming, To, salvage};

/// A run, with the bytes that the server sent for it.
#[derive(Clone, Copy)]
struct Transfer {
    run: Run,
    sent: u64,
}

struct Bench {
    scratch: Scratch,
    server: HttpServer,
    pairs: usize,
    /// Git on both sides.
    itself: bool,
}

/// The repository that is served.
const SERVED: &str = "served.git";

impl Bench {
    fn new(repository: &Path, args: &Arguments) -> Self {
        let scratch = Scratch::new();
        copy(repository, &scratch.join(SERVED));
        let server = HttpServer::start(&scratch);
        Self {
            scratch,
            server,
            pairs: args.pairs,
            itself: args.flags.iter().any(|flag| flag == "--itself"),
        }
    }

    /// What the server's configuration says of filters.
    fn allow_filter(&self, allowed: bool) {
        let value = if allowed { "true" } else { "false" };
        let set = ["config", "uploadpack.allowFilter", value];
        self.scratch.git(SERVED, &set);
    }

    fn fresh(&self, name: &str) -> PathBuf {
        let path = self.scratch.join(name);
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    fn git(&self, options: &[&str]) -> Transfer {
        let mut command = self.scratch.command("git", ".");
        command.arg("clone").args(options);
        self.clone(command, "theirs")
    }

    fn mug(&self, options: &[&str]) -> Transfer {
        if self.itself {
            let mut command = self.scratch.command("git", ".");
            let known = options.iter().filter(|option| **option != "--staged");
            command.arg("clone").args(known);
            return self.clone(command, "ours");
        }
        let mut command = self.scratch.command(end_to_end::binary(), ".");
        command.arg("clone").args(options);
        self.clone(command, "ours")
    }

    fn clone(&self, mut command: Command, target: &str) -> Transfer {
        let target = self.fresh(target);
        self.server.forget();
        command.arg(self.server.url(SERVED)).arg(target);
        let (run, success) = try_run(&mut command);
        assert!(success, "{command:?} failed");
        Transfer {
            run,
            sent: self.server.sent(),
        }
    }

    /// Alternating pairs, nothing in their way.
    fn beside(&self, title: &str, options: &[&str]) {
        let (ours, theirs) = (|| self.mug(options), || self.git(options));
        let pairs = Pairs::measure(title, self.pairs, ours, theirs);
        pairs.compare("wall s", |it| it.run.wall);
        pairs.compare("CPU s", |it| it.run.cpu());
        pairs.compare("bytes received MB", |it| it.sent as f64 / 1e6);
        pairs.compare("anonymous memory MiB", |it| it.run.anonymous);
    }

    /// Bytes in all, relative to one clone by git that nothing interrupts.
    fn cuts(&self) {
        const SHARES: [f64; 6] = [0.05, 0.25, 0.5, 0.75, 0.95, 0.99];
        for (filter, options) in [
            (true, &["--bare"][..]),
            (true, &["--bare", "--staged"]),
            (false, &["--bare"]),
            (false, &["--bare", "--staged"]),
        ] {
            self.allow_filter(filter);
            let allowed = if filter { "on" } else { "off" };
            let options_text = options.join(" ");
            println!("bytes with cuts, allowFilter {allowed}, {options_text}");
            self.server.behave();
            let whole = self.git(&["--bare"]).sent;
            let answers = self.server.served_as(Kind::Fetch);
            let objects = answers.iter().map(|served| served.sent).sum();
            let total = |places: &[u64]| {
                self.server.forget();
                self.server.cut_at(places);
                let sent = self.mug(options).sent;
                let left = self.server.cuts_left();
                if left > 0 {
                    println!("  {left} of the next one's cuts lay behind its end");
                }
                sent as f64 / whole as f64
            };
            if self.itself {
                println!("  git does not survive cuts: none are made");
                total(&[]);
                continue;
            }
            row("uninterrupted", [total(&[])]);
            let one = SHARES.map(|share| total(&[place(objects, share)]));
            for (share, ratio) in SHARES.iter().zip(one) {
                row(&format!("one cut at {:.1} %", share * 100.0), [ratio]);
            }
            let ten = (1..=5).map(|seed| {
                let mut random = Rng::with_seed(seed);
                let places: Vec<u64> = (0..10).map(|_| place(objects, random.f64())).collect();
                total(&places)
            });
            row("ten random cuts, five seeds", ten.collect::<Vec<_>>());
        }
        self.allow_filter(false);
    }
}

/// The packs of a repository with a working tree.
fn packs(repository: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository.join("objects/pack")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_pack = |path: &PathBuf| path.extension().is_some_and(|it| it == "pack");
    paths.filter(is_pack).collect()
}

/// Puts bytes on disk, as an operation does.
struct Plain;

impl Disk for Plain {
    fn sync(&self, path: &Path) -> std::io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_tree(&self, dir: &Path) -> std::io::Result<()> {
        for entry in std::fs::read_dir(dir)? {
            self.sync(&entry?.path())?;
        }
        self.sync(dir)
    }
}

/// What a clone does with a pack that is cut: takes it apart as it comes, and makes a
/// pack of what is whole. In a process of its own, to be measured.
fn salvage_here(raw: &Path, to: &Path) {
    let mut incoming = Incoming::new().unwrap();
    let mut file = File::open(raw).unwrap();
    let mut block = vec![0; 64 << 10];
    loop {
        let read = file.read(&mut block).unwrap();
        if read == 0 {
            break;
        }
        incoming.feed(&block[..read]).unwrap();
    }
    let mut parsed = incoming.end().unwrap();
    let to = To {
        objects: &to.join("none"),
        packs: &to.join("pack"),
        threads: std::thread::available_parallelism().unwrap().get(),
        progress: &|_| (),
        stopped: &AtomicBool::new(false),
        disk: &Plain,
    };
    salvage(raw, &mut parsed, to).unwrap();
}

impl Bench {
    /// Prefixes of the pack that git was sent, beside `git index-pack` of what was
    /// salvaged: it does not take what is cut.
    fn salvage(&self) {
        self.git(&["--bare"]);
        let pack = packs(&self.scratch.join("theirs")).pop().unwrap();
        let length = pack.metadata().unwrap().len();
        for share in [0.3, 0.6, 0.9] {
            let raw = self.scratch.join("prefix");
            let prefix = File::open(&pack).unwrap().take(place(length, share));
            let mut prefix = std::io::BufReader::new(prefix);
            std::io::copy(&mut prefix, &mut File::create(&raw).unwrap()).unwrap();
            let pair = |_| {
                let to = self.fresh("salvaged");
                std::fs::create_dir(&to).unwrap();
                let mut ours = Command::new(std::env::current_exe().unwrap());
                ours.arg(SALVAGE).arg(&raw).arg(&to);
                let ours = run(&mut ours);
                let made = std::fs::read_dir(to.join("pack")).unwrap();
                let made = made.map(|entry| entry.unwrap().path());
                let made = made.filter(|path| path.extension().is_some_and(|it| it == "pack"));
                let made = made.last().expect("something was salvaged");
                let mut theirs = self.scratch.command("git", ".");
                theirs.args(["index-pack", "-o", "salvaged/theirs.idx"]);
                (ours, run(theirs.arg(made)))
            };
            let pairs: Vec<(Run, Run)> = (0..self.pairs).map(pair).collect();
            println!(
                "salvage of {:.0} % of the pack beside index-pack, {} pairs: median (spread)",
                share * 100.0,
                pairs.len()
            );
            row("mug CPU s", pairs.iter().map(|p| p.0.cpu()));
            row("git CPU s", pairs.iter().map(|p| p.1.cpu()));
            let ratios = pairs.iter().map(|p| p.0.cpu() / p.1.cpu());
            row("CPU, mug / git", ratios);
            let memory = pairs.iter().map(|p| p.0.anonymous);
            row("mug anonymous memory MiB", memory);
            let memory = pairs.iter().map(|p| p.1.anonymous);
            row("git anonymous memory MiB", memory);
        }
    }
}

/// Has this program salvage, instead of measuring.
const SALVAGE: &str = "--salvage-here";

/// A place in so many bytes; not in their last hundred, which a clone that asks for
/// less than all at once may never come to.
fn place(whole: u64, share: f64) -> u64 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a number of bytes"
    )]
    let place = (whole as f64 * share) as u64;
    place.min(whole.saturating_sub(100))
}

fn main() {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if let [first, raw, to] = &words[..]
        && first == SALVAGE
    {
        return salvage_here(raw.as_ref(), to.as_ref());
    }
    let args = Arguments::read("-p end-to-end --bench transfer");
    for repository in &args.repositories {
        println!("== {}", repository.display());
        let bench = Bench::new(repository, &args);
        bench.allow_filter(false);
        if args.wants("clone") {
            bench.beside("clone with a working tree", &[]);
        }
        if args.wants("bare") {
            bench.beside("clone --bare", &["--bare"]);
        }
        if args.wants("cuts") {
            bench.cuts();
        }
        if args.wants("salvage") {
            bench.salvage();
        }
    }
}
