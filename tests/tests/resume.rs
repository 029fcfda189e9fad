//! `mug resume`: what operations there are, and what can be done with them.

use std::time::Duration;

use end_to_end::{Records, Scratch};
use mug::core::resume::{OperationStatus, OperationType};
use serde_json::{Value, json};

use OperationStatus::{Completed, Failed, Paused, Running};

/// A scratch directory with a small repository `r`, and its records.
fn setup() -> (Scratch, Records) {
    let scratch = Scratch::new();
    scratch.git(".", &["init", "--quiet", "r"]);
    let records = scratch.records("r");
    (scratch, records)
}

fn ids(list: &Value) -> Vec<&str> {
    let records = list.as_array().expect("a list");
    records
        .iter()
        .map(|record| record["id"].as_str().expect("an id"))
        .collect()
}

#[test]
fn an_empty_list_says_what_to_do() {
    let (scratch, _records) = setup();
    for args in [&["resume"][..], &["resume", "list"]] {
        let output = scratch.mug("r", args).ok();
        assert_eq!(output.stdout, "");
        assert!(output.stderr.contains("mug pack create <dir>"), "{output}");
    }
    let output = scratch.mug("r", &["resume", "list", "--failed"]).ok();
    assert!(output.stderr.contains("`mug resume` lists all"), "{output}");
    assert_eq!(
        scratch.mug("r", &["--json", "resume"]).ok().json(),
        json!([])
    );
    assert_eq!(
        scratch.mug(".", &["--json", "resume"]).ok().json(),
        json!([])
    );
}

#[test]
fn looking_leaves_nothing_behind() {
    let scratch = Scratch::new();
    scratch.repository("r", false, end_to_end::Shape::SMALL);
    scratch.mug("r", &["resume"]).ok();
    scratch.mug("r", &["resume", "cleanup", "--all"]).ok();
    scratch.mug("r", &["resume", "show", "op-1"]).exits(1);
    assert!(!scratch.join("r/.git/mug").exists());
    assert!(!scratch.join("state/mug").exists());
}

#[test]
fn the_list_has_a_line_for_each_operation() {
    let (scratch, records) = setup();
    let first = records.create(OperationType::Pack, Paused);
    let second = records.create(OperationType::Clone, Running);
    let output = scratch.mug("r", &["resume"]).ok();
    let lines: Vec<&str> = output.stdout.lines().collect();
    let words = |line: usize| lines[line].split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(0), "ID TYPE STATUS PROGRESS STEP UPDATED");
    let line = |id: &str, rest: &str| format!("{} {rest} 45% 45/100 counting just now", &id[..11]);
    assert_eq!(words(1), line(&second.id, "clone running"));
    assert_eq!(words(2), line(&first.id, "pack paused"));
    assert_eq!(lines.len(), 3, "{output}");
    assert_eq!(output.stderr, "");
}

#[test]
fn filters_add_up() {
    let (scratch, records) = setup();
    let all = OperationStatus::ALL.map(|status| records.create(OperationType::Push, status).id);
    let list = |args: &[&str]| {
        let args = [&["resume", "list", "--json"], args].concat();
        let list = scratch.mug("r", &args).ok().json();
        let mut found: Vec<String> = ids(&list).into_iter().map(str::to_owned).collect();
        found.reverse();
        found
    };
    let [running, paused, completed, failed] = &all;
    assert_eq!(list(&[]), all);
    assert_eq!(list(&["--paused"]), std::slice::from_ref(paused));
    assert_eq!(list(&["--running"]), std::slice::from_ref(running));
    assert_eq!(list(&["--completed"]), std::slice::from_ref(completed));
    assert_eq!(
        list(&["--failed", "--running"]),
        [running.clone(), failed.clone()]
    );
    let short = scratch.mug("r", &["resume", "--json", "--paused"]).ok();
    assert_eq!(ids(&short.json()), [paused]);
    scratch
        .mug("r", &["resume", "--paused", "show", paused])
        .exits(2);
}

