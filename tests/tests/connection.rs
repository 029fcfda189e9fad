//! What goes over the wire, against real servers.

use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use end_to_end::Scratch;
use end_to_end::server::{Fault, GitServer, HttpServer, Kind, PackMap, Project, Shim};
use gix_hash::ObjectId;
use mug::transfer::RemoteRef;
use mug::transfer::connection::{
    Address, ConnectionError, Haves, Request, Service, Session, Settings, ShallowChange,
};
use mug::transfer::missing::plan::ByIds;
use resume_runtime::ErrorClass;

fn setup() -> (Scratch, HttpServer) {
    let scratch = Scratch::new();
    Project::LITTLE.make(&scratch, "project.git");
    let server = HttpServer::start(&scratch);
    (scratch, server)
}

fn settings(config: &str) -> Settings {
    // No helper and no terminal of whoever runs the tests.
    let alone = "[credential]\n helper =\n[gitoxide \"credentials\"]\n terminalPrompt = false\n";
    let settings = Settings::outside().expect("settings");
    let settings = settings.with_config(&format!("{alone}{config}"));
    settings.expect("settings")
}

fn connect(url: &str, settings: &Settings) -> Result<Session, ConnectionError> {
    let address = Address::parse(url, settings)?;
    let flag = Arc::new(AtomicBool::new(false));
    Session::open(&address, Service::UploadPack, settings, &flag)
}

fn open(url: &str, settings: &Settings) -> Session {
    connect(url, settings).expect("a session")
}

/// The request that a clone makes.
fn all(refs: &[RemoteRef]) -> Request {
    Request::new(refs.iter().filter_map(|it| it.target).collect())
}

/// Reads the pack of everything.
fn pack(session: Session, request: &Request) -> (Vec<u8>, Option<Session>) {
    let mut reply = session.fetch(request).expect("a reply");
    let mut bytes = Vec::new();
    reply.pack.read_to_end(&mut bytes).expect("a whole pack");
    (bytes, reply.pack.into_session())
}

/// How many objects are in a pack.
fn objects(pack: &[u8]) -> u32 {
    u32::from_be_bytes(pack[8..12].try_into().expect("four bytes"))
}

/// That git takes `pack` for a whole one with this many objects.
#[track_caller]
fn check(scratch: &Scratch, name: &str, pack: &[u8]) -> String {
    std::fs::write(scratch.join(name), pack).expect("a file");
    scratch.git(".", &["index-pack", "--strict", name])
}

fn refs_of(scratch: &Scratch, dir: &str) -> Vec<(String, String)> {
    let list = scratch.git(dir, &["for-each-ref", "--format=%(refname) %(objectname)"]);
    let pairs = list.lines().filter_map(|it| it.split_once(' '));
    pairs
        .map(|(name, oid)| (name.to_owned(), oid.to_owned()))
        .collect()
}

