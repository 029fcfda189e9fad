//! `mug pack verify` and `mug pack stats`: what is wrong is said, and a verification
//! that is killed goes on where it was.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use end_to_end::{FrameMap, Large, Output, Running, Scratch, Shape, Signal};
use end_to_end::{frame_file, id_told, printed, wait_until};
use serde_json::Value;

/// Turns a byte over.
fn flip(path: &Path, at: u64) {
    let options = OpenOptions::new().read(true).write(true).open(path);
    let file = options.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("a byte");
    file.write_all_at(&[!byte[0]], at).expect("it is written");
}

/// A small repository's pack.
fn small(scratch: &Scratch) -> PathBuf {
    scratch.repository("r.git", true, Shape::SMALL);
    scratch.mug("r.git", &["pack", "create", "../pack"]).ok();
    scratch.join("pack")
}

/// The report of a verification that ended, as JSON.
fn report(lines: &[Value]) -> &Value {
    let summary = lines
        .iter()
        .find(|line| line["message_type"] == "summary")
        .expect("a summary");
    &summary["output"]
}

#[test]
fn a_sound_pack_needs_no_repository_to_be_verified() {
    let scratch = Scratch::new();
    small(&scratch);
    fs::remove_dir_all(scratch.join("r.git")).expect("it can be removed");
    let output = scratch.mug(".", &["pack", "verify", "pack"]).ok();
    assert!(output.stdout.contains("all checksums match"), "{output}");
    let output = scratch.mug(".", &["pack", "verify", "--full", "pack"]).ok();
    assert!(output.stdout.contains("nothing is missing"), "{output}");
    // The state is the user's own, and nobody else's to read.
    assert!(scratch.join("state/mug/store").is_dir());
    let lines = scratch
        .mug(".", &["--json", "pack", "verify", "--full", "pack"])
        .ok()
        .json_lines();
    let report = report(&lines);
    assert_eq!(report["sound"], report["objects"]);
    assert_eq!(report["connected"], true);
    assert_eq!(report["damages"], Value::Array(vec![]));
    assert_eq!(lines.last().expect("a last one")["message_type"], "summary");
    let quiet = scratch.mug(".", &["-q", "pack", "verify", "pack"]).ok();
    assert_eq!(quiet.stdout + &quiet.stderr, "");
}

#[test]
fn a_place_for_state_is_not_needed() {
    let scratch = Scratch::new();
    small(&scratch);
    let mut command = scratch.mug_command(".", &["pack", "verify", "--full", "pack"]);
    command.env_remove("HOME").env_remove("XDG_STATE_HOME");
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("it can't be continued"), "{told}");
}

#[test]
fn damage_is_told_with_its_place_and_exits_1() {
    let scratch = Scratch::new();
    let pack = small(&scratch);
    let frames = frame_file(&pack).expect("frames");
    flip(&frames, 100);
    fs::write(pack.join("note\u{1b}[2J"), "mine").expect("a file");
    for options in [
        &["pack", "verify", "pack"][..],
        &["pack", "verify", "--full", "pack"],
    ] {
        let output = scratch.mug(".", options).exits(1);
        assert!(output.stdout.contains("frames-0000, frame "), "{output}");
        assert!(
            output.stdout.contains("does not match its checksum"),
            "{output}"
        );
        assert!(output.stdout.contains("no part of the pack"), "{output}");
        assert!(output.stderr.contains("pack is damaged"), "{output}");
        assert!(!output.stdout.contains('\u{1b}'), "{output}");
    }
    let lines = scratch
        .mug(".", &["--json", "pack", "verify", "--full", "pack"])
        .exits(1)
        .json_lines();
    let damages = report(&lines)["damages"].as_array().expect("a list");
    assert!(
        damages.iter().any(|it| it["kind"] == "frame"),
        "{damages:?}"
    );
    assert!(
        damages.iter().any(|it| it["kind"] == "stranger"),
        "{damages:?}"
    );
    let last = lines.last().expect("a last one");
    assert_eq!(last["message_type"], "error");
    assert_eq!(last["exit_code"], 1);
    // Restoring from it gives nothing rather than something wrong.
    let output = scratch
        .mug(".", &["pack", "restore", "pack", "new.git", "--bare"])
        .exits(1);
    assert!(
        output.stderr.contains("does not match its checksum"),
        "{output}"
    );
    assert!(!scratch.join("new.git/HEAD").exists());
}

#[test]
fn what_is_no_pack_is_refused() {
    let scratch = Scratch::new();
    let pack = small(&scratch);
    for dir in ["nothing", "home", "r.git"] {
        let output = scratch.mug(".", &["pack", "verify", dir]).exits(1);
        assert!(output.stderr.contains("holds no finished pack"), "{output}");
        let output = scratch.mug(".", &["pack", "stats", dir]).exits(1);
        assert!(output.stderr.contains("holds no finished pack"), "{output}");
    }
    // A manifest that can't be read is a damage.
    fs::write(pack.join("manifest.json"), "{}").expect("it is written");
    let output = scratch.mug(".", &["pack", "verify", "pack"]).exits(1);
    assert!(output.stdout.starts_with("manifest.json: "), "{output}");
    let newer = r#"{"format": "mug-pack", "version": 9, "object_hash": "sha1"}"#;
    fs::write(pack.join("manifest.json"), newer).expect("it is written");
    let output = scratch.mug(".", &["pack", "verify", "pack"]).exits(1);
    assert!(output.stderr.contains("use a newer mug"), "{output}");
}