#[test]
fn json_is_the_record_as_documented() {
    let (scratch, records) = setup();
    let op = records.create(OperationType::Fetch, Failed);
    let list = scratch.mug("r", &["--json", "resume"]).ok().json();
    let show = scratch
        .mug("r", &["--json", "resume", "show", &op.id])
        .ok()
        .json();
    for record in [&list[0], &show] {
        assert_eq!(record["id"], op.id);
        assert_eq!(record["op_type"], "fetch");
        assert_eq!(record["status"], "failed");
        for time in ["created_at", "started_at", "last_updated"] {
            let text = record[time].as_str().expect("a time");
            assert!(text.starts_with("20") && text.contains('T'), "{text}");
        }
        assert_eq!(
            record["state"],
            json!({
                "checkpoint": r#"{"at":45}"#,
                "current_step": "counting",
                "total_steps": 3,
                "error_message": "it broke",
                "metadata": { "source": "here" },
            })
        );
        assert_eq!(
            record["progress"],
            json!({ "processed": 45, "total": 100, "bytes_processed": 4500, "total_bytes": 10000 })
        );
        let place = scratch
            .path()
            .canonicalize()
            .expect("it is there")
            .join("r");
        assert_eq!(record["repository"], json!(place));
    }
    assert_eq!(show["journal"], Value::Null);
    let more = ["--json", "-v", "resume", "show", &op.id];
    let journal = scratch.mug("r", &more).ok().json()["journal"].clone();
    let kinds: Vec<&Value> = journal
        .as_array()
        .expect("a journal")
        .iter()
        .map(|event| &event["kind"])
        .collect();
    assert_eq!(kinds, ["created", "step", "failed"]);
}

#[test]
fn show_tells_all() {
    let (scratch, records) = setup();
    let op = records.create(OperationType::Rebase, Failed);
    let output = scratch.mug("r", &["resume", "show", &op.id]).ok();
    let has = |name: &str, value: &str| {
        let found = output.stdout.lines().any(|line| {
            let line = line.trim_start();
            line.strip_prefix(name)
                .is_some_and(|rest| rest.trim_start().starts_with(value))
        });
        assert!(found, "no {name}: {value} in {output}");
    };
    assert!(
        output.stdout.starts_with(&format!("{}\n", op.id)),
        "{output}"
    );
    has("type", "rebase");
    has("status", "failed");
    has("progress", "45%, 45/100 items, 4.39 KiB/9.77 KiB");
    has("step", "counting (of 3 steps)");
    has("error", "it broke");
    has("created", "20");
    has("started", "20");
    has("updated", "20");
    has("metadata", "source: here");
    assert!(!output.stdout.contains("journal"), "{output}");
    let output = scratch.mug("r", &["-v", "resume", "show", &op.id]).ok();
    let journal = output
        .stdout
        .split("\njournal\n")
        .nth(1)
        .expect("a journal");
    for event in ["created", "step", "failed"] {
        assert!(journal.contains(event), "{output}");
    }
}

#[test]
fn ids_are_found_by_their_beginning() {
    let (scratch, records) = setup();
    let mut made: Vec<String> = Vec::new();
    // Sixteen digits: two of seventeen begin alike.
    for _ in 0..17 {
        made.push(records.create(OperationType::Pack, Paused).id);
    }
    made.sort();
    let show = |id: &str| scratch.mug("r", &["--json", "resume", "show", id]);
    let whole = &made[0];
    for given in [whole.as_str(), &whole[3..], &whole[..20], &whole[3..20]] {
        assert_eq!(show(given).ok().json()["id"], **whole, "{given}");
    }
    let pair = made.windows(2).find(|pair| pair[0][..4] == pair[1][..4]);
    let [one, other] = pair.expect("two that begin alike") else {
        unreachable!("windows of two");
    };
    let output = show(&one[3..4]).exits(2);
    for id in [one, other] {
        assert!(output.stderr.contains(id), "{output}");
    }
    let error = output.json();
    assert_eq!(error["message_type"], "error");
    assert_eq!(error["exit_code"], 2);
    for unknown in ["op-xyz", "", "op-", "../x"] {
        let output = show(unknown).exits(1);
        assert!(output.stderr.contains("`mug resume` lists"), "{output}");
    }
}

