//! `mug pack` as the user meets it: what it says, how it is paused and continued,
//! what it refuses.

use std::collections::BTreeMap;
use std::path::Path;

use end_to_end::{Large, Output, Running, Scratch, Shape, Signal, wait_until};
use serde_json::Value;

/// Large enough that what is caught at the start is caught long before the end.
const LARGE: Large = Large {
    files: 100,
    commits: 400,
};

/// Every file of a directory, by its path in it.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(&at).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(dir).expect("it is below");
                let bytes = std::fs::read(&path).expect("a file");
                found.insert(name.display().to_string(), bytes);
            }
        }
    }
    found
}

/// Starts `mug`, and stops it where it is once it has said `told`.
fn caught(scratch: &Scratch, dir: &str, args: &[&str], told: &str) -> Running {
    let running = scratch.spawn_behind(dir, args);
    wait_until("the operation has started", || {
        running.stderr().contains(told) || running.stdout().contains(told) || !running.is_running()
    });
    assert!(
        running.stop_beside_store(scratch, dir),
        "over before it was caught: {}",
        running.stderr()
    );
    running
}

/// What is said once an operation is on record.
const STARTED: &str = "this is op-";

/// Lets a process that was caught go on, with these signals to answer.
fn release(running: &Running, signals: &[Signal]) {
    for signal in signals.iter().chain(&[Signal::CONT]) {
        running.signal(*signal);
    }
}

/// The line that a paused command says it is continued with.
fn command_in(output: &Output) -> String {
    let mut lines = output.stderr.lines();
    lines
        .find(|line| line.starts_with("continue it with:"))
        .unwrap_or_else(|| panic!("no way to continue in {output}"));
    lines.nth(1).expect("the command").trim().to_owned()
}

/// Runs a line as the user's shell would.
fn shell(scratch: &Scratch, dir: &str, line: &str) -> Output {
    let mut command = scratch.command("sh", dir);
    command.args(["-c", line]);
    Running::start(command, &scratch.join("tmp")).wait()
}

fn list(scratch: &Scratch, dir: &str) -> Value {
    scratch.mug(dir, &["--json", "resume"]).ok().json()
}

#[test]
fn a_pack_is_made_and_restored() {
    let scratch = Scratch::new();
    let source = scratch.repository("r", false, Shape::SMALL);
    let output = scratch.mug("r", &["pack", "create", "../out"]).ok();
    assert!(output.stdout.starts_with("../out: "), "{output}");
    assert!(output.stderr.starts_with("packing "), "{output}");
    let refs = |dir: &Path| scratch.git(dir, &["show-ref", "--head", "--dereference"]);
    for (target, options) in [("bare.git", &["--bare"][..]), ("plain", &[])] {
        let args = [&["pack", "restore", "out", target], options].concat();
        let output = scratch.mug(".", &args).ok();
        assert!(output.stdout.starts_with(target), "{output}");
        let target = scratch.join(target);
        scratch.git(&target, &["fsck", "--full", "--strict"]);
        assert_eq!(refs(&target), refs(&source));
    }
    assert_eq!(scratch.git("plain", &["status", "--porcelain"]), "");
    let done = list(&scratch, "r");
    assert_eq!(done[0]["status"], "completed");
    assert_eq!(
        done[0]["progress"]["processed"],
        done[0]["progress"]["total"]
    );
}

#[test]
fn a_signal_pauses_and_the_printed_command_continues() {
    let scratch = Scratch::new();
    LARGE.make(&scratch, "r with space");
    scratch
        .mug("r with space", &["pack", "create", "../undisturbed"])
        .ok();
    let expected = files(&scratch.join("undisturbed"));
    for (number, signal) in [Signal::INT, Signal::TERM, Signal::HUP]
        .into_iter()
        .enumerate()
    {
        let out = format!("../out {number}");
        // From elsewhere, so that the command has to name the place.
        let args = ["-C", "r with space", "pack", "create", &out];
        let running = caught(&scratch, ".", &args, STARTED);
        release(&running, &[signal]);
        let output = running.wait().exits(130);
        assert!(output.stderr.contains("saving"), "{output}");
        assert!(output.stderr.contains("is paused"), "{output}");
        assert!(!scratch.join(format!("out {number}/manifest.json")).exists());
        let op = list(&scratch, "r with space")[0].clone();
        assert_eq!(op["status"], "paused");
        shell(&scratch, ".", &command_in(&output)).ok();
        assert_eq!(
            files(&scratch.join(format!("out {number}"))),
            expected,
            "{signal:?}"
        );
        assert_eq!(list(&scratch, "r with space")[0]["status"], "completed");
    }
}

