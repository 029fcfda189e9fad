//! Pushing to real servers: that they have exactly what was asked for at the end, whatever went wrong
//! on the way, and how often it was sent.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use end_to_end::server::{GitServer, HttpServer, Project, Shim};
use end_to_end::{Output, Scratch, wait_until};

/// A scratch directory with the repository `local.git` in it.
fn setup() -> Scratch {
    let scratch = Scratch::fast(200 << 20);
    Project::LITTLE.make(&scratch, "local.git");
    scratch
}

/// An empty repository that takes pushes; its hook `post-receive` writes a line a push to `log`.
fn target(scratch: &Scratch, name: &str, config: &[(&str, &str)]) -> PathBuf {
    scratch.git(
        ".",
        &["init", "--quiet", "--bare", "--initial-branch=main", name],
    );
    let usual = [
        ("http.receivepack", "true"),
        ("daemon.receivepack", "true"),
        ("gc.auto", "0"),
    ];
    for (key, value) in usual.iter().chain(config) {
        scratch.git(name, &["config", key, value]);
    }
    let path = scratch.join(name);
    hook(&path, "post-receive", "cat >> pushed; echo >> log");
    path
}

fn hook(repository: &Path, name: &str, script: &str) {
    let path = repository.join("hooks").join(name);
    fs::create_dir_all(repository.join("hooks")).expect("a directory");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a hook");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a hook that runs");
}

/// How many pushes a repository has taken.
fn pushes(path: &Path) -> usize {
    fs::read_to_string(path.join("log")).map_or(0, |log| log.lines().count())
}

fn refs(scratch: &Scratch, name: &str) -> String {
    let format = "--format=%(objectname) %(refname)";
    scratch.git(name, &["for-each-ref", format])
}

/// Whether the target has these refs of the local repository, no others, and all objects.
#[track_caller]
fn assert_pushed(scratch: &Scratch, name: &str, expected: &[&str]) {
    let local = refs(scratch, "local.git");
    let wanted: Vec<&str> = local
        .lines()
        .filter(|line| expected.iter().any(|it| line.ends_with(&format!(" {it}"))))
        .collect();
    assert_eq!(wanted.len(), expected.len());
    assert_eq!(refs(scratch, name), wanted.join("\n"));
    scratch.git(name, &["fsck", "--full", "--strict"]);
}

const MAIN: &[&str] = &["refs/heads/main"];
/// Small enough for some ten increments.
const SMALL: &str = "--max-increment=40k";

fn push(scratch: &Scratch, to: &str, more: &[&str]) -> Output {
    scratch.mug("local.git", &[&["push", to], more].concat())
}

#[test]
fn every_way_leads_to_a_server() {
    let scratch = setup();
    let http = HttpServer::start(&scratch);
    let git = GitServer::start(&scratch);
    let shim = Shim::new(&scratch);
    for way in ["path", "file", "http", "git", "ssh"] {
        for (size, more) in [("whole", "--no-verify"), ("pieces", SMALL)] {
            let name = format!("{way}-{size}.git");
            let path = target(&scratch, &name, &[]);
            let url = match way {
                "path" => path.to_str().expect("text").to_owned(),
                "file" => format!("file://{}", path.display()),
                "http" => http.url(&name),
                "git" => git.url(&name),
                _ => format!("someone@host.example:{}", path.display()),
            };
            let mut command =
                scratch.mug_command("local.git", &["push", &url, "main", "side", "--tags", more]);
            shim.apply(&mut command);
            let out = command.output().expect("mug runs");
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success(), "{name}: {said}");
            let all = [
                "refs/heads/main",
                "refs/heads/side",
                "refs/tags/light-0",
                "refs/tags/v0",
            ];
            assert_pushed(&scratch, &name, &all);
            // What is small is one push; the other is many.
            let pushes = pushes(&path);
            assert!(
                if size == "whole" {
                    pushes == 1
                } else {
                    pushes > 4
                },
                "{name}: {pushes}"
            );
        }
    }
}

