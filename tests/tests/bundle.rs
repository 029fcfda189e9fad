//! `mug pack create --format git`: what git makes of the bundles, and bundles that are
//! made under kill -9 and with pauses: the same bytes, and nothing committed written
//! twice.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use end_to_end::{Large, Output, Running, Scratch, Shape, Shown, Signal, files, id_told, printed};
use fastrand::Rng;

/// Kills to be reached, over as many bundles as it takes.
const KILLS: usize = 30;
/// Pauses to be reached.
const PAUSES: usize = 8;

fn text(path: &Path) -> &str {
    path.to_str().expect("a scratch path is text")
}

#[test]
fn git_clones_it_and_fetches_what_is_new() {
    let scratch = Scratch::new();
    let repository = scratch.repository("r.git", true, Shape::SMALL);
    let create = |args: &[&str]| {
        let args = [&["pack", "create", "--format", "git"], args].concat();
        scratch.mug("r.git", &args)
    };
    let made = create(&["../all.bundle"]).ok();
    assert!(made.stdout.starts_with("../all.bundle: "), "{made}");
    scratch.git("r.git", &["bundle", "verify", "../all.bundle"]);
    let clone = ["clone", "--quiet", "all.bundle", "clone"];
    scratch.git(".", &clone);
    scratch.git("clone", &["fsck", "--full", "--strict"]);
    assert_eq!(scratch.git("clone", &["status", "--porcelain"]), "");
    assert!(scratch.join("clone/dir-0").is_dir(), "it is checked out");
    scratch.git(
        ".",
        &["clone", "--quiet", "--mirror", "all.bundle", "mirror.git"],
    );
    let refs = |dir: &str| scratch.git(dir, &["show-ref"]);
    assert_eq!(refs("mirror.git"), refs("r.git"));

    // What came later, for those who have the first one.
    let tree = scratch.git("r.git", &["rev-parse", "topic^{tree}"]);
    let commit = ["commit-tree", "-p", "main", "-m", "later", &tree];
    let later = scratch.git("r.git", &commit);
    scratch.git("r.git", &["update-ref", "refs/heads/main", &later]);
    let made = create(&["--json", "../new.bundle", "annotated..main"]).ok();
    let summary = made.json_lines().pop().expect("a summary");
    assert_eq!(summary["message_type"], "summary");
    assert_eq!(summary["output"]["objects"], 1, "{summary}");
    assert_eq!(summary["output"]["prerequisites"], 1);
    let id = summary["id"].as_str().expect("an id");
    let shown = scratch.operation("r.git", id);
    assert_eq!(shown.0["op_type"], "pack");
    assert_eq!(shown.0["kind"], "pack-bundle");
    scratch.git(
        "mirror.git",
        &["fetch", "--quiet", "../new.bundle", "+refs/*:refs/*"],
    );
    assert_eq!(refs("mirror.git"), refs("r.git"));
    scratch.git("mirror.git", &["fsck", "--full", "--strict"]);
    // For the next time, when there is nothing new.
    let again = create(&["../none.bundle", "main", "^main"]).exits(1);
    assert!(again.stderr.contains("nothing new"), "{again}");
    let quiet = create(&["-q", "../quiet.bundle"]).ok();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let names: Vec<_> = files(scratch.path()).into_keys().collect();
    let hidden = |path: &PathBuf| path.to_string_lossy().starts_with(".mug");
    assert!(!names.iter().any(hidden), "{names:?}");
    assert!(repository.join("mug").exists(), "the store stays");
}

#[test]
fn what_cannot_be_done_says_so_and_changes_nothing() {
    let scratch = Scratch::new();
    scratch.repository("r.git", true, Shape::SMALL);
    std::fs::write(scratch.join("mine"), "precious").expect("a file");
    for (args, code, why) in [
        (&["../mine"][..], 1, "exists already"),
        (&["../new", "nope"], 1, "no ref 'nope'"),
        (&["../new", "nope..main"], 1, "'nope' names no commit"),
        (&["../new", "topic...main"], 1, "is not understood"),
        (&["-"], 2, "written to a file"),
        (&["../new", "--resume", "op-1"], 1, "op-1"),
    ] {
        let args = [&["pack", "create", "--format", "git"], args].concat();
        let output = scratch.mug("r.git", &args).exits(code);
        assert!(output.stderr.contains(why), "{why} in {output}");
    }
    assert!(scratch.operations("r.git", &[]).is_empty());
    // An operation of the other format is another one.
    scratch.mug("r.git", &["pack", "create", "../dir"]).ok();
    let id = scratch.operations("r.git", &[])[0].id().to_owned();
    let args = [
        "pack", "create", "--format", "git", "../new", "--resume", &id,
    ];
    let output = scratch.mug("r.git", &args);
    assert_ne!(output.code(), Some(0), "{output}");
    assert!(!scratch.join("new").exists());
    let mine = std::fs::read(scratch.join("mine")).expect("it is there");
    assert_eq!(mine, b"precious");
}