#[test]
fn a_second_ctrl_c_loses_nothing() {
    let scratch = Scratch::new();
    LARGE.make(&scratch, "r.git");
    let running = caught(&scratch, "r.git", &["pack", "create", "../out"], STARTED);
    // Two that wait together are one.
    release(&running, &[Signal::INT]);
    wait_until("it was heard", || {
        running.stderr().contains("saving") || !running.is_running()
    });
    running.signal(Signal::INT);
    running.wait().exits(130);
    let op = list(&scratch, "r.git")[0].clone();
    assert_eq!(op["status"], "paused");
    let id = op["id"].as_str().expect("an id");
    scratch
        .mug("r.git", &["resume", "continue", id, "--run"])
        .ok();
    scratch.mug(".", &["pack", "restore", "out", "new"]).ok();
    scratch.git("new", &["fsck", "--full", "--strict"]);
}

#[test]
fn another_process_pauses_it() {
    let scratch = Scratch::new();
    LARGE.make(&scratch, "r.git");
    let running = caught(&scratch, "r.git", &["pack", "create", "../out"], STARTED);
    let op = list(&scratch, "r.git")[0].clone();
    assert_eq!(op["status"], "running");
    let id = op["id"].as_str().expect("an id");
    // Whoever has it is named, and nobody else gets it.
    let args = ["pack", "create", "../out", "--resume", id];
    let output = scratch.mug("r.git", &args).exits(5);
    let owner = format!("driven by process {}", running.pid());
    assert!(output.stderr.contains(&owner), "{output}");
    scratch.mug("r.git", &["resume", "delete", id]).exits(5);
    release(&running, &[]);
    let output = scratch.mug("r.git", &["resume", "pause", id]).ok();
    assert!(output.stderr.contains("is paused"), "{output}");
    // It has paused by now, so the next one gets it at once; whether the first one still
    // says how it goes on depends on whether it does already.
    let at_once = scratch.mug("r.git", &args).ok();
    assert!(at_once.stderr.contains("continuing"), "{at_once}");
    let output = running.wait().exits(130);
    assert!(
        output.stderr.contains("as another process asked"),
        "{output}"
    );
    scratch.mug("r.git", &args).exits(1);
}

#[test]
fn a_restore_is_paused_and_continued() {
    let scratch = Scratch::new();
    let source = LARGE.make(&scratch, "r.git");
    scratch.mug("r.git", &["pack", "create", "../out"]).ok();
    let restore = ["pack", "restore", "out", "new.git", "--bare"];
    let running = caught(&scratch, ".", &restore, STARTED);
    release(&running, &[Signal::INT]);
    let output = running.wait().exits(130);
    // It is seen from here, although its repository does not exist yet.
    let op = list(&scratch, ".")[0].clone();
    assert_eq!(op["kind"], "pack-restore");
    assert_eq!(op["status"], "paused");
    // The same again is not begun beside it.
    let again = scratch.mug(".", &restore).exits(1);
    assert!(
        again
            .stderr
            .contains("an earlier run of this command is paused"),
        "{again}"
    );
    let id = op["id"].as_str().expect("an id");
    scratch
        .mug(".", &["pack", "restore", "out", "other", "--resume", id])
        .exits(1);
    shell(&scratch, ".", &command_in(&output)).ok();
    scratch.git("new.git", &["fsck", "--full", "--strict"]);
    let refs = |dir: &Path| scratch.git(dir, &["show-ref", "--head"]);
    assert_eq!(refs(&scratch.join("new.git")), refs(&source));
}

#[test]
fn what_contradicts_the_operation_is_refused() {
    let scratch = Scratch::new();
    LARGE.make(&scratch, "r.git");
    scratch.git("r.git", &["branch", "light", "main"]);
    scratch.git("r.git", &["branch", "topic", "main"]);
    let args = ["pack", "create", "../out", "main", "light"];
    let running = caught(&scratch, "r.git", &args, STARTED);
    release(&running, &[Signal::INT]);
    running.wait().exits(130);
    let op = list(&scratch, "r.git")[0].clone();
    let id = op["id"].as_str().expect("an id");
    let resume = |args: &[&str]| {
        let args = [&["pack", "create"], args, &["--resume", id]].concat();
        scratch.mug("r.git", &args)
    };
    let output = resume(&["../elsewhere"]).exits(2);
    assert!(output.stderr.contains("not to"), "{output}");
    let output = resume(&["../out", "topic"]).exits(2);
    assert!(
        output.stderr.contains("packs main light, not topic"),
        "{output}"
    );
    let args = ["pack", "create", "../out", "--resume", "op-none"];
    scratch.mug("r.git", &args).exits(1);
    // What is not given is what was given before; the number of threads is free.
    resume(&["../out", "--threads", "1"]).ok();
    let output = resume(&["../out"]).exits(1);
    assert!(output.stderr.contains("completed already"), "{output}");
}