#[test]
fn what_is_said_is_what_git_says() {
    let scratch = setup();
    for name in ["git.git", "mug.git"] {
        target(&scratch, name, &[]);
        scratch.git(
            "local.git",
            &[
                "push",
                "-q",
                &format!("../{name}"),
                "main~3:refs/heads/main",
            ],
        );
        scratch.git(
            "local.git",
            &[
                "push",
                "-q",
                &format!("../{name}"),
                "main~1:refs/heads/ahead",
            ],
        );
    }
    let lines = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|it| it.starts_with(' ') && it.contains(" -> "));
        lines.map(str::to_owned).collect()
    };
    let words = ["main", "side", "v0", "main~2:refs/heads/ahead"];
    let mut command = scratch.command("git", "local.git");
    let git = command.args(["push", "../git.git"]).args(words);
    let git = git.output().expect("git runs");
    let git = String::from_utf8_lossy(&git.stderr).into_owned();
    let mug = push(&scratch, "../mug.git", &words).exits(1);
    assert_eq!(lines(&mug.stderr), lines(&git), "{git}\n{mug}");
    assert_eq!(refs(&scratch, "mug.git"), refs(&scratch, "git.git"));
}

#[test]
fn a_dry_run_and_a_push_of_nothing_send_nothing() {
    let scratch = setup();
    let path = target(&scratch, "a.git", &[]);
    let out = push(&scratch, "../a.git", &["main", "--dry-run"]).ok();
    assert!(out.stderr.contains("[new branch]"), "{out}");
    assert_eq!(refs(&scratch, "a.git"), "");
    push(&scratch, "../a.git", &["main"]).ok();
    let out = push(&scratch, "../a.git", &["main"]).ok();
    assert!(out.stderr.contains("Everything up-to-date"), "{out}");
    assert_eq!(pushes(&path), 1);
}

#[test]
fn a_rejected_push_sends_nothing() {
    let scratch = setup();
    let path = target(&scratch, "a.git", &[]);
    push(&scratch, "../a.git", &["main"]).ok();
    Project::LITTLE.grow(&scratch, &scratch.join("local.git"), 1);
    scratch.git("local.git", &["branch", "apart", "side"]);
    for more in [
        &["apart:main"][..],
        &["apart:main", "side", "--atomic"],
        &["main:main", "--force-with-lease=main:side"],
    ] {
        let out = push(&scratch, "../a.git", more).exits(1);
        assert!(out.stderr.contains("[rejected]"), "{out}");
    }
    assert_eq!(pushes(&path), 1);
    assert_eq!(refs(&scratch, "a.git").lines().count(), 1);
}

#[test]
fn a_hook_that_refuses_is_heard_and_leaves_no_temporary_ref() {
    let scratch = setup();
    let path = target(&scratch, "a.git", &[]);
    let script = "case $1 in refs/heads/*) printf 'not \\033[31mtoday\\n' >&2; exit 1;; esac";
    hook(&path, "update", script);
    let out = push(&scratch, "../a.git", &["main", SMALL]).exits(1);
    assert!(out.stderr.contains("remote: not today"), "{out}");
    assert!(out.stderr.contains("[remote rejected]"), "{out}");
    assert!(out.stderr.contains("(hook declined)"), "{out}");
    assert!(pushes(&path) > 4);
    assert_eq!(refs(&scratch, "a.git"), "");
}

#[test]
fn a_server_without_room_for_temporary_refs_gets_branches_or_all_at_once() {
    let scratch = setup();
    let path = target(
        &scratch,
        "branches.git",
        &[("receive.hideRefs", "refs/mug")],
    );
    push(&scratch, "../branches.git", &["main", SMALL]).ok();
    assert_pushed(&scratch, "branches.git", MAIN);
    let pushed = fs::read_to_string(path.join("pushed")).expect("a list");
    assert!(pushed.contains("refs/heads/mug-push-op-"), "{pushed}");
    let path = target(&scratch, "plain.git", &[]);
    hook(
        &path,
        "update",
        "case $1 in refs/heads/main) ;; *) exit 1;; esac",
    );
    push(&scratch, "../plain.git", &["main", SMALL]).ok();
    assert_pushed(&scratch, "plain.git", MAIN);
    assert_eq!(pushes(&path), 1);
}