/// A repository that takes some seconds to bundle: its large files are loose, so that
/// they must be deflated; all else is in a pack.
fn slow(scratch: &Scratch) -> PathBuf {
    let shape = Large {
        files: 120,
        commits: 2_000,
    };
    let packed = shape.make(scratch, "packed.git");
    let init = [
        "init",
        "--quiet",
        "--bare",
        "--initial-branch=main",
        "slow.git",
    ];
    scratch.git(".", &init);
    let script =
        "cat ../packed.git/objects/pack/*.pack | git -c core.looseCompression=0 unpack-objects -q
        cp -r ../packed.git/objects/?? objects/
        cp -r ../packed.git/refs .
        git rev-list --objects --filter=blob:limit=100k --all |
            git pack-objects -q objects/pack/pack && git prune-packed -q";
    let mut command = scratch.command("sh", "slow.git");
    assert!(
        command
            .args(["-c", script])
            .output()
            .expect("sh runs")
            .status
            .success()
    );
    std::fs::remove_dir_all(packed).expect("it can be removed");
    let count = scratch.git("slow.git", &["count-objects"]);
    assert!(count.starts_with("120 objects"), "{count}");
    scratch.join("slow.git")
}

/// A bundle as it comes out when nothing interferes.
struct Undisturbed {
    bytes: Vec<u8>,
    wall: Duration,
    /// What the process wrote, to whatever file.
    written: u64,
    /// Where each entry begins in the file; the end of the last one behind them.
    offsets: Vec<u64>,
}

impl Undisturbed {
    fn run(scratch: &Scratch, repository: &Path) -> Self {
        let start = Instant::now();
        let bundling = Bundling::new(scratch, repository, "undisturbed");
        let (output, written) = bundling.start(1).wait_counted();
        output.ok();
        let wall = start.elapsed();
        let file = text(&bundling.out);
        scratch.git(repository, &["bundle", "verify", "--quiet", file]);
        scratch.git(".", &["clone", "--quiet", "--mirror", file, "clone.git"]);
        scratch.git("clone.git", &["fsck", "--full", "--strict"]);
        let refs = |dir: &Path| scratch.git(dir, &["show-ref"]);
        assert_eq!(refs(&scratch.join("clone.git")), refs(repository));
        let bytes = std::fs::read(&bundling.out).expect("the bundle");
        let header = bytes.windows(2).position(|two| two == b"\n\n");
        let header = header.expect("the header's end") as u64 + 2;
        let script = "cat objects/pack/*.idx | git show-index";
        let mut command = scratch.command("sh", "clone.git");
        let shown = command.args(["-c", script]).output().expect("git runs");
        let shown = String::from_utf8(shown.stdout).expect("it is text");
        let offset = |line: &str| line.split(' ').next()?.parse::<u64>().ok();
        let mut offsets: Vec<u64> = shown.lines().filter_map(offset).collect();
        offsets.sort_unstable();
        for offset in &mut offsets {
            *offset += header;
        }
        offsets.push(bytes.len() as u64);
        Self {
            bytes,
            wall,
            written,
            offsets,
        }
    }

    /// What is written beside the bundle: the sources, the plan, the store's commits.
    fn beside(&self) -> u64 {
        self.written - self.bytes.len() as u64
    }

    /// The length of the file with so many entries.
    fn offset(&self, entries: u64) -> u64 {
        let last = self.offsets.len() - 1;
        match entries {
            0 => 0,
            n => self.offsets[usize::try_from(n).unwrap_or(last).min(last)],
        }
    }
}

/// One bundle in the making.
struct Bundling<'a> {
    scratch: &'a Scratch,
    repository: &'a Path,
    out: PathBuf,
    id: Option<String>,
    /// The line that continues it, as it was printed last.
    line: Option<String>,
}

/// A process that was killed.
struct Blow {
    step: String,
    commits: u64,
    /// The length of the file that was committed by then.
    committed: u64,
    /// The length of the file.
    length: u64,
    /// What the process wrote, to whatever file.
    written: u64,
}