#[test]
fn figures_of_a_pack() {
    let scratch = Scratch::new();
    small(&scratch);
    let output = scratch.mug(".", &["pack", "stats", "pack"]).ok();
    for name in ["objects", "commits", "trees", "frames", "stored", "index"] {
        assert!(output.stdout.contains(name), "{output}");
    }
    let args = ["--json", "pack", "stats", "pack", "--repository", "r.git"];
    let stats = scratch.mug(".", &args).ok().json();
    let count = scratch.git("r.git", &["rev-list", "--all", "--objects", "--count"]);
    assert_eq!(stats["total"]["objects"].to_string(), count);
    assert_eq!(stats["total"]["kinds"]["commit"]["objects"], 5);
    assert_eq!(stats["layers"].as_array().map(Vec::len), Some(1));
    assert_eq!(stats["git"]["missing"], 0);
    assert!(stats["ratio"].as_f64().expect("a ratio") > 0.0);
    let args = ["pack", "stats", "pack", "--repository", "r.git"];
    let output = scratch.mug(".", &args).ok();
    assert!(output.stdout.contains("for the same objects"), "{output}");
}

/// A pack of hundreds of frames, three of them damaged.
fn large(scratch: &Scratch) -> (PathBuf, FrameMap) {
    let shape = Large {
        files: 300,
        commits: 2_000,
    };
    let source = shape.make(scratch, "source.git");
    let pack = scratch.join("pack");
    let out = pack.to_str().expect("a scratch path is text");
    scratch.mug(&source, &["pack", "create", out]).ok();
    let file = frame_file(&pack).expect("frames");
    let frames = FrameMap::read(&file);
    assert!(frames.len() > 300, "{}", frames.len());
    for number in [0, frames.len() / 2, frames.len() - 1] {
        flip(&file, frames.bytes_before(number) + 20);
    }
    (pack, frames)
}

#[test]
fn a_verification_through_kills_reads_nothing_twice_and_finds_the_same() {
    let scratch = Scratch::fast(1 << 30);
    let (pack, frames) = large(&scratch);
    let out = pack.to_str().expect("a scratch path is text");
    let args = ["--json", "pack", "verify", "--full", "--threads", "1", out];
    let (output, read) = read_to_its_end(scratch.spawn(".", &args));
    let undisturbed = output.exits(1).json_lines();
    let stored = frames.bytes_before(frames.len());
    // Index, refs, the program itself.
    let beside = read.checked_sub(stored).expect("all frames were read");
    println!("{stored} bytes of frames, {beside} beside them");

    let (mut kills, mut held) = (0, 0);
    for round in 1.. {
        if held >= 3 {
            break;
        }
        assert!(round <= 20, "verifications end before they can be killed");
        let mut id: Option<String> = None;
        let mut committed = 0;
        // Processes that were killed before they could commit anything.
        let mut stalls = 0;
        // Until half of it is done and committed.
        let ended = loop {
            let process = resumed(&scratch, &args, id.as_deref());
            let enough = beside + stored / 4 * (1 + stalls);
            wait_until("it has read a quarter, or ended", || {
                !process.is_running() || process.bytes_read() >= enough
            });
            if !process.stop() {
                break true;
            }
            process.kill();
            kills += 1;
            let records = scratch.operations(".", &["--paused"]);
            let Some(record) = records.first() else {
                // Its last commit came before the kill.
                break true;
            };
            assert!(record.bytes() >= committed, "{record:?}");
            stalls = if record.bytes() > committed {
                0
            } else {
                stalls + 1
            };
            committed = record.bytes();
            id = Some(record.id().to_owned());
            if committed >= stored / 2 {
                break false;
            }
        };
        if ended {
            continue;
        }
        let (output, read) = read_to_its_end(resumed(&scratch, &args, id.as_deref()));
        let output = output.exits(1).json_lines();
        assert_eq!(report(&output), report(&undisturbed));
        // What was verified and committed is not read again.
        let left = stored - committed;
        println!("round {round}: {left} bytes were left, {read} read");
        assert!(
            read <= left + beside + 2 * frames.longest() + (1 << 16),
            "{read} bytes read, {left} were left, {beside} beside"
        );
        held += 1;
    }
    println!("{kills} kills");
}

/// The operation in a new process.
fn resumed(scratch: &Scratch, args: &[&str], id: Option<&str>) -> Running {
    let mut args = args.to_vec();
    args.extend(id.iter().flat_map(|id| ["--resume", id]));
    scratch.spawn_behind(".", &args)
}

/// What it ended with, and what it read.
fn read_to_its_end(process: Running) -> (Output, u64) {
    wait_until("it ends", || !process.is_running());
    // It is dead, but its counters are kept until it is waited for.
    let read = process.bytes_read();
    (process.wait(), read)
}

#[test]
fn a_signal_pauses_and_the_printed_command_continues() {
    let scratch = Scratch::new();
    let (pack, _) = large(&scratch);
    let out = pack.to_str().expect("a scratch path is text");
    let process = scratch.spawn_behind(".", &["pack", "verify", "--full", out]);
    wait_until("the operation has started", || {
        id_told(&process.stderr()).is_some() || !process.is_running()
    });
    assert!(process.stop(), "over before it was caught");
    process.signal(Signal::INT);
    process.signal(Signal::CONT);
    let output = process.wait().exits(130);
    assert!(output.stderr.contains("is paused"), "{output}");
    let line = printed(&output);
    let mut command = scratch.command("sh", ".");
    let output = command.args(["-c", &line]).output().expect("sh runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{stdout}");
    assert_eq!(
        stdout.matches("does not match its checksum").count(),
        3,
        "{stdout}"
    );
}
