//! Fetches from real servers, beside git's own: all that is left, and what was said.

use std::fs;
use std::path::{Path, PathBuf};

use end_to_end::server::{Fault, HttpServer, Kind, Project};
use end_to_end::{Cloning, Output, Running, Scratch, Told, assert_sound, id_told, wait_until};

/// Half a megabyte, and as much again that is new.
const PROJECT: Project = Project::LITTLE;

struct Setup {
    scratch: Scratch,
    server: HttpServer,
}

/// A server whose repository has moved on since `theirs` and `ours` were cloned from it with these
/// options.
fn setup(options: &[&str]) -> Setup {
    let scratch = Scratch::fast(512 << 20);
    let origin = PROJECT.make(&scratch, "project.git");
    let git = |words: &[&str]| scratch.git(&origin, words);
    for (name, value) in [
        ("uploadpack.allowFilter", "true"),
        ("uploadpack.allowAnySHA1InWant", "true"),
    ] {
        git(&["config", name, value]);
    }
    git(&["branch", "gone", "main~3"]);
    git(&["branch", "back", "main"]);
    let server = HttpServer::start(&scratch);
    let url = server.url("project.git");
    let clone = [&["clone", "-q"], options, &[url.as_str(), "theirs"]].concat();
    scratch.git(".", &clone);
    PROJECT.grow(&scratch, &origin, 1);
    git(&["branch", "-D", "gone"]);
    git(&["branch", "-f", "back", "back~5"]);
    git(&["branch", "topic/new", "main~1"]);
    let copy = scratch
        .command("cp", ".")
        .args(["-a", "theirs", "ours"])
        .status();
    assert!(copy.expect("cp runs").success());
    server.forget();
    Setup { scratch, server }
}

impl Setup {
    fn dir(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// git's own fetch: what it said, and the bytes of packs that it took.
    fn theirs(&self, words: &[&str]) -> (Output, u64) {
        let mut command = self.scratch.command("git", "theirs");
        command.arg("fetch").args(words);
        let output = Running::start(command, &self.scratch.join("tmp")).wait();
        let sent = self.server.pack_sent();
        self.server.forget();
        (output, sent)
    }

    fn ours(&self, words: &[&str]) -> Cloning<'_> {
        let words = [&["fetch"], words].concat();
        Cloning::command(&self.scratch, &self.dir("ours"), &words)
    }

    /// Asserts that both are the same, and that nothing of the operation is left.
    #[track_caller]
    fn check(&self, what: &str) {
        let [theirs, ours] = ["theirs", "ours"].map(|name| self.dir(name));
        let fetch_head = |dir: &Path| fs::read_to_string(dir.join(".git/FETCH_HEAD")).ok();
        assert_eq!(fetch_head(&ours), fetch_head(&theirs), "{what}");
        let told = |dir: &Path| Told {
            // Where the same objects lie twice git has fewer of them.
            objects: 0,
            ..Told::of(&self.scratch, dir)
        };
        assert_eq!(told(&ours), told(&theirs), "{what}");
        let reached = |dir: &Path| {
            let all = ["rev-list", "--objects", "--all", "--missing=print"];
            let mut lines: Vec<String> = self
                .scratch
                .git(dir, &all)
                .lines()
                .map(str::to_owned)
                .collect();
            lines.sort();
            lines
        };
        assert_eq!(reached(&ours), reached(&theirs), "{what}");
        if what != "partial" {
            assert_sound(&self.scratch, &ours);
        }
    }
}

/// The lines that git has for refs.
fn lines(output: &Output) -> Vec<&str> {
    let said = output.stderr.lines();
    said.filter(|it| it.starts_with(' ') || it.starts_with("From "))
        .collect()
}

/// What a fetch leaves is what git's own leaves, and what it says as well.
#[track_caller]
fn like_git(what: &str, clone: &[&str], words: &[&str], code: i32) {
    let setup = setup(clone);
    let (theirs, _) = setup.theirs(words);
    assert_eq!(theirs.code(), Some(code), "{theirs}");
    let ours = setup.ours(words).run();
    assert_eq!(ours.code(), Some(code), "{ours}");
    assert_eq!(lines(&ours), lines(&theirs), "{ours}");
    setup.check(what);
}

#[test]
fn a_fetch_is_what_git_makes_of_it() {
    like_git("plain", &[], &["origin"], 0);
}

#[test]
fn what_is_gone_is_pruned() {
    like_git("prune", &[], &["--prune", "origin"], 0);
}

#[test]
fn refspecs_go_where_they_say() {
    let words = [
        "origin",
        "main",
        "+side:refs/x/side",
        "refs/heads/topic/*:refs/y/*",
    ];
    like_git("refspecs", &[], &words, 0);
}

#[test]
fn what_is_no_fast_forward_is_refused_and_the_rest_goes_on() {
    let setup = setup(&[]);
    for dir in ["theirs", "ours"] {
        let unforced = "refs/heads/*:refs/remotes/origin/*";
        setup
            .scratch
            .git(dir, &["config", "remote.origin.fetch", unforced]);
    }
    let (theirs, _) = setup.theirs(&["origin"]);
    assert_eq!(theirs.code(), Some(1), "{theirs}");
    let ours = setup.ours(&["origin"]).run();
    assert_eq!(ours.code(), Some(1), "{ours}");
    assert_eq!(lines(&ours), lines(&theirs), "{ours}");
    assert!(ours.stderr.contains("! [rejected]"), "{ours}");
    setup.check("rejected");
}