#[test]
fn an_operation_whose_process_died_is_paused() {
    let (scratch, records) = setup();
    let op = records.create(OperationType::Pack, Running);
    let status = || {
        scratch
            .mug("r", &["--json", "resume", "show", &op.id])
            .json()["status"]
            .clone()
    };
    assert_eq!(status(), "running");
    let output = scratch.mug("r", &["resume", "show", &op.id]).ok();
    let running = format!("running in process {}", std::process::id());
    assert!(output.stdout.contains(&running), "{output}");
    drop(records);
    assert_eq!(status(), "paused");
    let output = scratch.mug("r", &["resume"]).ok();
    assert!(output.stdout.contains("paused (interrupted)"), "{output}");
    // To pause it is to write down what is so.
    scratch.mug("r", &["resume", "pause", &op.id]).ok();
    let output = scratch.mug("r", &["resume"]).ok();
    assert!(!output.stdout.contains("interrupted"), "{output}");
    assert_eq!(status(), "paused");
}

#[test]
fn pausing_waits_for_the_process_to_follow() {
    let (scratch, records) = setup();
    let op = records.create(OperationType::Pack, Running);
    let follower = std::thread::spawn({
        let (manager, id) = (records.manager().clone(), op.id.clone());
        move || {
            end_to_end::wait_until("a pause is requested", || {
                manager.pause_requested(&id).expect("it is read")
            });
            // Whoever asked has to wait for this.
            std::thread::sleep(Duration::from_millis(300));
            manager.update_status(&id, Paused).expect("it is stored");
        }
    });
    let output = scratch.mug("r", &["resume", "pause", &op.id]).ok();
    assert_eq!(records.get(&op.id).status, Paused);
    assert!(output.stderr.contains("is paused at 45%"), "{output}");
    follower.join().expect("it followed");
    // Once more changes nothing.
    scratch.mug("r", &["resume", "pause", &op.id]).ok();
}

#[test]
fn pausing_gives_up_on_a_program_that_does_not_follow() {
    let (scratch, records) = setup();
    let op = records.create(OperationType::Pack, Running);
    let output = scratch.mug("r", &["resume", "pause", &op.id]).exits(5);
    assert!(output.stderr.contains("has not followed"), "{output}");
    assert_eq!(records.get(&op.id).status, Running);
    assert!(
        records
            .manager()
            .pause_requested(&op.id)
            .expect("it is read")
    );
}

#[test]
fn what_is_finished_cannot_be_paused() {
    let (scratch, records) = setup();
    for status in [Completed, Failed] {
        let op = records.create(OperationType::Pack, status);
        let output = scratch.mug("r", &["resume", "pause", &op.id]).exits(1);
        assert!(output.stderr.contains("nothing to pause"), "{output}");
    }
}

#[test]
fn only_what_does_not_run_is_deleted() {
    let (scratch, records) = setup();
    let running = records.create(OperationType::Pack, Running);
    let output = scratch
        .mug("r", &["resume", "delete", &running.id])
        .exits(5);
    assert!(output.stderr.contains("mug resume pause"), "{output}");
    for status in [Paused, Completed, Failed] {
        let op = records.create(OperationType::Pack, status);
        scratch.mug("r", &["resume", "delete", &op.id]).ok();
        scratch.mug("r", &["resume", "delete", &op.id]).exits(1);
    }
    let left = scratch.mug("r", &["--json", "resume"]).ok().json();
    assert_eq!(ids(&left), [&running.id]);
}