impl Blow {
    /// What was appended since the last commit.
    fn tail(&self) -> u64 {
        self.length.saturating_sub(self.committed)
    }
}

impl<'a> Bundling<'a> {
    fn new(scratch: &'a Scratch, repository: &'a Path, name: &str) -> Self {
        Self {
            scratch,
            repository,
            out: scratch.join(name),
            id: None,
            line: None,
        }
    }

    fn start(&self, threads: usize) -> Running {
        if let Some(line) = &self.line {
            let mut command = self.scratch.command("sh", self.repository);
            command.args(["-c", &format!("exec {line}")]);
            return Running::start(command, &self.scratch.join("tmp"));
        }
        let threads = threads.to_string();
        let out = text(&self.out);
        let mut args = vec!["pack", "create", "--format", "git", out];
        args.extend(["--threads", &threads]);
        if let Some(id) = &self.id {
            args.extend(["--resume", id]);
        }
        self.scratch.spawn(self.repository, &args)
    }

    /// Where the unfinished file is, once there is one. The id may be a short one.
    fn work(&self) -> Option<PathBuf> {
        let name = format!(".mug-{}", self.id.as_deref()?);
        let entries = std::fs::read_dir(self.scratch.path()).expect("the scratch directory");
        let mut paths = entries.map(|entry| entry.expect("an entry").path());
        paths.find(|path| {
            path.file_name()
                .is_some_and(|it| it.to_string_lossy().starts_with(&name))
        })
    }

    /// The length of the unfinished file; 0 when there is none.
    fn length(&self) -> u64 {
        let file = self.work().map(|dir| dir.join("bundle").metadata());
        file.and_then(Result::ok).map_or(0, |meta| meta.len())
    }

    fn record(&mut self) -> Option<Shown> {
        let mut records = self.scratch.operations(self.repository, &[]);
        records.retain(|record| {
            let output = record.0.pointer("/state/metadata/output");
            output.and_then(serde_json::Value::as_str) == self.out.to_str()
        });
        assert!(records.len() < 2, "{records:?}");
        let record = records.pop()?;
        self.id = Some(record.id().to_owned());
        Some(record)
    }

    /// Kills a process; `None` when all was done before.
    fn kill(&mut self, process: Running, undisturbed: &Undisturbed) -> Option<Blow> {
        if !process.stop() {
            process.wait().ok();
            return None;
        }
        let written = process.written();
        process.kill();
        let record = self.record();
        if let Some(record) = &record
            && record.status() == "completed"
        {
            return None;
        }
        let step = record.as_ref().map_or("none", Shown::step).to_owned();
        let entries = record.as_ref().and_then(|record| match record.step() {
            "entries" | "publish" => record.0.pointer("/progress/processed")?.as_u64(),
            _ => None,
        });
        Some(Blow {
            commits: record.as_ref().map_or(0, Shown::commits),
            committed: undisturbed.offset(entries.unwrap_or(0)),
            length: self.length(),
            step,
            written,
        })
    }

    /// Asserts that the bundle is the very one, and removes it.
    fn check(&self, undisturbed: &Undisturbed) {
        let bytes = std::fs::read(&self.out).expect("the bundle");
        assert!(bytes == undisturbed.bytes, "{} differs", self.out.display());
        assert_eq!(self.work(), None, "left behind");
        std::fs::remove_file(&self.out).expect("it can be removed");
    }
}

