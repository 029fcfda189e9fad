//! The servers of the tests do what they say, with git as their client.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use end_to_end::line::served;
use end_to_end::server::{Fault, GitServer, Kind, PackMap, Project, Served, Shim};
use end_to_end::{Output, Running, Scratch};

fn git(scratch: &Scratch, args: &[&str]) -> Command {
    let mut command = scratch.command("git", ".");
    command.args(args);
    command
}

fn run(scratch: &Scratch, command: Command) -> Output {
    Running::start(command, &scratch.join("tmp")).wait()
}

/// A clone by git into `name`.
fn clone(scratch: &Scratch, url: &str, name: &str) -> Output {
    let args = ["clone", "--quiet", "--bare", url, name];
    run(scratch, git(scratch, &args))
}

fn pack_length(scratch: &Scratch, git_dir: &str) -> u64 {
    PackMap::of(scratch, &scratch.join(git_dir)).length
}

fn refs(scratch: &Scratch, dir: &str) -> String {
    scratch.git(dir, &["for-each-ref"])
}

/// How many objects were asked for.
fn distinct(served: &Served) -> usize {
    let wants: HashSet<_> = served.question.wants.iter().collect();
    wants.len()
}

#[test]
fn git_clones_and_the_bytes_are_counted() {
    let (scratch, server) = served();
    clone(&scratch, &server.url("project.git"), "new.git").ok();
    assert_eq!(refs(&scratch, "new.git"), refs(&scratch, "project.git"));
    assert_eq!(server.pack_sent(), pack_length(&scratch, "new.git"));
    let requests = server.served();
    let kinds: Vec<Kind> = requests.iter().map(|served| served.kind).collect();
    assert_eq!(kinds, [Kind::Info, Kind::Refs, Kind::Fetch]);
    assert!(
        requests
            .iter()
            .all(|served| served.whole && served.status == 200)
    );
    assert_eq!(requests[2].protocol.as_deref(), Some("version=2"));
    assert_eq!(distinct(&requests[2]), 4, "two branches and two tags");
    assert!(server.sent() > server.pack_sent());
    // The same again takes the same.
    server.forget();
    clone(&scratch, &server.url("project.git"), "again.git").ok();
    assert_eq!(server.pack_sent(), pack_length(&scratch, "new.git"));
}

#[test]
fn a_cut_fails_git_and_is_counted() {
    let (scratch, server) = served();
    let url = server.url("project.git");
    clone(&scratch, &url, "whole.git").ok();
    let map = PackMap::of(&scratch, &scratch.join("whole.git"));
    let in_the_midst = map.at(0.5);
    let faults = [
        (Fault::CutPack(in_the_midst), Some(in_the_midst)),
        (Fault::CutPack(in_the_midst + 1), Some(in_the_midst + 1)),
        (Fault::CutPack(map.length - 3), Some(map.length - 3)),
        (Fault::CutLength(in_the_midst), None),
        (Fault::CutEnd(2), Some(map.length)),
        (Fault::Cut(0), Some(0)),
        (Fault::Corrupt(in_the_midst + 30), None),
        (Fault::Pack(b"PACK".to_vec()), Some(4)),
        (Fault::status(500), Some(0)),
        (Fault::busy(429, 1), Some(0)),
    ];
    for (fault, pack) in faults {
        server.forget();
        server.once(Kind::Fetch, 0, fault.clone());
        let output = clone(&scratch, &url, "new.git");
        assert_ne!(output.code(), Some(0), "{fault:?}: {output}");
        assert!(!scratch.join("new.git").exists());
        if let Some(pack) = pack {
            assert_eq!(server.pack_sent(), pack, "{fault:?}");
        }
        // The next one is whole.
        clone(&scratch, &url, "new.git").ok();
        std::fs::remove_dir_all(scratch.join("new.git")).expect("it can be removed");
    }
}

#[test]
fn a_connection_that_is_hung_up_has_no_answer() {
    let (scratch, server) = served();
    server.always(Kind::Fetch, Fault::HangUp);
    clone(&scratch, &server.url("project.git"), "new.git").exits(128);
    assert_eq!(server.pack_sent(), 0);
    assert!(
        server
            .served_as(Kind::Fetch)
            .iter()
            .all(|served| served.status == 0)
    );
}

#[test]
fn cuts_are_made_at_places_in_all_that_is_sent() {
    let (scratch, server) = served();
    let url = server.url("project.git");
    server.cut_at(&[5_000, 20_000]);
    for _ in 0..2 {
        clone(&scratch, &url, "new.git").exits(128);
    }
    assert_eq!(server.cuts_left(), 0);
    let sent: Vec<u64> = server
        .served_as(Kind::Fetch)
        .iter()
        .map(|served| served.sent)
        .collect();
    assert_eq!(sent, [5_000, 15_000]);
    clone(&scratch, &url, "new.git").ok();
}

