//! Pushes that are cut, and that are killed in every step.
#![allow(clippy::print_stdout, reason = "figures of the run, for people")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::pushing::{MAIN, SMALL, assert_pushed, hook, push, pushes, setup, target};
use end_to_end::server::{Body, HttpServer};
use end_to_end::{Scratch, Shown, wait_until};
use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn a_cut_costs_no_more_than_one_increment() {
    let scratch = setup();
    let http = HttpServer::start(&scratch);
    target(&scratch, "whole.git", &[]);
    push(&scratch, &http.url("whole.git"), &["main", SMALL]).ok();
    let undisturbed = http.bodies();
    assert!(undisturbed.len() > 4);
    let longest = undisturbed.iter().map(|it| it.bytes).max().expect("some");
    for seed in 1..=5 {
        let name = format!("cut-{seed}.git");
        let path = target(&scratch, &name, &[]);
        let mut random = Rng::with_seed(seed);
        // Each cut is followed by a body that comes to its end.
        let places = (0..3).flat_map(|_| [Some(random.u64(..longest)), None]);
        let places: Vec<Option<u64>> = places.collect();
        http.forget();
        http.cut_bodies_at(&places);
        let out = push(&scratch, &http.url(&name), &["main", SMALL]).ok();
        assert_eq!(http.body_cuts_left(), 0, "{out}");
        assert_pushed(&scratch, &name, MAIN);
        // What came whole is what comes without cuts, each once, give or take a few bytes of deltas;
        // what was cut was one of these.
        let bodies = http.bodies();
        let (whole, cut): (Vec<Body>, Vec<Body>) = bodies.iter().partition(|it| it.whole);
        assert_eq!(whole.len(), undisturbed.len(), "{seed}: {bodies:?}");
        for (it, other) in whole.iter().zip(&undisturbed) {
            assert!(it.bytes.abs_diff(other.bytes) < 100, "{seed}: {bodies:?}");
        }
        assert_eq!(cut.len(), 3);
        assert_eq!(pushes(&path), whole.len());
    }
}

#[test]
fn a_line_that_breaks_often_gets_shorter_increments() {
    let scratch = setup();
    let http = HttpServer::start(&scratch);
    let path = target(&scratch, "cut.git", &[]);
    let cuts = [30_000, 20_000, 10_000, 5_000, 500, 1, 0];
    http.cut_bodies_at(&cuts.map(Some));
    let out = push(&scratch, &http.url("cut.git"), &["main", SMALL]).ok();
    assert_eq!(http.body_cuts_left(), 0, "{out}");
    assert_pushed(&scratch, "cut.git", MAIN);
    let bodies = http.bodies();
    let (whole, cut): (Vec<Body>, Vec<Body>) = bodies.iter().partition(|it| it.whole);
    assert_eq!((cut.len(), pushes(&path)), (cuts.len(), whole.len()));
    let together: u64 = whole.iter().map(|it| it.bytes).sum();
    target(&scratch, "whole.git", &[]);
    http.forget();
    push(&scratch, &http.url("whole.git"), &["main", SMALL]).ok();
    let undisturbed: u64 = http.bodies().iter().map(|it| it.bytes).sum();
    // That costs some deltas.
    assert!(
        together <= undisturbed * 13 / 10,
        "{together} {undisturbed}"
    );
}

/// Kills it with -9 each time the server has taken one more push, and once while it takes the last
/// one, and continues it.
#[test]
fn killed_after_every_increment_it_sends_none_of_them_twice() {
    let scratch = setup();
    let undisturbed = target(&scratch, "whole.git", &[]);
    push(&scratch, "../whole.git", &["main", "side", SMALL]).ok();
    let path = target(&scratch, "a.git", &[]);
    let words = ["push", "../a.git", "main", "side", SMALL];
    let mut command = words.map(str::to_owned).to_vec();
    let mut seen = 0;
    for round in 0..100 {
        let process = scratch.spawn("local.git", &command);
        wait_until("the server has taken something, or it is over", || {
            pushes(&path) > seen || !process.is_running()
        });
        let out = process.kill();
        seen = pushes(&path);
        if round == 0 {
            let list = scratch.mug("local.git", &["resume", "list", "--paused", "--json"]);
            let list = list.json();
            let id = list[0]["id"].as_str().expect("an operation");
            command = vec!["push".into(), "--resume".into(), id.into()];
        }
        if out.code() == Some(0) {
            break;
        }
    }
    assert_pushed(&scratch, "a.git", &["refs/heads/main", "refs/heads/side"]);
    // The moment between what the server keeps and what the client hears is of no consequence.
    let (whole, killed) = (pushes(&undisturbed), pushes(&path));
    assert!(killed <= whole + 1, "{killed} pushes instead of {whole}");
    assert!(killed >= 4);
}

