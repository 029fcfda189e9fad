//! `mug clone` from real servers: what it gives is what `git clone` gives.

use end_to_end::server::{Fault, GitServer, HttpServer, Kind, Project, Shim};
use end_to_end::{Running, Scratch, Signal, assert_cloned, id_told, printed, wait_until};

fn setup() -> (Scratch, HttpServer) {
    let scratch = Scratch::new();
    Project::LITTLE.make(&scratch, "project.git");
    let server = HttpServer::start(&scratch);
    (scratch, server)
}

/// Clones with mug into `new` and with git into `other`, and compares.
#[track_caller]
fn compare(scratch: &Scratch, url: &str, options: &[&str]) {
    let args = |dir| [&["clone", "-q"], options, &[url, dir]].concat();
    scratch.mug(".", &args("new")).ok();
    scratch.git(".", &args("other"));
    if options.contains(&"--no-checkout") {
        for args in [&["for-each-ref"][..], &["config", "--local", "--list"]] {
            assert_eq!(scratch.git("new", args), scratch.git("other", args));
        }
        assert!(!scratch.join("new/.git/index").exists());
        assert_eq!(scratch.git("new", &["fsck", "--full"]), "");
        scratch.git("new", &["reset", "-q", "--hard"]);
        scratch.git("other", &["reset", "-q", "--hard"]);
    }
    assert_same(scratch);
}

/// Compares `new` with `other`, and removes both.
#[track_caller]
fn assert_same(scratch: &Scratch) {
    let [new, other] = ["new", "other"].map(|dir| scratch.join(dir));
    assert_cloned(scratch, &new, &other);
    for dir in [new, other] {
        std::fs::remove_dir_all(dir).expect("it can be removed");
    }
}

#[test]
fn what_git_can_be_asked_for_comes_as_git_makes_it() {
    let (scratch, server) = setup();
    scratch.git("project.git", &["config", "uploadpack.allowFilter", "true"]);
    let url = server.url("project.git");
    for options in [
        &[][..],
        &["--bare"],
        &["--mirror"],
        &["--no-tags"],
        &["--no-checkout"],
        &["--branch", "side"],
        &["--branch", "v0"],
        &["--single-branch"],
        &["--single-branch", "--branch", "side"],
        &["--origin", "up"],
        &["--depth", "3"],
        &["--depth", "2", "--no-single-branch"],
        &["--filter=blob:none"],
        &["--filter=blob:none", "--no-checkout"],
        &["--filter=blob:none", "--bare"],
    ] {
        compare(&scratch, &url, options);
    }
}

#[test]
fn unusual_repositories_come_as_git_clones_them() {
    let (scratch, server) = setup();
    scratch.git(".", &["init", "-q", "--bare", "-b", "trunk", "empty.git"]);
    compare(&scratch, &server.url("empty.git"), &[]);
    compare(&scratch, &server.url("empty.git"), &["--bare"]);
    scratch.git(
        "project.git",
        &["update-ref", "--no-deref", "HEAD", "main~3"],
    );
    compare(&scratch, &server.url("project.git"), &[]);
    scratch.git("project.git", &["symbolic-ref", "HEAD", "refs/heads/none"]);
    compare(&scratch, &server.url("project.git"), &[]);
}

