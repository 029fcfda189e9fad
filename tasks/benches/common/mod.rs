//! What benchmarks of whole processes share: a process measured, and figures in rows.
#![allow(
    dead_code,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark; no one uses all of it"
)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// One run of a process, with what it started and waited for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Run {
    /// Seconds.
    pub(crate) wall: f64,
    /// Seconds of user CPU, to a hundredth.
    pub(crate) user: f64,
    /// Seconds of system CPU, to a hundredth.
    pub(crate) system: f64,
    /// The largest anonymous resident memory seen, in MiB.
    pub(crate) anonymous: f64,
}

impl Run {
    /// User and system CPU.
    pub(crate) fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

/// What was measured of two programs in alternating pairs, ours first.
pub(crate) struct Pairs<T>(pub(crate) Vec<(T, T)>);

impl<T> Pairs<T> {
    /// Measures `count` pairs, and prints what they are of.
    pub(crate) fn measure(
        title: &str,
        count: usize,
        ours: impl Fn() -> T,
        theirs: impl Fn() -> T,
    ) -> Self {
        let pair = |number: usize| {
            // Who goes first finds other things in the caches.
            if number.is_multiple_of(2) {
                let ours = ours();
                (ours, theirs())
            } else {
                let theirs = theirs();
                (ours(), theirs)
            }
        };
        let pairs: Vec<_> = (0..count).map(pair).collect();
        println!("{title}, {count} pairs: median (spread)");
        Self(pairs)
    }

    /// Prints one figure of both, and the ratios pair by pair.
    pub(crate) fn compare(&self, name: &str, of: impl Fn(&T) -> f64) {
        row(&format!("mug {name}"), self.0.iter().map(|p| of(&p.0)));
        row(&format!("git {name}"), self.0.iter().map(|p| of(&p.1)));
        let ratio = self.0.iter().map(|p| of(&p.0) / of(&p.1));
        row(&format!("{name}, mug / git"), ratio);
    }
}

/// Runs `command` to its end, which must be a good one.
pub(crate) fn run(command: &mut Command) -> Run {
    let (run, success) = try_run(command);
    assert!(success, "{command:?} failed");
    run
}

/// Runs `command` to its end, and says whether it was a good one.
pub(crate) fn try_run(command: &mut Command) -> (Run, bool) {
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak: f64 = 0.0;
    while !has_ended(&child) {
        peak = peak.max(anonymous(child.id()));
        std::thread::sleep(Duration::from_millis(5));
    }
    let wall = start.elapsed().as_secs_f64();
    // It is dead, but its counters are kept until it is waited for.
    let (user, system) = cpu(child.id());
    let status = child.wait().unwrap();
    let run = Run {
        wall,
        user,
        system,
        anonymous: peak,
    };
    (run, status.success())
}

fn has_ended(child: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let id = Pid::from_raw(child.id().cast_signed()).unwrap();
    waitid(WaitId::Pid(id), options).unwrap().is_some()
}

/// The CPU that a process and those that it waited for have used, in user and
/// system mode. Those of the benchmark's own threads, a server's say, don't count.
fn cpu(pid: u32) -> (f64, f64) {
    // Linux counts for users in hundredths of a second on all machines of today.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name of the program comes before, in parentheses.
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let field: Vec<&str> = rest.split(' ').collect();
    let ticks = |number: usize| field[number - 3].parse::<f64>().unwrap() / TICKS;
    (ticks(14) + ticks(16), ticks(15) + ticks(17))
}

/// Anonymous memory of a process and all that it started, in MiB.
fn anonymous(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let own = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
        .map_or(0.0, |kib| kib / 1024.0);
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let children = threads.map(|thread| {
        let list = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        let ids = list.split_whitespace().filter_map(|id| id.parse().ok());
        ids.map(anonymous).sum::<f64>()
    });
    own + children.sum::<f64>()
}

/// The one in the middle, the least and the most.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    (values[middle], values[0], values[values.len() - 1])
}

/// Prints the median and the spread of figures.
pub(crate) fn row(name: &str, values: impl IntoIterator<Item = f64>) {
    let (median, least, most) = median(values);
    println!("  {name:<34} {median:>9.3}  ({least:.3} to {most:.3})");
}

/// The length of all files below `dir`.
pub(crate) fn size(dir: &Path) -> u64 {
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

/// A copy with every file of its own.
pub(crate) fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-r").arg(from).arg(to).status();
    assert!(status.unwrap().success());
}

/// What the command line of a benchmark says.
pub(crate) struct Arguments {
    /// Repositories, with absolute paths.
    pub(crate) repositories: Vec<std::path::PathBuf>,
    /// How many pairs to run.
    pub(crate) pairs: usize,
    /// The parts to run; all when there is none.
    pub(crate) only: Vec<String>,
    /// Other options, as they were given.
    pub(crate) flags: Vec<String>,
}

impl Arguments {
    /// Of this process. Without a repository it says how to name some.
    pub(crate) fn read(name: &str) -> Self {
        let mut read = Self {
            repositories: Vec::new(),
            pairs: 7,
            only: Vec::new(),
            flags: Vec::new(),
        };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--pairs" => read.pairs = args.next().unwrap().parse().unwrap(),
                "--only" => read
                    .only
                    .extend(args.next().unwrap().split(',').map(str::to_owned)),
                // What cargo adds.
                "--bench" => {}
                flag if flag.starts_with("--") => read.flags.push(flag.to_owned()),
                _ => read.repositories.push(std::fs::canonicalize(arg).unwrap()),
            }
        }
        if read.repositories.is_empty() {
            println!("give repositories: cargo bench {name} -- <repository>...");
        }
        read
    }

    /// Whether this part is to be run.
    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}