#[test]
fn a_clean_up_keeps_what_is_work() {
    let (scratch, records) = setup();
    let [running, paused, completed, failed] =
        OperationStatus::ALL.map(|status| records.create(OperationType::Pack, status).id);
    let cleanup = |args: &[&str]| {
        let args = [&["--json", "resume", "cleanup"], args].concat();
        scratch.mug("r", &args).ok().json()["removed"].clone()
    };
    assert_eq!(cleanup(&[]), 0);
    assert_eq!(cleanup(&["--days", "1", "--all"]), 0);
    assert_eq!(cleanup(&["--days", "0"]), 2);
    let exists = |id: &str| records.manager().get(id).expect("it is read").is_some();
    assert!(!exists(&completed) && !exists(&failed));
    assert!(exists(&running) && exists(&paused));
    assert_eq!(cleanup(&["--days", "0", "--all"]), 1);
    assert!(exists(&running) && !exists(&paused));
}

#[test]
fn a_clean_up_removes_what_cannot_be_read() {
    let (scratch, records) = setup();
    let op = records.create(OperationType::Pack, Paused);
    let id = op.id.clone();
    let garbage = records.manager().database().write_blocking(move |txn| {
        txn.put(
            resume_runtime::store::Space::Operations,
            id.as_bytes(),
            b"{",
        )
    });
    garbage.expect("it is written");
    let output = scratch.mug("r", &["resume"]).ok();
    assert!(
        output.stderr.contains("1 record cannot be read"),
        "{output}"
    );
    scratch.mug("r", &["resume", "show", &op.id]).exits(1);
    scratch.mug("r", &["resume", "cleanup", "--days", "0"]).ok();
    let output = scratch.mug("r", &["resume"]).ok();
    assert!(!output.stderr.contains("cannot be read"), "{output}");
}

#[test]
fn from_outside_all_repositories_are_seen() {
    let (scratch, records) = setup();
    scratch.git(".", &["init", "--quiet", "--bare", "other.git"]);
    let others = scratch.records("other.git");
    let op = records.create(OperationType::Pack, Paused);
    let other = others.create(OperationType::Push, Paused);
    let list = scratch.mug(".", &["--json", "resume"]).ok().json();
    assert_eq!(ids(&list), [&other.id, &op.id]);
    let output = scratch.mug(".", &["resume"]).ok();
    assert!(output.stdout.contains("REPOSITORY"), "{output}");
    assert!(output.stdout.contains("/other.git"), "{output}");
    scratch.mug(".", &["resume", "show", &other.id]).ok();
    // In a repository its own are seen, and another one's are not taken for them.
    let list = scratch.mug("r", &["--json", "resume"]).ok().json();
    assert_eq!(ids(&list), [&op.id]);
    let output = scratch.mug("r", &["resume", "delete", &other.id]).exits(1);
    assert!(output.stderr.contains("other.git"), "{output}");
    scratch
        .mug("r", &["-C", "../other.git", "resume", "delete", &other.id])
        .ok();
    scratch
        .mug(".", &["resume", "cleanup", "--days", "0", "--all"])
        .exits(2);
    assert_eq!(records.get(&op.id).status, Paused);
}