#[test]
fn every_way_to_a_server_works() {
    let (scratch, http) = setup();
    let daemon = GitServer::start(&scratch);
    let path = scratch.join("project.git");
    let path = path.to_str().unwrap();
    for url in [
        http.url("project.git"),
        daemon.url("project.git"),
        format!("file://{path}"),
        path.to_owned(),
        "./project.git".to_owned(),
    ] {
        for version in ["0", "1", "2"] {
            let set = format!("protocol.version={version}");
            let mut command = scratch.mug_command(".", &["clone", "-q", &url, "new"]);
            command.env("GIT_CONFIG_COUNT", "1");
            command.env("GIT_CONFIG_KEY_0", "protocol.version");
            command.env("GIT_CONFIG_VALUE_0", version);
            Running::start(command, &scratch.join("tmp")).wait().ok();
            scratch.git(".", &["-c", &set, "clone", "-q", &url, "other"]);
            assert_same(&scratch);
        }
    }
    let shim = Shim::new(&scratch);
    let url = format!("ssh://host{path}");
    let mut command = scratch.mug_command(".", &["clone", "-q", &url, "new"]);
    shim.apply(&mut command);
    Running::start(command, &scratch.join("tmp")).wait().ok();
    let mut command = scratch.command("git", ".");
    command.args(["clone", "-q", &url, "other"]);
    shim.apply(&mut command);
    Running::start(command, &scratch.join("tmp")).wait().ok();
    assert_same(&scratch);
}

#[test]
fn a_cut_line_is_gone_on_with_within_the_run() {
    let (scratch, server) = setup();
    let url = server.url("project.git");
    for filter in ["true", "false"] {
        scratch.git("project.git", &["config", "uploadpack.allowFilter", filter]);
        for options in [&[][..], &["--staged"]] {
            server.forget();
            server.cut_at(&[60_000, 120_000, 180_000]);
            let args = [&["clone"], options, &[&url, "new"]].concat();
            let output = scratch.mug(".", &args).ok();
            assert_eq!(server.cuts_left(), 0);
            assert!(output.stderr.contains("answer are kept"), "{output}");
            scratch.git(".", &["clone", "-q", &url, "other"]);
            assert_same(&scratch);
        }
    }
}

#[test]
fn a_killed_clone_is_found_continued_and_asks_for_the_rest_alone() {
    let (scratch, server) = setup();
    scratch.git("project.git", &["config", "uploadpack.allowFilter", "true"]);
    let url = server.url("project.git");
    scratch
        .mug(".", &["clone", "-q", "--bare", &url, "whole"])
        .ok();
    let whole = server.pack_sent();
    server.forget();
    server.once(Kind::Fetch, 0, Fault::HoldPack(whole / 2));
    let running = scratch.spawn(".", &["clone", &url, "new"]);
    server.wait_holding();
    let id = id_told(&running.stderr()).unwrap();
    // What came is committed some time after it stands still.
    wait_until("half of it is committed", || {
        let operation = scratch.operation(".", &id);
        operation.bytes() * 3 > whole
    });
    running.kill();
    server.forget();
    let listed = scratch.mug("home", &["resume", "list", "--paused"]).ok();
    assert!(listed.stdout.contains("clone"), "{listed}");
    let git = scratch.command("git", "new").arg("log").output().unwrap();
    assert!(
        !git.status.success(),
        "an unfinished clone is no repository"
    );
    // From anywhere, and without the URL.
    scratch.mug("home", &["clone", "--resume", &id]).ok();
    assert!(
        server.pack_sent() * 10 < whole * 9,
        "{} of {whole}",
        server.pack_sent()
    );
    scratch.git(".", &["clone", "-q", &url, "other"]);
    assert_same(&scratch);
}

#[test]
fn a_paused_clone_says_how_to_go_on_and_purge_removes_it() {
    let (scratch, server) = setup();
    let url = server.url("project.git");
    for existed in [false, true] {
        if existed {
            std::fs::create_dir(scratch.join("new")).unwrap();
        }
        server.once(Kind::Fetch, 0, Fault::HoldPack(40_000));
        let running = scratch.spawn(".", &["clone", &url, "new"]);
        server.wait_holding();
        running.signal(Signal::INT);
        let output = running.wait().exits(130);
        assert!(printed(&output).contains("--resume"), "{output}");
        // The directory is taken, and whose it is is said.
        let again = scratch.mug(".", &["clone", "--bare", &url, "new"]).exits(1);
        let id = id_told(&output.stderr).unwrap();
        assert!(again.stderr.contains(&id[..10]), "{again}");
        scratch.mug(".", &["resume", "delete", "--purge", &id]).ok();
        assert_eq!(scratch.join("new").exists(), existed);
        server.forget();
        scratch.mug(".", &["clone", "-q", &url, "new"]).ok();
        std::fs::remove_dir_all(scratch.join("new")).unwrap();
    }
}

