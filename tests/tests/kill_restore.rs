//! `mug pack restore` under kill -9: the repository is whole, the same as that of
//! an undisturbed run, and nothing that was committed is done twice.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use end_to_end::{Large, Running, Scratch, Shown, assert_same, files};
use fastrand::Rng;

/// Kills to be reached, over as many restores as it takes.
const KILLS: usize = 30;

/// One repository in the making.
struct Restoring<'a> {
    scratch: &'a Scratch,
    pack: &'a Path,
    target: PathBuf,
    options: &'a [&'a str],
    id: Option<String>,
}

/// A process that was killed.
struct Blow {
    step: String,
    commits: u64,
    /// Entries of the Git pack that were committed by then.
    committed: u64,
    /// The length of the unfinished Git pack.
    length: u64,
    /// What the process wrote, to whatever file.
    written: u64,
}

impl<'a> Restoring<'a> {
    fn new(scratch: &'a Scratch, pack: &'a Path, name: &str, options: &'a [&'a str]) -> Self {
        Self {
            scratch,
            pack,
            target: scratch.join(name),
            options,
            id: None,
        }
    }

    fn start(&self, threads: usize) -> Running {
        let (pack, target) = (self.pack.to_str(), self.target.to_str());
        let threads = threads.to_string();
        let mut args = vec!["pack", "restore"];
        args.extend(pack.into_iter().chain(target));
        args.extend(["--threads", &threads]);
        args.extend(self.options);
        if let Some(id) = &self.id {
            args.extend(["--resume", id]);
        }
        self.scratch.spawn(".", &args)
    }

    /// What is at `path` in its Git directory.
    fn git(&self, path: &str) -> PathBuf {
        let bare = self.options.contains(&"--bare");
        self.target.join(if bare { "" } else { ".git" }).join(path)
    }

    /// The length of the unfinished Git pack; 0 when there is none.
    fn length(&self) -> u64 {
        let id = self.id.as_deref().unwrap_or_default();
        let path = self.git(&format!("mug/ops/{id}/restore.pack"));
        path.metadata().map_or(0, |meta| meta.len())
    }

    /// Kills a process; `None` when all was done before.
    fn kill(&mut self, process: Running) -> Option<Blow> {
        if !process.stop() {
            process.wait().ok();
            return None;
        }
        let written = process.written();
        process.kill();
        let record = self.record();
        let record = match record {
            Some(record) if record.status() == "completed" => return None,
            record => record,
        };
        Some(Blow {
            step: record.as_ref().map_or("none", Shown::step).to_owned(),
            commits: record.as_ref().map_or(0, Shown::commits),
            committed: record.as_ref().map_or(0, entries),
            length: self.length(),
            written,
        })
    }

    fn record(&mut self) -> Option<Shown> {
        if !self.git("mug").exists() {
            return None;
        }
        // Git does not take it for a repository yet, so it is looked for everywhere.
        let mut records = self.scratch.operations(".", &[]);
        records.retain(|record| {
            let target = record.0.pointer("/state/metadata/target");
            target.and_then(serde_json::Value::as_str) == self.target.to_str()
        });
        assert!(records.len() < 2, "{records:?}");
        let record = records.pop()?;
        self.id = Some(record.id().to_owned());
        Some(record)
    }
}

fn entries(record: &Shown) -> u64 {
    let processed = record.0.pointer("/progress/processed");
    match record.step() {
        "initialized" | "check" => 0,
        _ => processed.and_then(serde_json::Value::as_u64).unwrap_or(0),
    }
}

/// Where the entries of the Git pack in `git_dir` begin, by Git itself; the end of
/// the last one behind them.
fn offsets(scratch: &Scratch, git_dir: &Path) -> Vec<u64> {
    let index = git_pack(git_dir, "idx");
    let script = format!("git show-index < '{}'", index.display());
    let mut command = scratch.command("sh", git_dir);
    let output = command.args(["-c", &script]).output().expect("git runs");
    let text = String::from_utf8(output.stdout).expect("it is text");
    let first = |line: &str| {
        line.split(' ')
            .next()
            .and_then(|offset| offset.parse().ok())
    };
    let mut offsets: Vec<u64> = text.lines().filter_map(first).collect();
    offsets.sort_unstable();
    let pack = git_pack(git_dir, "pack");
    offsets.push(pack.metadata().expect("its length").len());
    offsets
}