#[test]
fn servers_with_rules_of_their_own_end_with_what_was_asked_for() {
    let scratch = setup();
    for (name, key, value) in [
        ("no-atomic", "receive.advertiseAtomic", "false"),
        ("no-rewind", "receive.denyNonFastForwards", "true"),
        ("no-delta", "repack.usedeltabaseoffset", "false"),
        ("unpack", "receive.unpackLimit", "100000"),
        ("strict", "transfer.fsckObjects", "true"),
    ] {
        let name = format!("{name}.git");
        target(&scratch, &name, &[(key, value)]);
        let to = format!("../{name}");
        push(&scratch, &to, &["main", "v0", SMALL]).ok();
        assert_pushed(&scratch, &name, &["refs/heads/main", "refs/tags/v0"]);
    }
    // Branches must stay, and other refs can't be made.
    let rules = [
        ("receive.denyDeletes", "true"),
        ("receive.hideRefs", "refs/mug"),
    ];
    target(&scratch, "no-delete.git", &rules);
    let out = push(&scratch, "../no-delete.git", &["main", SMALL]);
    assert!(
        out.stderr.contains("did not let go of the temporary ref"),
        "{out}"
    );
    scratch.git(".", &["init", "-q", "-b", "main", "tree"]);
    scratch.git("tree", &["commit", "-q", "--allow-empty", "-m", "x"]);
    let out = push(&scratch, "../tree", &["main", "--force", SMALL]).exits(1);
    assert!(
        out.stderr.contains("branch is currently checked out"),
        "{out}"
    );
    assert_eq!(refs(&scratch, "tree").lines().count(), 1);
}

#[test]
fn increments_adapt_to_what_a_server_takes_and_that_is_remembered() {
    let scratch = setup();
    let path = target(&scratch, "a.git", &[("receive.maxInputSize", "200k")]);
    let out = push(&scratch, "../a.git", &["main"]).ok();
    assert_pushed(&scratch, "a.git", MAIN);
    // What was too much at once came in parts.
    let refused = out.stderr.contains("exceeds");
    assert!(!refused || pushes(&path) > 1, "{out}");
    // Another push begins with that.
    Project::LITTLE.grow(&scratch, &scratch.join("local.git"), 1);
    let out = push(&scratch, "../a.git", &["main"]).ok();
    assert!(!out.stderr.contains("exceeds"), "{out}");
    assert_pushed(&scratch, "a.git", MAIN);
}

#[test]
fn a_blob_above_the_limit_is_named_with_its_commit() {
    let scratch = setup();
    target(&scratch, "a.git", &[]);
    scratch.git(".", &["init", "-q", "-b", "main", "work"]);
    let mut state = 1_u64;
    let mut noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    };
    let noise: Vec<u8> = (0..90_000).map(|_| noise()).collect();
    fs::write(scratch.join("work/large"), noise).expect("a file");
    scratch.git("work", &["add", "large"]);
    scratch.git("work", &["commit", "-q", "-m", "large"]);
    let (commit, blob) = (
        scratch.git("work", &["rev-parse", "HEAD"]),
        scratch.git("work", &["rev-parse", "HEAD:large"]),
    );
    let out = scratch
        .mug("work", &["push", "../a.git", "main", SMALL])
        .exits(1);
    assert!(
        out.stderr.contains(&commit) && out.stderr.contains(&blob),
        "{out}"
    );
    assert!(out.stderr.contains("'large'"), "{out}");
    assert_eq!(refs(&scratch, "a.git"), "");
}

#[test]
fn who_pushes_in_between_is_not_overrun() {
    for (lease, more) in [
        ("plain", "--no-verify"),
        ("lease", "--force-with-lease=main:main~140"),
    ] {
        let scratch = setup();
        let path = target(&scratch, "a.git", &[]);
        scratch.git(
            "local.git",
            &["push", "-q", "../a.git", "main~140:refs/heads/main"],
        );
        // With the second increment somebody else's commit comes.
        let script = "echo >> log\n\
            test $(wc -l < log) = 3 || exit 0\n\
            new=$(git commit-tree -p main -m other main^{tree})\n\
            git update-ref refs/heads/main $new";
        hook(&path, "post-receive", script);
        let out = push(&scratch, "../a.git", &["main", SMALL, more]).exits(1);
        assert!(out.stderr.contains("[rejected]"), "{lease}: {out}");
        let left = refs(&scratch, "a.git");
        assert_eq!(left.lines().count(), 1, "{left}");
        let log = scratch.git("a.git", &["log", "-1", "--format=%s", "main"]);
        assert_eq!(log, "other");
        // Nothing more was sent than what was on its way, and the deletion.
        assert!(pushes(&path) <= 5, "{}", pushes(&path));
    }
}