#[test]
fn thirty_kills_change_no_byte() {
    let scratch = Scratch::fast(2 << 30);
    let repository = slow(&scratch);
    let undisturbed = Undisturbed::run(&scratch, &repository);
    let beside = undisturbed.beside();
    println!(
        "{:.1?} and {} bytes undisturbed, {beside} of them beside the bundle",
        undisturbed.wall, undisturbed.written
    );
    let mut random = Rng::with_seed(11);
    let mut blows = Vec::new();
    let (mut starting_over, mut sum, mut sum_allowed) = (0, 0, 0);
    for round in 1.. {
        if blows.len() >= KILLS {
            break;
        }
        assert!(round <= KILLS, "bundles are done before they can be killed");
        let mut bundling = Bundling::new(&scratch, &repository, &format!("out-{round}"));
        let mut killed: Vec<Blow> = Vec::new();
        let mut stalls = 0;
        let last = loop {
            let process = bundling.start(random.usize(1..=3));
            let committed = killed.last().map_or(0, |blow| blow.committed);
            let left = 1.0 - committed as f64 / undisturbed.bytes.len() as f64;
            let most = undisturbed.wall.mul_f64(left * 0.3) + Duration::from_millis(250);
            let longer = most.mul_f64(1.4_f64.powi(stalls)).min(undisturbed.wall * 2);
            std::thread::sleep(longer.mul_f64(random.f64()));
            if !process.is_running() {
                let (output, written) = process.wait_counted();
                output.ok();
                break written;
            }
            let Some(blow) = bundling.kill(process, &undisturbed) else {
                break 0;
            };
            let further = killed.last().is_none_or(|last| blow.commits > last.commits);
            stalls = if further { 0 } else { (stalls + 1).min(10) };
            // What it wrote is what it appended to what was committed, and no more.
            let allowed = blow.length.saturating_sub(committed) + beside + (1 << 20);
            assert!(
                blow.written <= allowed,
                "{} bytes written where the bundle went from {committed} to {}",
                blow.written,
                blow.length
            );
            killed.push(blow);
        };
        if bundling.id.is_some() {
            let kills = killed.len() as u64;
            let wrote = killed.iter().map(|blow| blow.written).sum::<u64>() + last;
            // What was not committed when a process died is done again, and no more.
            let tails = killed.iter().map(Blow::tail).sum::<u64>();
            let allowed = undisturbed.written + tails + kills * (beside + (1 << 20));
            println!("round {round}: {kills} kills, {wrote} bytes of at most {allowed}");
            assert!(wrote <= allowed, "{wrote} bytes, {allowed} allowed");
            let lengths = killed.iter().map(|blow| blow.length);
            starting_over += lengths.sum::<u64>() + undisturbed.bytes.len() as u64;
            sum += wrote;
            sum_allowed += allowed;
        }
        bundling.check(&undisturbed);
        blows.append(&mut killed);
    }
    println!("{sum} bytes of at most {sum_allowed}; {starting_over} when starting over");
    let mut steps = std::collections::BTreeMap::<&str, usize>::new();
    for blow in &blows {
        *steps.entry(&blow.step).or_default() += 1;
    }
    println!("{steps:?}");
    assert!(sum < starting_over);
    let between = blows.iter().filter(|blow| blow.commits > 0).count();
    assert!(between * 2 >= blows.len(), "{between} between commits");
}

#[test]
fn pauses_change_no_byte_and_the_printed_line_goes_on() {
    let scratch = Scratch::fast(2 << 30);
    let repository = slow(&scratch);
    let undisturbed = Undisturbed::run(&scratch, &repository);
    let mut random = Rng::with_seed(13);
    let mut paused = 0;
    for round in 1.. {
        if paused >= PAUSES {
            break;
        }
        assert!(round <= 20, "bundles are done before they can be paused");
        let mut bundling = Bundling::new(&scratch, &repository, &format!("out-{round}"));
        while let Some(output) = pause(&mut bundling, &undisturbed, &mut random) {
            paused += 1;
            let line = printed(&output);
            assert!(line.contains("--format git"), "{line}");
            let id = bundling.id.as_deref().expect("it said its id");
            assert!(!bundling.out.exists(), "half a bundle");
            let shown = scratch.mug(&repository, &["resume", "continue", id]).ok();
            assert!(shown.stdout.contains("--format git"), "{shown}");
            bundling.line = Some(line);
        }
        bundling.check(&undisturbed);
    }
}

/// Goes on in a process that is paused somewhere; what it said, unless it was done before.
fn pause(bundling: &mut Bundling, undisturbed: &Undisturbed, random: &mut Rng) -> Option<Output> {
    let left = undisturbed.bytes.len() as u64 - bundling.length();
    let goal = bundling.length() + random.u64(..=left / 2);
    let process = bundling.start(2);
    end_to_end::wait_until("it comes so far", || {
        // From then on a signal pauses; before that it ends the process.
        let told = id_told(&process.stderr());
        let far = told.is_some() && {
            bundling.id = told;
            bundling.length() >= goal
        };
        far || !process.is_running()
    });
    if !process.stop() {
        process.wait().ok();
        return None;
    }
    // Standing still, it may have come further than it was seen; it may even be done.
    process.signal(if random.bool() {
        Signal::INT
    } else {
        Signal::TERM
    });
    process.signal(Signal::CONT);
    let output = process.wait();
    match output.code() {
        Some(0) => None,
        _ => Some(output.exits(130)),
    }
}