fn git_pack(git_dir: &Path, extension: &str) -> PathBuf {
    let dir = git_dir.join("objects/pack");
    let mut found: Vec<_> = files(&dir).into_keys().collect();
    found.retain(|path| path.extension().is_some_and(|found| found == extension));
    assert_eq!(found.len(), 1, "{found:?}");
    dir.join(&found[0])
}

#[test]
fn a_repository_is_restored_through_thirty_kills() {
    let scratch = Scratch::fast(2 << 30);
    let shape = Large {
        files: 300,
        commits: 6_000,
    };
    let source = shape.make(&scratch, "source.git");
    let pack = scratch.join("pack");
    let out = pack.to_str().expect("a scratch path is text");
    scratch.mug(&source, &["pack", "create", out]).ok();

    let start = Instant::now();
    let undisturbed = Restoring::new(&scratch, &pack, "undisturbed", &["--bare"]);
    let (output, written) = undisturbed.start(1).wait_counted();
    output.ok();
    let wall = start.elapsed();
    let offsets = offsets(&scratch, &undisturbed.target);
    let whole = *offsets.last().expect("the end");
    // The table of offsets, the index, the store's commits.
    let beside = written - whole;
    println!("{wall:.1?} and {written} bytes undisturbed, of which {beside} beside the pack");

    let mut random = Rng::with_seed(9);
    let mut blows = Vec::new();
    let (mut starting_over, mut sum, mut sum_allowed) = (0, 0, 0);
    for round in 1.. {
        if blows.len() >= KILLS {
            break;
        }
        assert!(
            round <= KILLS,
            "restores are done before they can be killed"
        );
        let name = format!("target-{round}");
        let mut restoring = Restoring::new(&scratch, &pack, &name, &["--bare"]);
        let mut killed: Vec<Blow> = Vec::new();
        let mut stalls = 0;
        let last = loop {
            let process = restoring.start(random.usize(1..=3));
            let committed = killed.last().map_or(0, |blow| blow.committed);
            let left = 1.0 - offset(&offsets, committed) as f64 / whole as f64;
            let most = wall.mul_f64(left * 0.3) + Duration::from_millis(250);
            let longer = most.mul_f64(1.4_f64.powi(stalls)).min(wall * 2);
            std::thread::sleep(longer.mul_f64(random.f64()));
            if !process.is_running() {
                let (output, written) = process.wait_counted();
                output.ok();
                break written;
            }
            let Some(blow) = restoring.kill(process) else {
                break 0;
            };
            let further = killed.last().is_none_or(|last| blow.commits > last.commits);
            stalls = if further { 0 } else { (stalls + 1).min(10) };
            // What it wrote is what it appended to what was committed, and no more.
            let committed = offset(&offsets, committed);
            let allowed = blow.length.saturating_sub(committed) + beside + (1 << 20);
            assert!(
                blow.written <= allowed,
                "{} bytes written where the pack went from {committed} to {}",
                blow.written,
                blow.length
            );
            killed.push(blow);
        };
        if restoring.id.is_some() {
            let kills = killed.len() as u64;
            let wrote = killed.iter().map(|blow| blow.written).sum::<u64>() + last;
            // What was not committed when a process died is done again, and no more.
            let tail = |blow: &Blow| blow.length.saturating_sub(offset(&offsets, blow.committed));
            let tails = killed.iter().map(tail).sum::<u64>();
            let allowed = written + tails + kills * (beside + (1 << 20));
            println!("round {round}: {kills} kills, {wrote} bytes of at most {allowed}");
            assert!(wrote <= allowed, "{wrote} bytes, {allowed} allowed");
            starting_over += killed.iter().map(|blow| blow.length).sum::<u64>() + whole;
            sum += wrote;
            sum_allowed += allowed;
        }
        check(&scratch, &source, &restoring, &undisturbed);
        blows.append(&mut killed);
    }

    println!("{sum} bytes of at most {sum_allowed}; {starting_over} when starting over");
    println!("{}", histogram(&blows, &offsets));
    // Processes that start over would not have passed.
    assert!(starting_over > sum);
    let between = blows.iter().filter(|blow| blow.commits > 0).count();
    assert!(
        between * 2 >= blows.len(),
        "{between} of {} between commits",
        blows.len()
    );
}

