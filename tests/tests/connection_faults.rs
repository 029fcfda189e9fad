//! Servers that fail, lie, stand still or refuse: each has an error of its own class.

use std::io::Read as _;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use end_to_end::Scratch;
use end_to_end::line::{all, connect, open, pack, served, settings};
use end_to_end::server::{Fault, GitServer, HttpServer, Kind, PackMap, Project};
use mug::transfer::connection::{Address, ConnectionError, Request, Service, Session};
use resume_runtime::ErrorClass;

#[test]
fn what_goes_wrong_has_a_class() {
    let (scratch, server) = served();
    let url = server.url("project.git");
    let settings = settings("");
    let fail = |fault: Fault| {
        server.once(Kind::Info, 0, fault);
        connect(&url, &settings).expect_err("it fails")
    };
    for (status, class) in [
        (403, ErrorClass::NeedsUser),
        (404, ErrorClass::Fatal),
        (429, ErrorClass::Transient),
        (500, ErrorClass::Transient),
        (502, ErrorClass::Transient),
        (503, ErrorClass::Transient),
        (504, ErrorClass::Transient),
        (418, ErrorClass::Fatal),
    ] {
        let error = fail(Fault::status(status));
        assert_eq!(error.class(), class, "{status}: {error}");
        assert_eq!(error.retry_after(), None);
    }
    let error = fail(Fault::busy(429, 7));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    let error = fail(Fault::HangUp);
    assert_eq!(error.class(), ErrorClass::Transient, "{error}");
    let error = fail(Fault::Cut(30));
    assert!(matches!(error, ConnectionError::Lost { .. }), "{error}");
    let missing = connect(&server.url("none.git"), &settings).expect_err("there is none");
    assert!(
        matches!(missing, ConnectionError::NotFound { .. }),
        "{missing}"
    );
    let nothing = scratch.join("none.git");
    let git = GitServer::start(&scratch);
    for url in [nothing.to_str().expect("a name"), &git.url("none.git")] {
        let missing = connect(url, &settings).expect_err("there is none");
        assert!(
            matches!(missing, ConnectionError::NotFound { .. }),
            "{missing}"
        );
    }
    // A port that nobody listens at.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    for scheme in ["http", "git"] {
        let error = connect(&format!("{scheme}://127.0.0.1:{port}/x"), &settings);
        let error = error.expect_err("nobody is there");
        assert!(
            matches!(error, ConnectionError::Unreachable { .. }),
            "{error}"
        );
        assert_eq!(error.class(), ErrorClass::Transient);
    }
}

#[test]
fn a_cut_within_the_pack_is_a_lost_connection() {
    let (scratch, server) = served();
    let settings = settings("");
    let mut session = open(&server.url("project.git"), &settings);
    let refs = session.refs(&[]).expect("refs");
    drop(session);
    scratch.git(
        ".",
        &["clone", "--quiet", "--bare", "project.git", "whole.git"],
    );
    let length = PackMap::of(&scratch, &scratch.join("whole.git")).length;
    for fault in [
        Fault::CutPack(0),
        Fault::CutPack(length / 2),
        Fault::CutPack(length - 1),
        Fault::CutLength(length / 2),
        Fault::CutEnd(2),
        Fault::CutEnd(4),
    ] {
        server.once(Kind::Fetch, 0, fault.clone());
        let session = open(&server.url("project.git"), &settings);
        let reply = session.fetch(&all(&refs));
        let error = match reply {
            Err(error) => error,
            Ok(mut reply) => {
                let mut bytes = Vec::new();
                let error = reply.pack.read_to_end(&mut bytes);
                ConnectionError::of_read(&error.expect_err("it is cut"))
            }
        };
        assert!(
            matches!(error, ConnectionError::Lost { .. }),
            "{fault:?}: {error}"
        );
    }
}

#[test]
fn a_line_that_stands_still_is_given_up_and_an_interrupt_ends_a_wait() {
    let (_scratch, server) = served();
    let url = server.url("project.git");
    let settings = settings("").with_stall(Duration::from_millis(300));
    let mut session = open(&url, &settings);
    let refs = session.refs(&[]).expect("refs");
    server.once(Kind::Fetch, 0, Fault::HoldPack(2_000));
    let mut reply = session.fetch(&all(&refs)).expect("a reply");
    let error = reply.pack.read_to_end(&mut Vec::new());
    let error = ConnectionError::of_read(&error.expect_err("it stands still"));
    assert!(matches!(error, ConnectionError::Stalled { .. }), "{error}");
    drop(reply);
    server.forget();
    // With more patience the flag is what ends it.
    let settings = settings.with_stall(Duration::from_secs(600));
    let flag = Arc::new(AtomicBool::new(false));
    let address = Address::parse(&url, &settings).expect("an address");
    server.once(Kind::Fetch, 0, Fault::HoldPack(2_000));
    let session = Session::open(&address, Service::UploadPack, &settings, &flag);
    let mut reply = session
        .and_then(|it| it.fetch(&all(&refs)))
        .expect("a reply");
    let reader = std::thread::spawn(move || {
        let error = reply.pack.read_to_end(&mut Vec::new());
        (
            ConnectionError::of_read(&error.expect_err("it stands still")),
            Instant::now(),
        )
    });
    server.wait_holding();
    let raised = Instant::now();
    flag.store(true, std::sync::atomic::Ordering::Relaxed);
    let (error, seen) = reader.join().expect("it ends");
    assert!(error.is_interrupted(), "{error}");
    assert!(seen.duration_since(raised) < Duration::from_secs(10));
}