#[test]
fn what_is_held_stands_still_until_it_is_let_go() {
    let (scratch, server) = served();
    let url = server.url("project.git");
    server.once(Kind::Fetch, 0, Fault::Hold(7_000));
    let args = ["clone", "--quiet", "--bare", &url, "new.git"];
    let running = Running::start(git(&scratch, &args), &scratch.join("tmp"));
    server.wait_holding();
    assert!(running.is_running());
    assert_eq!(server.served_as(Kind::Fetch)[0].sent, 7_000);
    server.release();
    running.wait().ok();
    // Slowly is as good.
    server.once(Kind::Fetch, 0, Fault::Throttle(400_000));
    clone(&scratch, &url, "slow.git").ok();
    assert_eq!(refs(&scratch, "slow.git"), refs(&scratch, "project.git"));
}

#[test]
fn an_endless_pack_has_no_end() {
    let (scratch, server) = served();
    let url = server.url("project.git");
    clone(&scratch, &url, "whole.git").ok();
    let length = pack_length(&scratch, "whole.git");
    server.forget();
    server.once(Kind::Fetch, 0, Fault::Endless(length));
    let output = clone(&scratch, &url, "new.git");
    assert_ne!(output.code(), Some(0), "{output}");
    server.forget();
}

#[test]
fn who_asks_must_name_the_password() {
    let (scratch, server) = served();
    server.require("someone", "the secret");
    clone(&scratch, &server.url("project.git"), "new.git").exits(128);
    clone(
        &scratch,
        &server.url_as("someone", "wrong", "project.git"),
        "new.git",
    )
    .exits(128);
    assert!(server.served().iter().all(|served| served.status == 401));
    let url = server.url_as("someone", "the%20secret", "project.git");
    clone(&scratch, &url, "new.git").ok();
    let last = server.served().pop().expect("a request");
    assert_eq!(last.user.as_deref(), Some("someone"));
}

#[test]
fn older_protocols_are_spoken_when_asked_for() {
    let (scratch, server) = served();
    let url = server.url("project.git");
    for (version, kinds) in [(0, 2), (1, 2), (2, 3)] {
        server.speak(version);
        server.forget();
        let name = format!("v{version}.git");
        clone(&scratch, &url, &name).ok();
        assert_eq!(server.served().len(), kinds);
        assert_eq!(server.pack_sent(), pack_length(&scratch, &name));
        assert_eq!(distinct(&server.served_as(Kind::Fetch)[0]), 4);
    }
}

#[test]
fn files_are_served_whole_and_in_part() {
    let (scratch, server) = served();
    std::fs::create_dir(scratch.join("files")).expect("a directory");
    std::fs::write(scratch.join("files/ten"), "0123456789").expect("a file");
    let url = server.url("files/ten");
    let curl = |args: &[&str]| {
        let mut command = scratch.command("curl", ".");
        command
            .args(["--silent", "--show-error", "--fail"])
            .args(args);
        run(&scratch, command)
    };
    assert_eq!(curl(&[&url]).ok().stdout, "0123456789");
    assert_eq!(curl(&["--range", "3-5", &url]).ok().stdout, "345");
    assert_eq!(curl(&["--range", "7-", &url]).ok().stdout, "789");
    let stale = ["--range", "7-", "--header", "If-Range: \"other\"", &url];
    assert_eq!(curl(&stale).ok().stdout, "0123456789");
    assert_ne!(curl(&["--range", "10-", &url]).code(), Some(0));
    assert_ne!(curl(&[&server.url("files/none")]).code(), Some(0));
    let statuses: Vec<u16> = server.served().iter().map(|served| served.status).collect();
    assert_eq!(statuses, [200, 206, 206, 200, 416, 404]);
}

#[test]
fn git_daemon_serves_and_is_cut() {
    let scratch = Scratch::new();
    Project::LITTLE.make(&scratch, "project.git");
    let server = GitServer::start(&scratch);
    let url = server.url("project.git");
    clone(&scratch, &url, "new.git").ok();
    assert_eq!(server.pack_sent(), pack_length(&scratch, "new.git"));
    server.once(Kind::Fetch, 0, Fault::CutPack(10_000));
    clone(&scratch, &url, "cut.git").exits(128);
    clone(&scratch, &url, "cut.git").ok();
    let missing = clone(&scratch, &server.url("none.git"), "missing");
    assert_ne!(missing.code(), Some(0));
}

#[test]
fn the_shim_serves_and_is_cut() {
    let scratch = Scratch::new();
    let path = Project::LITTLE.make(&scratch, "project.git");
    let shim = Shim::new(&scratch);
    let url = format!("ssh://someone@host.example{}", path.display());
    let clone = |name: &str| {
        let mut command = git(&scratch, &["clone", "--quiet", "--bare", &url, name]);
        shim.apply(&mut command);
        run(&scratch, command)
    };
    clone("new.git").ok();
    let whole = shim.sent();
    assert!(whole > pack_length(&scratch, "new.git"));
    assert!(shim.calls()[0].contains("someone@host.example"));
    assert_eq!(shim.protocols(), ["version=2"]);
    shim.cut(&[Some(10_000), None]);
    clone("cut.git").exits(128);
    assert_eq!(shim.sent(), whole + 10_000);
    clone("cut.git").ok();
    assert!(Path::new(&scratch.join("cut.git")).exists());
}