/// A place where a push stands still, and the step that it is in then.
struct Stop {
    step: &'static str,
    /// What the server is asked for, all commands in one line, as a regular expression.
    asked: Option<&'static str>,
}

const STOPS: [Stop; 5] = [
    Stop {
        step: "prepare",
        asked: None,
    },
    Stop {
        step: "send",
        asked: Some("^0{40} [0-9a-f]{40} refs/mug"),
    },
    Stop {
        step: "send",
        asked: Some("refs/heads/main $"),
    },
    Stop {
        step: "clean",
        asked: Some("^([0-9a-f]{40} 0{40} refs/mug/[^ ]+ )+$"),
    },
    Stop {
        step: "finish",
        asked: None,
    },
];

/// The process that stands still, as it says itself.
fn standing(path: &Path) -> Option<Pid> {
    let text = fs::read_to_string(path).ok()?;
    Pid::from_raw(text.trim().parse().ok()?)
}

/// A hook that stands still when this line holds.
fn still(at: &Path, when: &str) -> String {
    let at = at.display();
    format!("commands=$(cat)\n{when} || exit 0\necho $$ > {at}\nexec tail -f /dev/null")
}

/// A remote of `local.git`, and what is in the way there.
struct There<'a> {
    scratch: &'a Scratch,
    remote: String,
    name: String,
    /// The process that stands still writes its id there.
    at: PathBuf,
    local: PathBuf,
    path: PathBuf,
}

impl<'a> There<'a> {
    fn new(scratch: &'a Scratch, number: usize) -> Self {
        let (name, remote) = (format!("there-{number}.git"), format!("there-{number}"));
        // Without it, the temporary refs are deleted by themselves.
        let path = target(scratch, &name, &[("receive.advertiseAtomic", "false")]);
        let there = Self {
            scratch,
            at: scratch.join("at"),
            local: scratch.join("local.git"),
            path,
            name,
            remote,
        };
        let key = |key: &str| format!("remote.{}.{key}", there.remote);
        let url = format!("../{}", there.name);
        scratch.git("local.git", &["config", &key("url"), &url]);
        let fetch = format!("+refs/heads/*:{}*", there.tracking(""));
        scratch.git("local.git", &["config", &key("fetch"), &fetch]);
        there
    }

    fn tracking(&self, branch: &str) -> String {
        format!("refs/remotes/{}/{branch}", self.remote)
    }

    /// Puts something in the way of a step.
    fn block(&self, stop: &Stop) {
        let _ = fs::remove_file(&self.at);
        match (stop.step, stop.asked) {
            ("prepare", _) => hook(&self.local, "pre-push", &still(&self.at, "true")),
            ("finish", _) => {
                // It is waited for, for a second.
                let lock = self.local.join(self.tracking("main.lock"));
                fs::create_dir_all(lock.parent().expect("a parent")).expect("a directory");
                fs::write(lock, "").expect("a lock");
            }
            (_, asked) => {
                let asked = asked.expect("what is asked for");
                let when = format!("echo \"$commands\" | tr '\\n' ' ' | grep -qE '{asked}'");
                hook(&self.path, "pre-receive", &still(&self.at, &when));
            }
        }
    }

    /// Takes all of it away again.
    fn clear(&self) {
        if let Some(hook) = standing(&self.at) {
            kill_process(hook, Signal::KILL).expect("it stands still");
        }
        for it in [
            self.local.join("hooks/pre-push"),
            self.path.join("hooks/pre-receive"),
            self.local.join(self.tracking("main.lock")),
        ] {
            let _ = fs::remove_file(it);
        }
    }

    /// Starts a push, and kills it in this step; gives the operation, unless the step was over
    /// before.
    fn killed(&self, step: &str) -> Option<String> {
        let words = ["push", &self.remote, "main", SMALL];
        let process = self.scratch.spawn("local.git", &words);
        let is_there = |it: &Shown| {
            // Nothing is committed in the first one.
            let committed = it.step().replace("initialized", "prepare");
            it.status() != "completed" && committed == step
        };
        wait_until("it comes to its step", || {
            let list = self.scratch.operations("local.git", &[]);
            let is = list.first().is_some_and(is_there);
            (is && (step == "finish" || standing(&self.at).is_some())) || !process.is_running()
        });
        process.kill();
        let list = self.scratch.operations("local.git", &[]);
        let record = list.first().filter(|it| is_there(it))?;
        Some(record.id().to_owned())
    }
}