#[test]
fn json_is_one_message_a_line() {
    let scratch = Scratch::new();
    LARGE.make(&scratch, "r.git");
    let create = |out: &'static str| ["--json", "pack", "create", out];
    let running = caught(&scratch, "r.git", &create("../out"), "\n");
    release(&running, &[Signal::INT]);
    let output = running.wait().exits(130);
    let messages = output.json_lines();
    assert_eq!(messages[0]["message_type"], "started");
    let last = messages.last().expect("a last one");
    assert_eq!(last["message_type"], "error");
    assert_eq!(last["kind"], "paused");
    assert_eq!(last["exit_code"], 130);
    let command = last["command"].as_str().expect("a command");
    let messages = shell(&scratch, "r.git", &format!("{command} --json"))
        .ok()
        .json_lines();
    assert_eq!(messages[0]["message_type"], "resumed");
    let progress: Vec<&Value> = messages
        .iter()
        .filter(|message| message["message_type"] == "progress")
        .collect();
    assert!(!progress.is_empty());
    assert!(progress.iter().all(|message| message["step"].is_string()));
    let last = messages.last().expect("a last one");
    assert_eq!(last["message_type"], "summary");
    assert!(last["output"]["objects"].as_u64().expect("a number") > 400);
    // An error before anything starts.
    let messages = scratch
        .mug("r.git", &create("objects"))
        .exits(1)
        .json_lines();
    assert_eq!(messages.last().expect("one")["message_type"], "error");
}

#[test]
fn a_reader_that_goes_away_does_not_stop_it() {
    let scratch = Scratch::new();
    scratch.repository("r.git", true, Shape::SMALL);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = scratch.mug_command("r.git", &["--json", "pack", "create", "../out"]);
    let status = command.stdout(writer).status().expect("it runs");
    assert_eq!(status.code(), Some(0));
    assert!(scratch.join("out/manifest.json").exists());
}

#[test]
fn quiet_is_quiet() {
    let scratch = Scratch::new();
    scratch.repository("r.git", true, Shape::SMALL);
    let output = scratch
        .mug("r.git", &["-q", "pack", "create", "../out"])
        .ok();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
    let args = ["--progress", "never", "pack", "create", "../out-2"];
    let output = scratch.mug("r.git", &args).ok();
    assert_eq!(output.stderr.lines().count(), 2, "{output}");
    // Errors are told all the same.
    let output = scratch
        .mug("r.git", &["-q", "pack", "create", "objects"])
        .exits(1);
    assert!(output.stderr.starts_with("error: "), "{output}");
}

#[test]
fn lines_are_few_and_plain() {
    let scratch = Scratch::new();
    LARGE.make(&scratch, "r.git");
    let output = scratch.mug("r.git", &["pack", "create", "../out"]).ok();
    assert!(!output.stderr.contains(['\u{1b}', '\r']), "{output}");
    // What is said at first, and at most a line for each of the six steps unless
    // it takes ten seconds.
    let lines = output.stderr.lines().count();
    assert!((2..=2 + 6 + 12).contains(&lines), "{output}");
}

#[test]
fn what_cannot_be_done_is_said_before_it_is_begun() {
    let scratch = Scratch::new();
    scratch.repository("r.git", true, Shape::SMALL);
    std::fs::create_dir(scratch.join("full")).expect("a directory");
    std::fs::write(scratch.join("full/file"), "x").expect("a file");
    let output = scratch
        .mug("r.git", &["pack", "create", "../full"])
        .exits(1);
    assert!(output.stderr.contains("not empty"), "{output}");
    let output = scratch
        .mug("r.git", &["pack", "create", "../out", "no-such-ref"])
        .exits(1);
    assert!(output.stderr.contains("no-such-ref"), "{output}");
    let output = scratch.mug(".", &["pack", "create", "out"]).exits(1);
    assert!(output.stderr.contains("no Git repository"), "{output}");
    let output = scratch
        .mug(".", &["pack", "restore", "full", "new"])
        .exits(1);
    assert!(output.stderr.contains("full"), "{output}");
    let output = scratch.mug(".", &["-C", "nowhere", "resume"]).exits(2);
    assert!(output.stderr.contains("nowhere"), "{output}");
    assert_eq!(list(&scratch, "r.git"), serde_json::json!([]));
    assert!(!scratch.join("new").exists() && !scratch.join("out").exists());
}

#[test]
fn usr1_is_answered_whatever_the_options() {
    let scratch = Scratch::new();
    LARGE.make(&scratch, "r.git");
    let args = ["--progress", "never", "pack", "create", "../out"];
    let running = caught(&scratch, "r.git", &args, STARTED);
    assert_eq!(running.stderr().lines().count(), 2);
    release(&running, &[Signal::USR1]);
    let output = running.wait().ok();
    assert_eq!(output.stderr.lines().count(), 3, "{output}");
}
