//! Pushing over the wire, against real servers.

use std::io::Cursor;
use std::process::{Command as Process, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use end_to_end::Scratch;
use end_to_end::line::settings;
use end_to_end::server::{Fault, GitServer, HttpServer, Kind, Project, Shim};
use mug::transfer::RemoteRef;
use mug::transfer::connection::{
    Address, Command, Commands, ConnectionError, Outgoing, Report, Service, Session, Settings,
};
use resume_runtime::ErrorClass;

/// A repository with history in it.
fn setup() -> (Scratch, Vec<RemoteRef>, Vec<u8>) {
    let scratch = Scratch::new();
    let path = Project::LITTLE.make(&scratch, "project.git");
    let settings = settings("");
    let address = Address::parse(path.to_str().expect("a name"), &settings).expect("a path");
    let flag = Arc::new(AtomicBool::new(false));
    let mut session = Session::open(&address, Service::UploadPack, &settings, &flag);
    let session = session.as_mut().expect("a session");
    let refs = session.refs(&["refs/".into()]).expect("refs");
    let mut pack = scratch.command("git", "project.git");
    let pack = pack
        .args(["pack-objects", "--all", "--stdout", "--quiet"])
        .stdin(Stdio::null())
        .output()
        .expect("a pack");
    (scratch, refs, pack.stdout)
}

/// A repository to push to.
fn target(scratch: &Scratch, name: &str) -> String {
    scratch.git(".", &["init", "--quiet", "--bare", name]);
    for key in [
        "http.receivepack",
        "daemon.receivepack",
        "receive.advertisePushOptions",
    ] {
        scratch.git(name, &["config", key, "true"]);
    }
    scratch.join(name).to_str().expect("a name").to_owned()
}

fn open(url: &str, settings: &Settings) -> Session {
    let address = Address::parse_for_push(url, false, settings).expect("an address");
    let flag = Arc::new(AtomicBool::new(false));
    Session::open(&address, Service::ReceivePack, settings, &flag).expect("a session")
}

/// The commands that make these refs.
fn make(refs: &[RemoteRef]) -> Commands {
    let make = |it: &RemoteRef| Command {
        name: it.name.clone(),
        old: None,
        new: it.target,
    };
    Commands {
        commands: refs.iter().map(make).collect(),
        ..Commands::default()
    }
}

fn outgoing(pack: &[u8]) -> Outgoing {
    Outgoing {
        length: pack.len() as u64,
        bytes: Box::new(Cursor::new(pack.to_vec())),
    }
}

#[track_caller]
fn assert_done(report: &Report, refs: usize) {
    assert_eq!(report.unpack, None);
    assert_eq!(report.refs.len(), refs);
    assert!(
        report.refs.iter().all(|it| it.refused.is_none()),
        "{report:?}"
    );
}

fn list(scratch: &Scratch, dir: &str) -> String {
    scratch.git(dir, &["for-each-ref"])
}

#[test]
fn every_way_to_a_server_takes_a_push() {
    let (scratch, refs, pack) = setup();
    let http = HttpServer::start(&scratch);
    let git = GitServer::start(&scratch);
    let _shim = Shim::new(&scratch);
    let ssh = scratch.join("shim/ssh");
    let config = format!("[core]\n sshCommand = {}\n", ssh.display());
    for (at, way) in ["http", "stream", "git", "path", "ssh"].iter().enumerate() {
        let name = format!("target-{at}.git");
        let path = target(&scratch, &name);
        let (url, buffer) = match *way {
            // Too large to be kept: the pack goes as it is read.
            "stream" => (http.url(&name), "[http]\n postBuffer = 65536\n"),
            "http" => (http.url(&name), ""),
            "git" => (git.url(&name), ""),
            "ssh" => (format!("someone@host.example:{path}"), ""),
            _ => (path, ""),
        };
        let settings = settings(&format!("{config}{buffer}"));
        let mut session = open(&url, &settings);
        assert_eq!(session.refs(&[]).expect("refs"), [], "{url}");
        assert!(session.has("report-status").is_some());
        let sent = AtomicU64::new(0);
        let count = |bytes| {
            sent.fetch_max(bytes, Ordering::Relaxed);
        };
        http.forget();
        let report = session.send(&make(&refs), Some(outgoing(&pack)), &count);
        assert_done(&report.expect("a report"), refs.len());
        assert!(sent.into_inner() <= pack.len() as u64);
        assert_eq!(
            list(&scratch, &name),
            list(&scratch, "project.git"),
            "{url}"
        );
        scratch.git(&name, &["fsck", "--full", "--strict"]);
        if *way == "stream" {
            let asked: Vec<u64> = http.served().iter().map(|it| it.received).collect();
            assert_eq!(asked.len(), 2, "a question without a content, and the pack");
            assert_eq!(asked[0], 4);
            assert!(asked[1] > pack.len() as u64);
        }
        // Once more, now that there is something: one ref goes, one stays as it is told to be.
        let mut session = open(&url, &settings);
        let mut found = session.refs(&[]).expect("refs");
        found.retain(|it| !it.is_head());
        assert_eq!(found.len(), refs.len());
        let (gone, other) = (&found[0], &found[1]);
        let commands = Commands {
            commands: vec![
                Command {
                    name: gone.name.clone(),
                    old: gone.target,
                    new: None,
                },
                Command {
                    name: "refs/heads/late".into(),
                    old: other.target,
                    new: other.target,
                },
            ],
            ..Commands::default()
        };
        let report = session.send(&commands, Some(outgoing(&empty(&scratch))), &|_| ());
        let report = report.expect("a report");
        let refused: Vec<bool> = report.refs.iter().map(|it| it.refused.is_some()).collect();
        assert_eq!(refused, [false, true], "{report:?}");
    }
}

/// A pack without objects.
fn empty(scratch: &Scratch) -> Vec<u8> {
    let mut git: Process = scratch.command("git", "project.git");
    let git = git
        .args(["pack-objects", "--stdout", "--quiet"])
        .stdin(Stdio::null());
    git.output().expect("a pack").stdout
}

#[test]
fn all_refs_or_none() {
    let (scratch, refs, pack) = setup();
    let path = target(&scratch, "target.git");
    let mut commands = make(&refs);
    commands.atomic = true;
    commands.options = vec!["one=1".into(), "two".into()];
    commands.commands[1].old = refs[0].target;
    let session = open(&path, &settings(""));
    let report = session.send(&commands, Some(outgoing(&pack)), &|_| ());
    let report = report.expect("a report");
    assert!(
        report.refs.iter().all(|it| it.refused.is_some()),
        "{report:?}"
    );
    assert_eq!(list(&scratch, "target.git"), "");
    let hook = "#!/bin/sh\necho \"told $GIT_PUSH_OPTION_COUNT $GIT_PUSH_OPTION_0\"\n";
    let place = scratch.join("target.git/hooks/post-receive");
    std::fs::create_dir_all(place.parent().expect("a parent")).expect("a directory");
    std::fs::write(&place, hook).expect("a hook");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&place, mode).expect("it can be run");
    commands.commands[1].old = None;
    let said = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&said);
    let settings = settings("").with_sink(Arc::new(move |message| {
        kept.lock().expect("a list").push(message.text.to_owned());
    }));
    let report = open(&path, &settings).send(&commands, Some(outgoing(&pack)), &|_| ());
    assert_done(&report.expect("a report"), refs.len());
    // The hook that runs after everything has run to its end.
    let said = said.lock().expect("a list").join("\n");
    assert!(said.contains("told 2 one=1"), "{said}");
}