#[test]
fn it_is_killed_in_every_step_and_ends_as_it_should() {
    let scratch = setup();
    scratch.git("local.git", &["config", "core.logAllRefUpdates", "always"]);
    let mut steps: BTreeMap<&str, usize> = BTreeMap::new();
    let mut number = 0;
    for stop in &STOPS {
        // Where it stands still for a while only, it may have to be tried again.
        for again in 0.. {
            assert!(again < 10, "it is never killed in the step {}", stop.step);
            number += 1;
            let there = There::new(&scratch, number);
            there.block(stop);
            let killed = there.killed(stop.step);
            there.clear();
            let Some(id) = killed else { continue };
            *steps.entry(stop.step).or_default() += 1;
            scratch.mug("local.git", &["push", "--resume", &id]).ok();
            assert_there(&there);
            let record = scratch.operation("local.git", &id);
            assert_eq!(record.status(), "completed");
            assert_complete(&record.0["progress"]);
            break;
        }
    }
    println!("killed in the steps {steps:?}");
    let all: Vec<&str> = steps.into_keys().collect();
    assert_eq!(all, ["clean", "finish", "prepare", "send"]);
}

/// What is to be there in the end, on both sides.
fn assert_there(there: &There<'_>) {
    let (scratch, name) = (there.scratch, &there.name);
    let refs = scratch.git(name, &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/main");
    scratch.git(name, &["fsck", "--full", "--strict"]);
    let rev = |dir: &str, rev: &str| scratch.git(dir, &["rev-parse", rev]);
    let main = rev("local.git", "main");
    assert_eq!(rev(name, "main"), main);
    let tracking = there.tracking("main");
    assert_eq!(rev("local.git", &tracking), main);
    let log = scratch.git(
        "local.git",
        &["reflog", "show", "--format=%H %gs", &tracking],
    );
    assert_eq!(log, format!("{main} update by push"));
}

/// Whether a record says that all is done.
fn assert_complete(progress: &serde_json::Value) {
    let number = |key: &str| {
        progress[key]
            .as_u64()
            .unwrap_or_else(|| panic!("{progress}"))
    };
    assert!(
        number("total") > 0 && number("total_bytes") > 0,
        "{progress}"
    );
    assert_eq!(number("processed"), number("total"));
    assert_eq!(number("bytes_processed"), number("total_bytes"));
}

#[test]
fn a_push_that_is_done_shows_that_all_is_done() {
    let scratch = setup();
    for (name, option) in [("whole.git", "--no-verify"), ("pieces.git", SMALL)] {
        target(&scratch, name, &[]);
        push(&scratch, &format!("../{name}"), &["main", option]).ok();
        let record = &scratch.operations("local.git", &[])[0];
        assert_eq!(record.status(), "completed");
        assert_complete(&record.0["progress"]);
    }
}

#[test]
fn what_a_killed_process_asked_for_may_come_to_its_end_behind_the_next_one() {
    let scratch = setup();
    // Who has gone is not written to, so that it is not seen.
    let path = target(&scratch, "late.git", &[("receive.keepAlive", "0")]);
    for name in ["second", "done"] {
        let made = Command::new("mkfifo").arg(path.join(name)).status();
        assert!(made.expect("mkfifo runs").success());
    }
    // The first push stands until the next one has asked; that stands until the first has moved the ref.
    let script = "if mkdir first 2> /dev/null; then echo > began; read x < second\n\
                  else echo > second; read x < done; fi";
    hook(&path, "pre-receive", script);
    let script = "test $1 = committed || exit 0\ngrep -q refs/heads/main && echo > done";
    hook(&path, "reference-transaction", script);
    let to = path.to_str().expect("text");
    let process = scratch.spawn("local.git", &["push", to, "main"]);
    wait_until("the server has it", || path.join("began").exists());
    process.kill();
    let id = scratch.operations("local.git", &[])[0].id().to_owned();
    let out = scratch.mug("local.git", &["push", "--resume", &id]).ok();
    assert!(!out.stderr.contains("rejected"), "{out}");
    fs::remove_file(path.join("hooks/reference-transaction")).expect("a hook");
    assert_pushed(&scratch, "late.git", MAIN);
}
