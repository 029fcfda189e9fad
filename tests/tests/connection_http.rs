//! What is special to HTTP: logins, redirections, headers, proxies, files in parts.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use end_to_end::Scratch;
use end_to_end::line::{all, connect, open, pack, served, settings};
use end_to_end::server::{Fault, Kind};
use mug::transfer::connection::{Address, ConnectionError, Download};
use resume_runtime::ErrorClass;

#[test]
fn logins_come_from_the_address_and_from_the_helpers_and_are_never_shown() {
    let (scratch, server) = served();
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
fn redirections_are_followed_as_the_configuration_says() {
    let (_scratch, server) = served();
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
    let scratch = Scratch::new();
    let cookies = scratch.join("cookies");
    let line = "127.0.0.1\tFALSE\t/\tFALSE\t0\tkind\tplain\n";
    std::fs::write(&cookies, line).expect("a file");
    let config = format!(
        "[http]\n extraHeader = X-Dropped: 1\n extraHeader =\n extraHeader = X-Kept: 1\n \
         userAgent = git/some\n cookieFile = {}\n[http \"http://127.0.0.1:{port}/\"]\n extraHeader = X-Own: 2\n\
         [http \"http://other.example/\"]\n extraHeader = X-Other: 3\n",
        cookies.display()
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
        "Cookie: kind=plain",
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
fn a_proxy_whose_user_alone_is_named_has_its_password_from_the_helpers() {
    let scratch = Scratch::new();
    let log = scratch.join("told");
    for (status, told) in [("404 No", "get\nstore\n"), ("407 No", "get\nerase\n")] {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let (port, server) = one_answer(answer);
        let config = format!(
            "[http]\n proxy = http://someone@127.0.0.1:{port}\n proxyAuthMethod = basic\n\
             [credential]\n helper = \"!f() {{ echo $1 >> {}; cat > /dev/null; test $1 = get && \
             echo 'password=hidden'; }}; f\"\n",
            log.display()
        );
        let error = connect("http://nowhere.invalid/x", &settings(&config));
        assert!(!format!("{error:?}").contains("hidden"));
        let asked = server.join().expect("a request");
        // someone:hidden
        let header = "\r\nProxy-Authorization: Basic c29tZW9uZTpoaWRkZW4=\r\n";
        assert!(asked.contains(header), "{asked}");
        assert_eq!(std::fs::read_to_string(&log).expect("a log"), told);
        std::fs::remove_file(&log).expect("a file");
    }
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

#[test]
fn bundles_are_listed_and_come_in_parts() {
    let (scratch, server) = served();
    let settings = settings("");
    let mut session = open(&server.url("project.git"), &settings);
    assert_eq!(session.bundles().expect("an answer"), None);
    std::fs::create_dir(scratch.join("files")).expect("a directory");
    let target = "../files/all.bundle";
    scratch.git(
        "project.git",
        &["bundle", "create", "--quiet", target, "--all"],
    );
    let url = server.url("files/all.bundle");
    for (key, value) in [
        ("uploadpack.advertiseBundleURIs", "true"),
        ("bundle.version", "1"),
        ("bundle.mode", "all"),
        ("bundle.one.uri", &url),
    ] {
        scratch.git("project.git", &["config", key, value]);
    }
    for way in [
        server.url("project.git"),
        scratch.join("project.git").display().to_string(),
    ] {
        let mut session = open(&way, &settings);
        let found = session.bundles().expect("an answer").expect("a list");
        assert!(found.all);
        assert_eq!(found.bundles[0].uri, url);
        // The connection is good for more.
        let refs = session.refs(&[]).expect("refs");
        pack(session, &all(&refs));
    }
    let expected = std::fs::read(scratch.join("files/all.bundle")).expect("a bundle");
    let address = Address::parse(&url, &settings).expect("an address");
    let flag = Arc::new(AtomicBool::new(false));
    let download = |from: u64, validator: Option<&str>| {
        Download::open(&address, &settings, &flag, from, validator)
    };
    server.once(Kind::File, 0, Fault::Cut(10_000));
    let mut first = download(0, None).expect("a file");
    assert_eq!(first.from(), 0);
    let mut bytes = Vec::new();
    let error = first.read_to_end(&mut bytes).expect_err("it is cut");
    let error = ConnectionError::of_read(&error);
    assert!(matches!(error, ConnectionError::Lost { .. }), "{error}");
    assert_eq!(bytes, expected[..10_000]);
    let validator = first.validator().expect("a validator").to_owned();
    server.forget();
    let mut rest = download(10_000, Some(&validator)).expect("a part");
    assert_eq!(rest.from(), 10_000);
    assert_eq!(rest.length(), Some(expected.len() as u64));
    rest.read_to_end(&mut bytes).expect("the rest");
    assert_eq!(bytes, expected);
    assert_eq!(server.sent(), expected.len() as u64 - 10_000);
    // Another file by now, or nothing to tell it by: it comes from the start on.
    for validator in [Some("\"other\""), None] {
        let mut whole = download(10_000, validator).expect("a file");
        assert_eq!(whole.from(), 0);
        let mut bytes = Vec::new();
        whole.read_to_end(&mut bytes).expect("all of it");
        assert_eq!(bytes, expected);
    }
    let missing = Address::parse(server.url("files/none"), &settings).expect("an address");
    let error = Download::open(&missing, &settings, &flag, 0, None).expect_err("none");
    assert!(matches!(error, ConnectionError::NotFound { .. }), "{error}");
}