#[test]
fn what_the_server_says_reaches_the_sink_without_control_characters() {
    let (_scratch, server) = served();
    let said = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&said);
    let settings = settings("").with_sink(Arc::new(move |message| {
        kept.lock().expect("a list").push(message.text.to_owned());
    }));
    let mut session = open(&server.url("project.git"), &settings);
    let refs = session.refs(&[]).expect("refs");
    pack(session, &all(&refs));
    let heard = said.lock().expect("a list").join("\n");
    assert!(heard.contains("Total "), "{heard}");
    said.lock().expect("a list").clear();
    // A server that would like to have the terminal, and then gives up.
    let packet = |bytes: &[u8]| [format!("{:04x}", bytes.len() + 4).as_bytes(), bytes].concat();
    let body = [
        packet(b"packfile\n"),
        packet(b"\x02\x1b[31mred\x1b[0m\x07 and\x1b]0;title\x07 on\n"),
        packet(b"\x03fatal: out of \x1b[5mmemory\n"),
    ];
    server.once(Kind::Fetch, 0, Fault::Body(body.concat()));
    let mut reply = open(&server.url("project.git"), &settings)
        .fetch(&all(&refs))
        .expect("a reply");
    let error = reply
        .pack
        .read_to_end(&mut Vec::new())
        .expect_err("it gives up");
    let error = ConnectionError::of_read(&error);
    assert_eq!(
        error.to_string(),
        "the server gave up: fatal: out of memory"
    );
    assert_eq!(error.class(), ErrorClass::Transient);
    let heard = said.lock().expect("a list").join("\n");
    assert!(heard.starts_with("red and"), "{heard}");
    assert!(!heard.chars().any(char::is_control), "{heard:?}");
}

#[test]
fn an_unknown_want_is_named_and_a_filter_that_is_refused_is_told() {
    let (scratch, server) = served();
    let settings = settings("");
    let mut session = open(&server.url("project.git"), &settings);
    let refs = session.refs(&[]).expect("refs");
    let known = refs[0].target.expect("an object");
    // An object of another repository.
    Project::LITTLE.make(&scratch, "other.git");
    std::fs::write(scratch.join("new"), "nobody has this").expect("a file");
    let oid = scratch.git("other.git", &["hash-object", "-w", "../new"]);
    scratch.git("other.git", &["tag", "new", &oid]);
    let mut other = open(&server.url("other.git"), &settings);
    let refs = other.refs(&["refs/tags/new".into()]).expect("refs");
    let wanted = refs[0].target.expect("an object");
    let error =
        open(&server.url("project.git"), &settings).fetch(&Request::new(vec![known, wanted]));
    let error = error.expect_err("it is not there");
    let named = ConnectionError::UnknownWant {
        oid: Some(wanted),
        said: format!("upload-pack: not our ref {oid}"),
    };
    assert_eq!(error, named);
    let request = Request {
        filter: Some("blob:none".into()),
        ..Request::new(vec![known])
    };
    let error = open(&server.url("project.git"), &settings).fetch(&request);
    let refused = |error: &ConnectionError| matches!(error, ConnectionError::FilterRefused { .. });
    assert!(error.is_err_and(|it| refused(&it)));
    for (key, value) in [
        ("uploadpack.allowFilter", "true"),
        ("uploadpackfilter.tree.allow", "false"),
    ] {
        scratch.git("project.git", &["config", key, value]);
    }
    let request = Request {
        filter: Some("tree:0".into()),
        ..request
    };
    let error = open(&server.url("project.git"), &settings).fetch(&request);
    let error = error.expect_err("it is refused");
    assert!(refused(&error), "{error}");
}

#[test]
fn objects_with_names_of_another_kind_are_refused() {
    let scratch = Scratch::new();
    scratch.git(
        ".",
        &[
            "init",
            "--quiet",
            "--bare",
            "--object-format=sha256",
            "new.git",
        ],
    );
    let server = HttpServer::start(&scratch);
    for version in [2, 0] {
        let settings = settings("").with_version(version);
        let error = connect(&server.url("new.git"), &settings).expect_err("sha256");
        let expected = ConnectionError::ObjectFormat {
            format: "sha256".into(),
        };
        assert_eq!(error, expected);
    }
}