#[test]
fn a_server_that_stays_away_ends_the_run_to_be_continued() {
    let (scratch, server) = setup();
    let url = server.url("project.git");
    server.once(Kind::Fetch, 0, Fault::CutPack(50_000));
    server.times(Kind::Fetch, 1, 2, Fault::Status(503, vec![]));
    let args = ["clone", "--tries", "2", &url, "new"];
    let output = scratch.mug(".", &args).exits(5);
    let (_, line) = output.stderr.split_once("continue with:\n\n").unwrap();
    assert!(line.contains("--resume"), "{output}");
    let id = id_told(&output.stderr).unwrap();
    scratch
        .mug(".", &["clone", &url, "new", "--resume", &id])
        .ok();
    scratch.git(".", &["clone", "-q", &url, "other"]);
    assert_same(&scratch);
}

#[test]
fn what_can_not_be_cloned_leaves_nothing_behind() {
    let (scratch, server) = setup();
    let missing = server.url("none.git");
    let output = scratch.mug(".", &["clone", &missing, "new"]).exits(1);
    assert!(output.stderr.contains("there is no repository"), "{output}");
    assert!(!scratch.join("new").exists());
    let url = server.url("project.git");
    let output = scratch
        .mug(".", &["clone", "-b", "none", &url, "new"])
        .exits(1);
    assert!(output.stderr.contains("'none'"), "{output}");
    assert!(!scratch.join("new").exists());
    std::fs::create_dir(scratch.join("full")).unwrap();
    std::fs::write(scratch.join("full/file"), "x").unwrap();
    let output = scratch.mug(".", &["clone", &url, "full"]).exits(1);
    assert!(output.stderr.contains("not an empty directory"), "{output}");
    assert_eq!(std::fs::read_dir(scratch.join("full")).unwrap().count(), 1);
}

#[test]
fn a_password_is_in_no_file_and_on_no_screen() {
    let (scratch, server) = setup();
    server.require("me", "hunter2");
    let url = server.url_as("me", "hunter2", "project.git");
    server.once(Kind::Fetch, 0, Fault::HoldPack(40_000));
    let running = scratch.spawn(".", &["clone", "-v", &url, "new"]);
    server.wait_holding();
    running.signal(Signal::INT);
    let output = running.wait().exits(130);
    server.release();
    let line = printed(&output);
    let id = id_told(&output.stderr).unwrap();
    let shown = scratch.mug(".", &["resume", "show", &id]).ok();
    for text in [&output.stderr, &output.stdout, &line, &shown.stdout] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    let again = scratch
        .mug(".", &["clone", &url, "new", "--resume", &id])
        .ok();
    assert!(!again.stderr.contains("hunter2"), "{again}");
    let mut grep = scratch.command("grep", ".");
    let found = grep.args(["-r", "-l", "hunter2", "new", "state"]).output();
    assert_eq!(String::from_utf8_lossy(&found.unwrap().stdout), "");
    let url = scratch.git("new", &["config", "remote.origin.url"]);
    assert_eq!(url, server.url("project.git").replace("//", "//me@"));
}

#[test]
fn a_pack_directory_is_restored() {
    let (scratch, _server) = setup();
    scratch
        .mug("project.git", &["pack", "create", "../packed"])
        .ok();
    scratch.mug(".", &["clone", "packed", "new"]).ok();
    let refs = |dir: &str| scratch.git(dir, &["for-each-ref"]);
    assert_eq!(refs("new"), refs("project.git"));
    scratch
        .mug(".", &["clone", "--mirror", "packed", "other"])
        .exits(2);
}