#[test]
fn every_way_to_a_server_gives_the_same_refs_and_a_whole_pack() {
    let (scratch, http) = setup();
    let git = GitServer::start(&scratch);
    let shim = Shim::new(&scratch);
    let path = scratch.join("project.git");
    let path = path.to_str().expect("a name");
    let expected = refs_of(&scratch, "project.git");
    let ssh = scratch.join("shim/ssh");
    let config = format!("[core]\n sshCommand = {}\n", ssh.display());
    let addresses = [
        http.url("project.git"),
        git.url("project.git"),
        path.to_owned(),
        format!("file://{path}"),
        format!("ssh://someone@host.example{path}"),
        format!("someone@host.example:{path}"),
    ];
    for version in [2, 1, 0] {
        for (at, url) in addresses.iter().enumerate() {
            let settings = settings(&config).with_version(version);
            let mut session = open(url, &settings);
            assert_eq!(session.version(), version, "{url}");
            let refs = session.refs(&[]).expect("refs");
            let head = refs.iter().find(|it| it.is_head()).expect("a HEAD");
            assert_eq!(head.symref.as_ref().expect("a branch"), "refs/heads/main");
            let mut found: Vec<(String, String)> = refs
                .iter()
                .filter(|it| !it.is_head())
                .map(|it| {
                    (
                        it.name.to_string(),
                        it.target.expect("an object").to_string(),
                    )
                })
                .collect();
            found.sort();
            assert_eq!(found, expected, "{url}");
            assert!(refs.iter().any(|it| it.peeled.is_some()), "{url}");
            let (bytes, again) = pack(session, &all(&refs));
            check(&scratch, &format!("{version}-{at}.pack"), &bytes);
            let forgets = url.starts_with("http");
            assert_eq!(again.is_some(), version == 2 || forgets, "{url}");
        }
    }
    assert!(
        shim.calls()
            .iter()
            .all(|it| it.contains("someone@host.example"))
    );
    // One connection is enough for a second request.
    let settings = settings(&config);
    for url in &addresses {
        let mut session = open(url, &settings);
        let refs = session.refs(&[]).expect("refs");
        let (first, session) = pack(session, &all(&refs));
        let (second, _) = pack(session.expect("it goes on"), &all(&refs));
        assert_eq!(first.len(), second.len(), "{url}");
    }
}

#[test]
fn the_refs_with_a_prefix_are_listed() {
    let (_scratch, server) = setup();
    let settings = settings("");
    for version in [2, 0] {
        let settings = settings.clone().with_version(version);
        let mut session = open(&server.url("project.git"), &settings);
        let refs = session.refs(&["refs/tags/".into()]).expect("refs");
        assert!(!refs.is_empty());
        assert!(refs.iter().all(|it| it.name.starts_with(b"refs/tags/")));
    }
}

#[test]
fn servers_say_what_they_are_able_to() {
    let (scratch, server) = setup();
    let url = server.url("project.git");
    let settings = settings("");
    let old = settings.clone().with_version(0);
    let stock = open(&url, &settings).abilities();
    assert_eq!(stock.ids, ByIds::Objects);
    assert!(!stock.blob_none && !stock.tree_zero);
    assert_eq!(open(&url, &old).abilities().ids, ByIds::Refs);
    let set = |key: &str| scratch.git("project.git", &["config", key, "true"]);
    set("uploadpack.allowFilter");
    set("uploadpack.allowReachableSHA1InWant");
    let able = open(&url, &settings).abilities();
    assert!(able.blob_none && able.tree_zero);
    let able = open(&url, &old).abilities();
    assert_eq!(able.ids, ByIds::Commits);
    assert!(able.blob_none);
    // The old protocols have no word for any object.
    set("uploadpack.allowAnySHA1InWant");
    assert_eq!(open(&url, &old).abilities().ids, ByIds::Commits);
}

#[test]
fn history_and_blobs_are_left_out_on_request() {
    let (scratch, server) = setup();
    scratch.git("project.git", &["config", "uploadpack.allowFilter", "true"]);
    for version in [2, 0] {
        let settings = settings("").with_version(version);
        let mut session = open(&server.url("project.git"), &settings);
        let refs = session.refs(&["refs/heads/main".into()]).expect("refs");
        let whole = pack(session, &all(&refs)).0;
        let request = Request {
            depth: Some(1),
            filter: Some("blob:none".into()),
            ..all(&refs)
        };
        let session = open(&server.url("project.git"), &settings);
        let mut reply = session.fetch(&request).expect("a reply");
        let tip = refs[0].target.expect("a tip");
        assert_eq!(reply.shallow, [ShallowChange::Shallow(tip)]);
        let mut part = Vec::new();
        reply.pack.read_to_end(&mut part).expect("a pack");
        assert!(part.len() < whole.len());
        let asked = server.served_as(Kind::Fetch).pop().expect("a request");
        assert_eq!(asked.question.deepen.as_deref(), Some("deepen 1"));
        assert_eq!(asked.question.filter.as_deref(), Some("blob:none"));
    }
}

