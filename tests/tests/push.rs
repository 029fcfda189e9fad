//! Pushing to real servers: that they have exactly what was asked for at the end, whatever went wrong
//! on the way, and how often it was sent.

use std::fs;

use end_to_end::pushing::{MAIN, SMALL, assert_pushed, hook, push, pushes, refs, setup, target};
use end_to_end::server::{GitServer, HttpServer, Project, Shim};
use end_to_end::wait_until;

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
    // Another clone pushes, too.
    let main = scratch.git("local.git", &["rev-parse", "main"]);
    let others = format!("refs/mug/push/op-0123/{main}");
    scratch.git(
        "local.git",
        &["push", "-q", "../a.git", &format!("main:{others}")],
    );
    scratch.mug("local.git", &["resume", "delete", &id]).ok();
    let out = scratch
        .mug("local.git", &["push", "--clean", "../a.git"])
        .ok();
    assert!(
        out.stderr.contains("of other repositories stay: 1"),
        "{out}"
    );
    assert_eq!(refs(&scratch, "a.git"), format!("{main} {others}"));
    scratch
        .mug("local.git", &["push", "--clean=all", "../a.git"])
        .ok();
    assert_eq!(refs(&scratch, "a.git"), "");
}

#[test]
fn a_login_comes_from_the_credential_helper_and_before_the_pack() {
    let scratch = setup();
    let http = HttpServer::start(&scratch);
    let path = target(&scratch, "a.git", &[]);
    http.require("someone", "very-secret");
    let out = push(&scratch, &http.url("a.git"), &["main"]);
    assert_ne!(out.code(), Some(0), "{out}");
    assert_eq!(http.bodies(), []);
    http.forget();
    let helper = "!f() { cat > /dev/null; echo username=someone; echo password=very-secret; }; f";
    scratch.git("local.git", &["config", "credential.helper", helper]);
    let out = push(&scratch, &http.url("a.git"), &["main", "side", SMALL]).ok();
    assert_pushed(&scratch, "a.git", &["refs/heads/main", "refs/heads/side"]);
    // No pack was sent in vain.
    let asked = http.served();
    assert_eq!(asked[0].status, 401);
    assert!(asked.iter().all(|it| it.status != 401 || it.received <= 4));
    assert_eq!(http.bodies().len(), pushes(&path));
    // It is only where the helper says it.
    assert!(!format!("{out}").contains("very-secret"));
    for dir in ["local.git/mug", "state"] {
        let mut grep = scratch.command("grep", ".");
        let found = grep.args(["-r", "very-secret", dir]).output();
        assert_eq!(found.expect("grep runs").status.code(), Some(1), "{dir}");
    }
}

#[test]
fn the_servers_hooks_are_told_the_options() {
    let scratch = setup();
    let path = target(&scratch, "a.git", &[]);
    let options = ["main", SMALL, "-o", "one=1", "--push-option=two words"];
    push(&scratch, "../a.git", &options).exits(1);
    assert_eq!(pushes(&path), 0);
    assert_eq!(refs(&scratch, "a.git"), "");
    scratch.git("a.git", &["config", "receive.advertisePushOptions", "true"]);
    let script = "cat > /dev/null; echo >> log\n\
        echo \"$GIT_PUSH_OPTION_COUNT $GIT_PUSH_OPTION_0 $GIT_PUSH_OPTION_1\" >> options";
    hook(&path, "post-receive", script);
    push(&scratch, "../a.git", &options).ok();
    assert_pushed(&scratch, "a.git", MAIN);
    let told = fs::read_to_string(path.join("options")).expect("it was told");
    let mut told: Vec<&str> = told.lines().map(str::trim).collect();
    // They are of the push that moves the refs.
    assert_eq!(told.pop(), Some("2 one=1 two words"));
    assert!(
        told.len() >= 4 && told.iter().all(|it| *it == "0"),
        "{told:?}"
    );
}

#[test]
fn what_the_server_does_not_allow_is_told_and_leaves_nothing() {
    let scratch = setup();
    target(
        &scratch,
        "rewind.git",
        &[("receive.denyNonFastForwards", "true")],
    );
    target(
        &scratch,
        "hidden.git",
        &[("receive.hideRefs", "refs/heads/hidden")],
    );
    scratch.git("local.git", &["branch", "apart", "main~140"]);
    for name in ["rewind.git", "hidden.git"] {
        let to = format!("../{name}");
        let old = "apart:refs/heads/main";
        scratch.git("local.git", &["push", "-q", &to, old]);
    }
    for (name, words, why) in [
        ("rewind.git", ["side:main", "--force"], "(non-fast-forward)"),
        (
            "hidden.git",
            ["side:refs/heads/hidden", "--no-verify"],
            "(deny updating a hidden ref)",
        ),
    ] {
        // Nobody else has that.
        let id = scratch.git(name, &["commit-tree", "-m", "other", "main^{tree}"]);
        scratch.git(name, &["update-ref", "refs/heads/main", &id]);
        let before = refs(&scratch, name);
        let out = push(
            &scratch,
            &format!("../{name}"),
            &[words[0], words[1], SMALL],
        )
        .exits(1);
        assert!(out.stderr.contains("[remote rejected]"), "{out}");
        assert!(out.stderr.contains(why), "{out}");
        assert_eq!(refs(&scratch, name), before);
    }
}