#[test]
fn a_cut_costs_no_more_than_one_increment() {
    let scratch = setup();
    let http = HttpServer::start(&scratch);
    target(&scratch, "whole.git", &[]);
    push(&scratch, &http.url("whole.git"), &["main", SMALL]).ok();
    let (whole, bodies) = (http.brought(), http.whole_bodies());
    assert!(bodies > 4);
    let path = target(&scratch, "cut.git", &[]);
    let cuts = [0, 1, 500, 5_000, 20_000, 39_000];
    http.cut_bodies_at(&cuts);
    let out = push(&scratch, &http.url("cut.git"), &["main", SMALL]).ok();
    assert_eq!(http.body_cuts_left(), 0, "{out}");
    assert_pushed(&scratch, "cut.git", MAIN);
    let again = http.brought() - whole;
    let lost: u64 = cuts.iter().sum();
    // Pieces are made shorter after some cuts, which costs some deltas.
    assert!(again <= (whole + lost) * 13 / 10, "{again} {whole} {lost}");
    assert!(pushes(&path) >= bodies);
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

#[test]
fn temporary_refs_of_what_is_gone_are_cleaned_up() {
    let scratch = setup();
    let path = target(&scratch, "a.git", &[]);
    let process = scratch.spawn("local.git", &["push", "../a.git", "main", SMALL]);
    wait_until("something is there", || pushes(&path) > 1);
    process.kill();
    assert!(refs(&scratch, "a.git").contains("refs/mug/push/op-"));
    // It can go on: nothing is to be cleaned.
    scratch
        .mug("local.git", &["push", "--clean", "../a.git"])
        .ok();
    assert!(refs(&scratch, "a.git").contains("refs/mug/push/op-"));
    let list = scratch
        .mug("local.git", &["resume", "list", "--paused", "--json"])
        .json();
    let id = list[0]["id"].as_str().expect("an operation").to_owned();
    scratch.mug("local.git", &["resume", "delete", &id]).ok();
    scratch
        .mug("local.git", &["push", "--clean", "../a.git"])
        .ok();
    assert_eq!(refs(&scratch, "a.git"), "");
}

#[test]
fn it_leaves_behind_here_what_git_leaves() {
    let scratch = setup();
    target(&scratch, "a.git", &[]);
    for name in ["git", "mug"] {
        scratch.git(".", &["clone", "-q", "local.git", name]);
        scratch.git(
            name,
            &["remote", "add", "there", &format!("../{name}-there.git")],
        );
        target(&scratch, &format!("{name}-there.git"), &[]);
    }
    scratch.git("git", &["push", "-q", "-u", "there", "main:other"]);
    let out = scratch
        .mug("mug", &["push", "-u", "there", "main:other"])
        .ok();
    assert!(
        out.stderr.contains("set up to track 'there/other'"),
        "{out}"
    );
    let state = |name: &str| {
        let list = scratch.git(name, &["config", "--local", "--get-regexp", "^branch"]);
        let log = scratch.git(name, &["reflog", "show", "--format=%H %gs", "there/other"]);
        [refs(&scratch, name), list, log]
    };
    assert_eq!(state("mug"), state("git"));
    // A hook that says no stops it before anything is sent.
    hook(
        &scratch.join("mug/.git"),
        "pre-push",
        "cat > asked; echo \"$1 $2\" >> asked; exit 1",
    );
    scratch.git("mug", &["commit", "-q", "--allow-empty", "-m", "x"]);
    let before = refs(&scratch, "mug-there.git");
    scratch
        .mug("mug", &["push", "there", "main:other"])
        .exits(1);
    assert_eq!(refs(&scratch, "mug-there.git"), before);
    let asked = fs::read_to_string(scratch.join("mug/asked")).expect("it was asked");
    assert!(asked.starts_with("refs/heads/main "), "{asked}");
    assert!(asked.ends_with("there ../mug-there.git\n"), "{asked}");
    scratch
        .mug("mug", &["push", "--no-verify", "there", "main:other"])
        .ok();
}

#[test]
fn shallow_repositories_push_what_they_have() {
    let scratch = setup();
    let url = format!("file://{}", scratch.join("local.git").display());
    scratch.git(".", &["clone", "-q", "--depth=5", &url, "shallow"]);
    target(&scratch, "a.git", &[]);
    scratch.git("local.git", &["push", "-q", "../a.git", "main"]);
    scratch.git("shallow", &["commit", "-q", "--allow-empty", "-m", "x"]);
    scratch.mug("shallow", &["push", "../a.git", "main"]).ok();
    let (here, there) = (
        scratch.git("shallow", &["rev-parse", "main"]),
        scratch.git("a.git", &["rev-parse", "main"]),
    );
    assert_eq!(here, there);
    scratch.git("a.git", &["fsck", "--full"]);
}