#[test]
fn no_control_characters_reach_the_terminal() {
    let (scratch, records) = setup();
    let hostile = "\u{1b}[2J\u{202e}evil\r\u{7}".to_owned();
    let metadata = [(hostile.clone(), hostile.clone())].into();
    let manager = records.manager();
    let op = manager.create(OperationType::Custom, hostile.clone(), metadata);
    let id = op.expect("it is created").id;
    manager
        .update_checkpoint(&id, "{}".to_owned(), hostile.clone(), None)
        .and_then(|()| manager.fail(&id, &hostile))
        .expect("it is stored");
    for args in [
        &["resume"][..],
        &["resume", "show", &id],
        &["-v", "resume", "show", &id],
        &["resume", "continue", &id],
        &["resume", "show", &hostile],
    ] {
        let output = scratch.mug("r", args);
        let text = format!("{}{}", output.stdout, output.stderr);
        let control = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.chars().any(control), "{text:?}");
        assert!(text.contains("evil"), "{output}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let (scratch, records) = setup();
    records.create(OperationType::Pack, Paused);
    for args in [
        &["resume"][..],
        &["--json", "resume"],
        &["completions", "bash"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = scratch.mug_command("r", args);
        let status = command.stdout(writer).status().expect("it runs");
        assert_eq!(status.code(), Some(0), "{args:?}");
    }
    let mut command = scratch.mug_command("r", &["resume"]);
    let full = std::fs::File::options().write(true).open("/dev/full");
    let output = command
        .stdout(full.expect("the device"))
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn continue_says_how_and_makes_nothing_up() {
    let (scratch, records) = setup();
    let op = records.create(OperationType::Pack, Paused);
    let output = scratch.mug("r", &["resume", "continue", &op.id]).exits(1);
    let hint = format!("--resume {}", op.id);
    assert!(output.stderr.contains(&hint), "{output}");
    scratch
        .mug("r", &["resume", "continue", &op.id, "--run"])
        .exits(1);
    let done = records.create(OperationType::Pack, Completed);
    let output = scratch.mug("r", &["resume", "continue", &done.id]).exits(1);
    assert!(output.stderr.contains("completed already"), "{output}");
    let running = records.create(OperationType::Pack, Running);
    scratch
        .mug("r", &["resume", "continue", &running.id])
        .exits(5);
}

#[test]
fn state_files_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let (scratch, records) = setup();
    records.create(OperationType::Pack, Paused);
    let store = scratch.join("r/.git/mug");
    let mut seen = 0;
    for entry in std::fs::read_dir(&store).expect("the store") {
        let path = entry.expect("an entry").path();
        let mode = path.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", path.display());
        seen += 1;
    }
    assert!(seen > 1);
}

#[test]
fn completions_know_every_command() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = scratch.mug(".", &["completions", shell]).ok();
        for word in ["pack", "resume", "cleanup", "restore", "completions"] {
            assert!(output.stdout.contains(word), "{shell}: no {word}");
        }
    }
    scratch.mug(".", &["completions", "cmd"]).exits(2);
}

#[test]
fn every_command_has_a_manual_page() {
    let scratch = Scratch::new();
    scratch.mug(".", &["man", "man/man1"]).ok();
    let page = |name: &str| std::fs::read_to_string(scratch.join(name));
    for (name, text) in [
        ("mug.1", "Exit codes"),
        ("mug-pack-create.1", "threads"),
        ("mug-pack-restore.1", "bare"),
        ("mug-resume-cleanup.1", "days"),
        ("mug-man.1", "manual pages"),
    ] {
        let page = page(&format!("man/man1/{name}")).expect("a page");
        assert!(page.contains(".TH"), "{name}: {page}");
        assert!(page.contains(text), "{name}: {page}");
    }
    // A file is in the way.
    let output = scratch.mug(".", &["man", "man/man1/mug.1/x"]).exits(1);
    assert!(output.stderr.contains("manual pages"), "{output}");
}

#[test]
fn the_version_names_the_commit() {
    let scratch = Scratch::new();
    let output = scratch.mug(".", &["--version"]).ok();
    let version = output.stdout.trim_end();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut git = std::process::Command::new("git");
    let git = git.args(["log", "-1", "--abbrev=10", "--format=%h %cs"]);
    let known = git.current_dir(root).output().expect("git runs");
    let package = env!("CARGO_PKG_VERSION");
    // Sources without their history do not know it. A binary that was handed in may
    // be of another commit.
    if known.status.success() && std::env::var_os("MUG_BINARY").is_none() {
        let commit = String::from_utf8(known.stdout).expect("text");
        assert_eq!(version, format!("mug {package} ({})", commit.trim_end()));
    } else {
        assert!(version.starts_with(&format!("mug {package}")), "{output}");
    }
}

#[test]
fn help_says_what_the_exit_codes_mean() {
    let scratch = Scratch::new();
    let output = scratch.mug(".", &["--help"]).ok();
    for code in ["0", "1", "2", "3", "5", "130"] {
        let line = |line: &str| line.trim_start().starts_with(&format!("{code}  "));
        assert!(output.stdout.lines().any(line), "no {code} in {output}");
    }
}