#[test]
fn what_goes_wrong_has_a_class() {
    let (scratch, server) = setup();
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
    let (scratch, server) = setup();
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
    let (_scratch, server) = setup();
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
fn logins_come_from_the_address_and_from_the_helpers_and_are_never_shown() {
    let (scratch, server) = setup();
    server.require("someone", "the secret");
    let url = server.url("project.git");
    let bare = settings("");
    let error = connect(&url, &bare).expect_err("it wants a login");
    assert_eq!(error.class(), ErrorClass::NeedsUser, "{error}");
    let named = server.url_as("someone", "the%20secret", "project.git");
    let mut session = open(&named, &bare);
    let refs = session.refs(&[]).expect("refs");
    pack(session, &all(&refs));
    let wrong = server.url_as("someone", "hidden%20word", "project.git");
    let error = connect(&wrong, &bare).expect_err("it is wrong");
    assert_eq!(error.class(), ErrorClass::NeedsUser);
    let address = Address::parse(&wrong, &bare).expect("an address");
    for text in [
        format!("{error} {error:?}"),
        format!("{address} {address:?} {}", address.stored()),
    ] {
        assert!(!text.contains("hidden"), "{text}");
    }
    // A helper is told whether what it gave was of use.
    let log = scratch.join("told");
    let helper = |password: &str| {
        format!(
            "[credential]\n helper = \"!f() {{ echo $1 >> {}; cat > /dev/null; test $1 = get && \
             echo username=someone && echo 'password={password}'; }}; f\"\n",
            log.display()
        )
    };
    let told = |log: &Path| std::fs::read_to_string(log).unwrap_or_default();
    open(&url, &settings(&helper("the secret")))
        .refs(&[])
        .expect("refs");
    assert_eq!(told(&log), "get\nstore\n");
    std::fs::remove_file(&log).expect("a file");
    let error = connect(&url, &settings(&helper("hidden"))).expect_err("it is wrong");
    assert_eq!(error.class(), ErrorClass::NeedsUser);
    assert!(!format!("{error:?}").contains("hidden"));
    assert_eq!(told(&log), "get\nerase\n");
}

#[test]
fn what_the_server_says_reaches_the_sink_without_control_characters() {
    let (_scratch, server) = setup();
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
    let (scratch, server) = setup();
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
fn an_empty_repository_has_an_unborn_head() {
    let scratch = Scratch::new();
    scratch.git(
        ".",
        &["init", "--quiet", "--bare", "-b", "trunk", "empty.git"],
    );
    let server = HttpServer::start(&scratch);
    let path = scratch.join("empty.git");
    for url in [&server.url("empty.git"), path.to_str().expect("a name")] {
        let mut session = open(url, &settings(""));
        let refs = session.refs(&[]).expect("refs");
        let heads: Vec<_> = refs
            .iter()
            .map(|it| (it.target, it.symref.clone()))
            .collect();
        assert_eq!(heads, [(None, Some("refs/heads/trunk".into()))]);
        let mut old = open(url, &settings("").with_version(0));
        assert_eq!(old.refs(&[]).expect("refs"), []);
    }
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

/// The commits of a repository here, the newest first.
struct Listed(Vec<ObjectId>);

impl Haves for Listed {
    fn next(&mut self, most: usize) -> Result<Vec<ObjectId>, ConnectionError> {
        let take = self.0.len().min(most);
        Ok(self.0.drain(..take).collect())
    }

    fn common(&mut self, _: ObjectId) -> Result<(), ConnectionError> {
        self.0.clear();
        Ok(())
    }
}

#[test]
fn what_is_here_is_not_sent_again() {
    let scratch = Scratch::new();
    let path = Project::LITTLE.make(&scratch, "project.git");
    let server = HttpServer::start(&scratch);
    let git = GitServer::start(&scratch);
    scratch.git(
        ".",
        &["clone", "--quiet", "--bare", "project.git", "here.git"],
    );
    Project::LITTLE.grow(&scratch, &path, 1);
    let list = scratch.git("here.git", &["rev-list", "--all"]);
    let here: Vec<ObjectId> = list.lines().map(|it| it.parse().expect("an id")).collect();
    for version in [2, 1, 0] {
        for url in [server.url("project.git"), git.url("project.git")] {
            let settings = settings("").with_version(version);
            let mut session = open(&url, &settings);
            let refs = session.refs(&["refs/heads/".into()]).expect("refs");
            let request = Request {
                thin: true,
                include_tag: true,
                ..all(&refs)
            };
            let mut reply = session
                .negotiate(&request, &mut Listed(here.clone()))
                .expect("a reply");
            assert!(!reply.common.is_empty());
            let mut part = Vec::new();
            reply.pack.read_to_end(&mut part).expect("a pack");
            let whole = pack(open(&url, &settings), &all(&refs)).0;
            assert!(objects(&part) < objects(&whole), "version {version} {url}");
            // It is complete together with what is here.
            let name = format!("{version}.git");
            let _ = std::fs::remove_dir_all(scratch.join(&name));
            scratch.git(".", &["clone", "--quiet", "--bare", "here.git", &name]);
            std::fs::write(scratch.join("part"), &part).expect("a file");
            let script = "git index-pack --stdin --fix-thin < ../part";
            let mut command = scratch.command("sh", &name);
            assert!(command.args(["-c", script]).status().expect("sh").success());
            for it in &refs {
                let target = it.target.expect("an object").to_string();
                scratch.git(&name, &["rev-list", "--objects", "--quiet", &target]);
            }
        }
    }
}

#[test]
fn objects_that_are_whole_here_are_left_out() {
    let (scratch, server) = setup();
    let settings = settings("");
    let mut session = open(&server.url("project.git"), &settings);
    let refs = session.refs(&["refs/heads/main".into()]).expect("refs");
    let older = scratch.git("project.git", &["rev-parse", "main~5"]);
    let tree = scratch.git("project.git", &["rev-parse", "main^{tree}"]);
    let mut sent = vec![objects(&pack(session, &all(&refs)).0)];
    for have in [older, tree] {
        let request = Request {
            haves: vec![have.parse().expect("an id")],
            ..all(&refs)
        };
        let session = open(&server.url("project.git"), &settings);
        sent.push(objects(&pack(session, &request).0));
    }
    assert!(sent[1] < sent[0] && sent[2] < sent[0], "{sent:?}");
}

#[test]
fn redirections_are_followed_as_the_configuration_says() {
    let (_scratch, server) = setup();
    let target = server.url("project.git");
    let info = "info/refs?service=git-upload-pack";
    let elsewhere = |to: &str| Fault::Status(302, vec![("Location".into(), to.to_owned())]);
    let lead = |to: &str, config: &str| {
        server.once(Kind::Info, 0, elsewhere(to));
        connect(&server.url("old.git"), &settings(config))
    };
    for to in [format!("{target}/{info}"), format!("/project.git/{info}")] {
        let mut session = lead(&to, "").expect("a session");
        let refs = session.refs(&[]).expect("refs");
        pack(session, &all(&refs));
        let last = server.served().pop().expect("a request");
        assert_eq!(last.path, "/project.git/git-upload-pack");
        server.behave();
    }
    for to in ["/elsewhere", "file:///etc/passwd", "ftp://127.0.0.1/x", ""] {
        assert!(lead(to, "").is_err(), "{to}");
        server.behave();
    }
    let error = lead(
        &format!("{target}/{info}"),
        "[http]\n followRedirects = false\n",
    );
    let status = |status| move |it: &ConnectionError| matches!(it, ConnectionError::Status { status: it, .. } if *it == status);
    assert!(error.is_err_and(|it| status(302)(&it)));
    server.behave();
    server.always(Kind::Info, elsewhere(&format!("/project.git/{info}")));
    let error = connect(&server.url("old.git"), &settings("")).expect_err("it goes on for ever");
    assert!(matches!(error, ConnectionError::Protocol { .. }), "{error}");
}

/// A server that answers one request with this, and tells what it was asked.
fn one_answer(answer: String) -> (u16, std::thread::JoinHandle<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let (mut head, mut block) = (Vec::new(), [0; 1 << 10]);
        while !head.windows(4).any(|it| it == b"\r\n\r\n") {
            let read = stream.read(&mut block).expect("a request");
            assert!(read > 0, "a whole request");
            head.extend_from_slice(&block[..read]);
        }
        std::io::Write::write_all(&mut stream, answer.as_bytes()).expect("an answer");
        String::from_utf8(head).expect("text")
    });
    (port, server)
}

#[test]
fn headers_and_proxies_are_those_of_the_configuration() {
    let answer = "HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (port, server) = one_answer(answer.into());
    let config = format!(
        "[http]\n extraHeader = X-Dropped: 1\n extraHeader =\n extraHeader = X-Kept: 1\n \
         userAgent = git/some\n[http \"http://127.0.0.1:{port}/\"]\n extraHeader = X-Own: 2\n\
         [http \"http://other.example/\"]\n extraHeader = X-Other: 3\n"
    );
    let error = connect(&format!("http://127.0.0.1:{port}/x"), &settings(&config));
    assert!(matches!(error, Err(ConnectionError::NotFound { .. })));
    let asked = server.join().expect("a request");
    assert!(
        asked.starts_with("GET /x/info/refs?service=git-upload-pack HTTP/1.1\r\n"),
        "{asked}"
    );
    for line in [
        "X-Kept: 1",
        "X-Own: 2",
        "User-Agent: git/some",
        "Git-Protocol: version=2",
    ] {
        assert!(
            asked.contains(&format!("\r\n{line}\r\n")),
            "{line}: {asked}"
        );
    }
    assert!(
        !asked.contains("X-Dropped") && !asked.contains("X-Other"),
        "{asked}"
    );
    // A proxy, with a login that is seen by nobody else.
    let (port, server) = one_answer(answer.into());
    let proxy = format!("http://someone:hidden@127.0.0.1:{port}");
    let config = format!(
        "[http]\n proxy = {proxy}\n proxyAuthMethod = basic\n[http \"http://127.0.0.1/\"]\n proxy =\n"
    );
    let settings = settings(&config);
    assert!(!format!("{settings:?}").contains("hidden"));
    let error = connect("http://nowhere.invalid/x", &settings);
    assert!(
        matches!(error, Err(ConnectionError::NotFound { .. })),
        "{error:?}"
    );
    let asked = server.join().expect("a request");
    assert!(
        asked.starts_with("GET http://nowhere.invalid/x/info/refs"),
        "{asked}"
    );
    assert!(asked.contains("Proxy-Authorization: Basic "), "{asked}");
    // The proxy has gone: what it was called with is in no error.
    let error = connect("http://nowhere.invalid/x", &settings).expect_err("nobody is there");
    assert!(
        matches!(error, ConnectionError::Unreachable { .. }),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
}

#[test]
fn an_answer_that_is_no_answer_of_git_is_refused() {
    let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>";
    let (port, server) = one_answer(html.into());
    let error = connect(&format!("http://127.0.0.1:{port}/x"), &settings(""));
    assert!(
        matches!(error, Err(ConnectionError::Protocol { .. })),
        "{error:?}"
    );
    server.join().expect("a request");
    // Headers without an end.
    let line = format!("X-Long: {}\r\n", "x".repeat(8_000));
    let (port, server) = one_answer(format!("HTTP/1.1 200 OK\r\n{}", line.repeat(60)));
    let error = connect(&format!("http://127.0.0.1:{port}/x"), &settings(""));
    assert!(error.is_err());
    server.join().expect("a request");
}