#[test]
fn a_partial_clone_stays_one() {
    like_git(
        "partial",
        &["--filter=blob:none", "--no-checkout"],
        &["origin"],
        0,
    );
}

#[test]
fn a_shallow_repository_stays_shallow() {
    like_git(
        "shallow",
        &["--depth=3", "--no-single-branch"],
        &["origin"],
        0,
    );
}

#[test]
fn history_is_made_longer_and_shorter() {
    let clone = ["--depth=3", "--no-single-branch"];
    like_git("longer", &clone, &["--depth=20", "origin"], 0);
    like_git("shorter", &clone, &["--depth=1", "origin"], 0);
}

#[test]
fn a_killed_fetch_goes_on_where_it_was() {
    let setup = setup(&[]);
    let (_, whole) = setup.theirs(&["--prune", "origin"]);
    let mut fetch = setup.ours(&["--prune", "origin"]);
    let mut sent = 0;
    // The second time it is asked for the rest, in smaller parts.
    for place in [whole * 60 / 100, 2_000] {
        setup.server.once(Kind::Fetch, 0, Fault::HoldPack(place));
        let running = fetch.start();
        setup.server.wait_holding();
        // What came before the standstill is committed, but for the last packets.
        let id = fetch.id.clone().or_else(|| id_told(&running.stderr()));
        let id = id.expect("it says its id");
        wait_until("what came is committed", || {
            setup.scratch.operation("ours", &id).bytes() >= (sent + place).saturating_sub(70_000)
        });
        fetch.note(&running.kill());
        sent += setup.server.pack_sent();
        setup.server.forget();
        // Nothing has been touched but the operation's own.
        assert!(!setup.dir("ours/.git/FETCH_HEAD").exists());
    }
    let output = fetch.run();
    assert_eq!(output.code(), Some(0), "{output}");
    sent += setup.server.pack_sent();
    assert!(
        sent * 10 <= whole * 16,
        "{sent} of {whole}: not all is sent again"
    );
    setup.check("killed");
}

#[test]
fn a_lost_line_is_taken_up_in_the_same_run() {
    let setup = setup(&[]);
    let (_, whole) = setup.theirs(&["origin"]);
    setup.server.once(Kind::Fetch, 0, Fault::CutPack(whole / 2));
    setup.server.once(Kind::Fetch, 0, Fault::CutPack(whole / 4));
    let output = setup.ours(&["origin"]).run();
    assert_eq!(output.code(), Some(0), "{output}");
    let sent = setup.server.pack_sent();
    assert!(sent * 10 <= whole * 16, "{sent} of {whole}");
    setup.check("cut");
}

#[test]
fn what_moved_on_the_server_meanwhile_changes_nothing() {
    let setup = setup(&[]);
    let (_, whole) = setup.theirs(&["origin"]);
    let mut fetch = setup.ours(&["origin"]);
    setup
        .server
        .once(Kind::Fetch, 0, Fault::HoldPack(whole / 2));
    let running = fetch.start();
    setup.server.wait_holding();
    // What it is to fetch is its promise from its first commits on.
    let id = id_told(&running.stderr()).expect("it said its id");
    wait_until("what it is to fetch is committed", || {
        let operation = setup.scratch.operation(setup.dir("ours"), &id);
        operation.step() == "receive"
    });
    fetch.note(&running.kill());
    setup.server.release();
    PROJECT.grow(&setup.scratch, &setup.dir("project.git"), 2);
    let output = fetch.run();
    assert_eq!(output.code(), Some(0), "{output}");
    setup.check("moved");
}

#[test]
fn two_fetches_take_turns() {
    let setup = setup(&[]);
    let (_, whole) = setup.theirs(&["origin"]);
    setup
        .server
        .once(Kind::Fetch, 0, Fault::HoldPack(whole / 2));
    let mut first = setup.ours(&["origin"]);
    let running = first.start();
    setup.server.wait_holding();
    let mut second = setup.ours(&["--tags", "origin"]);
    let waiting = second.start();
    wait_until("the second is there", || {
        waiting.stderr().contains("this is op-")
    });
    // It asks the server nothing while the first one has the refs.
    let asked = setup.server.served_as(Kind::Refs).len();
    assert_eq!(asked, 1, "{}", waiting.stderr());
    setup.server.release();
    let output = running.wait();
    assert_eq!(output.code(), Some(0), "{output}");
    first.note(&output);
    let output = waiting.wait();
    assert_eq!(output.code(), Some(0), "{output}");
    second.note(&output);
    setup.theirs(&["--tags", "origin"]);
    setup.check("turns");
}

#[test]
fn what_git_fetch_can_and_this_cannot_is_said() {
    let setup = setup(&[]);
    for (words, hint) in [
        (&["--deepen=3"][..], "--depth"),
        (&["--unshallow"], "git fetch --unshallow"),
        (&["--shallow-since=2020-01-01"], "--depth"),
        (&["--recurse-submodules"], "git submodule update"),
    ] {
        let output = setup.ours(words).run();
        assert_eq!(output.code(), Some(2), "{output}");
        assert!(output.stderr.contains(hint), "{output}");
    }
    let output = setup.ours(&["origin", "main:main"]).run();
    assert_eq!(output.code(), Some(1), "{output}");
    assert!(output.stderr.contains("checked out"), "{output}");
    let output = setup.ours(&["nowhere"]).run();
    assert!(matches!(output.code(), Some(1)), "{output}");
}
