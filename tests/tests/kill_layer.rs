//! `mug pack create` into a pack that is there, under kill -9: the layer is the very
//! one, and the pack is what it was until the end.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use end_to_end::{Large, Running, Scratch, assert_same, files};
use fastrand::Rng;

/// Kills to be reached, over as many layers as it takes.
const KILLS: usize = 20;
/// Of these, how many must come after a commit.
const COMMITTED: usize = 5;

#[test]
fn twenty_kills_change_no_byte_of_a_layer_or_of_what_was_there() {
    let scratch = Scratch::fast(1 << 30);
    let shape = Large {
        files: 120,
        commits: 4_000,
    };
    let repository = shape.make(&scratch, "large.git");
    scratch.git(&repository, &["branch", "old", "main~2500"]);
    create(&scratch, &repository, "base", &["old"]);
    let base = scratch.join("base");
    let undisturbed = scratch.join("undisturbed");
    copy(&base, &undisturbed);
    let start = Instant::now();
    create(&scratch, &repository, "undisturbed", &[]);
    let wall = start.elapsed();
    println!("a layer in {wall:.1?} undisturbed");

    let mut random = Rng::with_seed(0x6c61_7965);
    let (mut kills, mut committed) = (0, 0);
    for round in 1.. {
        if kills >= KILLS && committed >= COMMITTED {
            break;
        }
        assert!(round <= 60, "{kills} kills, {committed} after a commit");
        let out = scratch.join("out");
        copy(&base, &out);
        let mut id: Option<String> = None;
        let (mut commits, mut stalls) = (0, 0);
        loop {
            let threads = random.usize(1..=3).to_string();
            let mut args = vec!["pack", "create", "../out", "--threads", &threads];
            if let Some(id) = &id {
                args.extend(["--resume", id]);
            }
            let process = scratch.spawn(&repository, &args);
            // Where commits are far apart, a process must be given longer to reach one.
            let most = wall.mul_f64(0.4 * 1.4_f64.powi(stalls));
            let delay = most.mul_f64(random.f64());
            if !await_moment(&process, &out, random.bool(), delay) {
                process.wait().ok();
                break;
            }
            let output = process.kill();
            if output.code() == Some(0) {
                break;
            }
            assert_eq!(output.code(), None, "{output}");
            kills += 1;
            let records = scratch.operations(&repository, &["--paused"]);
            stalls += 1;
            if let Some(record) = records.first() {
                committed += usize::from(record.commits() > 0);
                if record.commits() > commits {
                    (commits, stalls) = (record.commits(), 0);
                }
                id = Some(record.id().to_owned());
            } else if !scratch.operations(&repository, &["--completed"]).is_empty() {
                // It was done, and could not say so.
                break;
            }
            if !out
                .join("layers")
                .read_dir()
                .is_ok_and(|dir| dir.count() > 1)
            {
                untouched(&base, &out);
            }
        }
        assert_same(&out, &undisturbed);
        fs::remove_dir_all(&out).expect("the pack can be removed");
        for record in scratch.operations(&repository, &[]) {
            scratch
                .mug(&repository, &["resume", "delete", record.id()])
                .ok();
        }
    }
    println!("{kills} kills, {committed} after a commit");
    scratch
        .mug(".", &["pack", "verify", "undisturbed", "--full"])
        .ok();
    scratch
        .mug(
            ".",
            &["pack", "restore", "undisturbed", "new.git", "--bare"],
        )
        .ok();
    let refs = |dir: &Path| scratch.git(dir, &["for-each-ref"]);
    assert_eq!(refs(&scratch.join("new.git")), refs(&repository));
}

fn create(scratch: &Scratch, repository: &Path, out: &str, refs: &[&str]) {
    let out = format!("../{out}");
    let args = [&["pack", "create", &out], refs].concat();
    scratch.mug(repository, &args).ok();
}

/// Waits for the moment to kill: so long after the start, or after the work has
/// begun; `false` when the process has ended before.
fn await_moment(process: &Running, out: &Path, at_work: bool, delay: Duration) -> bool {
    let begun = || {
        let mut names = files(out).into_keys();
        !at_work || names.any(|name| name.to_string_lossy().starts_with(".mug-"))
    };
    while process.is_running() {
        if begun() {
            std::thread::sleep(delay);
            return process.is_running();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

/// Asserts that what was in the pack is as it was.
fn untouched(base: &Path, out: &Path) {
    for (name, length) in files(base) {
        if length.is_some() {
            let read = |dir: &Path| fs::read(dir.join(&name)).expect("a file of the pack");
            assert!(read(base) == read(out), "{} changed", name.display());
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for (name, length) in files(from) {
        let target: PathBuf = to.join(&name);
        let dir = if length.is_some() {
            target.parent().expect("it is below")
        } else {
            &target
        };
        fs::create_dir_all(dir).expect("a directory");
        if length.is_some() {
            fs::copy(from.join(&name), &target).expect("a copy");
        }
    }
}