#[test]
fn a_server_may_refuse_the_objects_or_go_away() {
    let (scratch, refs, pack) = setup();
    let http = HttpServer::start(&scratch);
    let path = target(&scratch, "target.git");
    let url = http.url("target.git");
    let settings = settings("");
    for url in [&url, &path] {
        let mut bad = pack.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 0xff;
        let report = open(url, &settings).send(&make(&refs), Some(outgoing(&bad)), &|_| ());
        match report {
            Ok(report) => assert!(report.unpack.is_some(), "{report:?}"),
            Err(error) => assert_eq!(error.class(), ErrorClass::Transient, "{error}"),
        }
        let short = Outgoing {
            length: pack.len() as u64 + 7,
            bytes: Box::new(Cursor::new(pack.clone())),
        };
        let error = open(url, &settings).send(&make(&refs), Some(short), &|_| ());
        let error = error.expect_err("it is too short");
        assert!(matches!(error, ConnectionError::Pack { .. }), "{error}");
    }
    for fault in [
        Fault::HangUp,
        Fault::Cut(0),
        Fault::Cut(20),
        Fault::CutEnd(2),
    ] {
        let session = open(&url, &settings);
        http.once(Kind::Fetch, 0, fault.clone());
        let error = session.send(&make(&refs), Some(outgoing(&pack)), &|_| ());
        let error = error.expect_err("there is no report");
        assert_eq!(error.class(), ErrorClass::Transient, "{fault:?}: {error}");
        scratch.git("target.git", &["for-each-ref"]);
        // What the server did may be done.
        for it in &refs {
            let name = it.name.to_string();
            scratch.git("target.git", &["update-ref", "-d", &name]);
        }
    }
    let session = open(&url, &settings);
    http.once(Kind::Fetch, 0, Fault::status(403));
    let error = session.send(&make(&refs), Some(outgoing(&pack)), &|_| ());
    assert_eq!(error.expect_err("no").class(), ErrorClass::NeedsUser);
}

#[test]
fn a_login_is_asked_for_before_the_pack_is_sent() {
    let (scratch, refs, pack) = setup();
    let http = HttpServer::start(&scratch);
    target(&scratch, "target.git");
    let helper = "[credential]\n helper = \"!f() { cat > /dev/null; echo username=someone; \
                  echo password=secret; }; f\"\n[http]\n postBuffer = 65536\n";
    let session = open(&http.url("target.git"), &settings(helper));
    // From now on it wants one.
    http.require("someone", "secret");
    http.forget();
    let report = session.send(&make(&refs), Some(outgoing(&pack)), &|_| ());
    assert_done(&report.expect("a report"), refs.len());
    let asked: Vec<_> = http
        .served()
        .iter()
        .map(|it| (it.status, it.received))
        .collect();
    assert_eq!(asked[..2], [(401, 4), (200, 4)]);
    assert_eq!(asked.len(), 3);
    assert_eq!(list(&scratch, "target.git"), list(&scratch, "project.git"));
}