/// Where the kills fell: steps, and how much of the pack was committed.
fn histogram(blows: &[Blow], offsets: &[u64]) -> String {
    let whole = offset(offsets, u64::MAX).max(1);
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for blow in blows {
        let tenth = offset(offsets, blow.committed) * 10 / whole;
        let place = format!("{:>12}, from {:>3} %", blow.step, tenth * 10);
        *counts.entry(place).or_default() += 1;
    }
    let lines: Vec<String> = counts
        .iter()
        .map(|(place, count)| format!("{place} {count:>3} {}", "#".repeat(*count)))
        .collect();
    lines.join("\n")
}

/// Where the entry with this number begins.
fn offset(offsets: &[u64], entry: u64) -> u64 {
    let last = offsets.len() - 1;
    offsets[usize::try_from(entry).unwrap_or(last).min(last)]
}

fn check(scratch: &Scratch, source: &Path, restored: &Restoring, undisturbed: &Restoring) {
    let target = &restored.target;
    scratch.git(target, &["fsck", "--full", "--strict"]);
    for question in [&["show-ref"][..], &["symbolic-ref", "HEAD"]] {
        assert_eq!(scratch.git(source, question), scratch.git(target, question));
    }
    assert_same(&restored.git("objects"), &undisturbed.git("objects"));
    std::fs::remove_dir_all(target).expect("it can be removed");
}

#[test]
fn a_working_tree_is_restored_through_kills_in_every_step() {
    let scratch = Scratch::fast(512 << 20);
    let shape = Large {
        files: 30,
        commits: 300,
    };
    let source = shape.make(&scratch, "source.git");
    let pack = scratch.join("pack");
    let out = pack.to_str().expect("a scratch path is text");
    scratch.mug(&source, &["pack", "create", out]).ok();
    let undisturbed = Restoring::new(&scratch, &pack, "undisturbed", &[]);
    undisturbed.start(1).wait().ok();

    // What can be seen of each step, in order.
    let signs = [
        "mug/ops",
        "restore.pack",
        "restore.idx",
        "objects/pack",
        "../small",
    ];
    let mut random = Rng::with_seed(5);
    let mut killed = [0; 5];
    for round in 0..8 {
        let name = format!("target-{round}");
        let mut restoring = Restoring::new(&scratch, &pack, &name, &[]);
        for (number, sign) in signs.iter().enumerate() {
            let process = restoring.start(2);
            let seen = |restoring: &Restoring| match *sign {
                "restore.pack" | "restore.idx" => process.has_open(sign),
                sign => restoring.git(sign).exists(),
            };
            while process.is_running() && !seen(&restoring) {
                std::thread::sleep(Duration::from_micros(100));
            }
            std::thread::sleep(Duration::from_micros(random.u64(..4_000)));
            match restoring.kill(process) {
                Some(_) => killed[number] += 1,
                None => break,
            }
        }
        let completed = restoring
            .record()
            .is_some_and(|record| record.status() == "completed");
        if !completed {
            restoring.start(2).wait().ok();
        }
        assert_eq!(
            scratch.git(&restoring.target, &["status", "--porcelain"]),
            ""
        );
        check(&scratch, &source, &restoring, &undisturbed);
    }
    println!("killed at {signs:?}: {killed:?}");
    assert!(killed[..4].iter().all(|kills| *kills > 0), "{killed:?}");
}
