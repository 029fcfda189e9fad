//! The server for `http://` and `https://`.

use std::io::{self, BufReader, Cursor, Read, Write};
use std::net::TcpStream;
use std::ops::Deref;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::backend::Backend;
use super::deliver::{Delivery, End};
use super::http::{Chunked, Head, Request};
use super::listener::{Listener, close};
use super::packets::{pack_packet, packet};
use super::state::{Busy, Shared};
use super::tls::{self, Tls};
use super::{Control, Fault, Kind, Served, plain, question};
use crate::Scratch;

/// Serves the repositories of a [`Scratch`] by `git http-backend`, and the files in
/// its directory `files` as they are, until it is dropped.
#[derive(Debug)]
pub struct HttpServer {
    listener: Listener,
    control: Control,
}

impl HttpServer {
    /// Starts one on a port of its own.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn start(scratch: &Scratch) -> Self {
        Self::serve(scratch, connection)
    }

    /// The same for `https://`, by the authority of [`authority`](Self::authority).
    ///
    /// # Panics
    ///
    /// When there is no port.
    pub fn start_tls(scratch: &Scratch) -> Self {
        Self::serve(scratch, tls_connection)
    }

    fn serve(scratch: &Scratch, serve: fn(&Shared, &TcpStream) -> io::Result<()>) -> Self {
        let shared = Arc::new(Shared::new(
            scratch.path().to_owned(),
            scratch.environment(),
        ));
        Self {
            listener: Listener::start(Arc::clone(&shared), serve),
            control: Control { shared },
        }
    }

    /// The certificate, in PEM, of who vouches for a server with TLS.
    pub const fn authority() -> &'static str {
        tls::AUTHORITY
    }

    /// The URL of what lies at `path` in the scratch directory.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.listener.port())
    }

    /// The same for a server with TLS.
    pub fn tls_url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}/{path}", self.listener.port())
    }

    /// The same, with a user and a password.
    pub fn url_as(&self, user: &str, password: &str, path: &str) -> String {
        let port = self.listener.port();
        format!("http://{user}:{password}@127.0.0.1:{port}/{path}")
    }

    /// Answers only who names this user and password.
    pub fn require(&self, user: &str, password: &str) {
        let text = STANDARD.encode(format!("{user}:{password}"));
        let header = format!("Basic {text}");
        let shared = &self.control.shared;
        shared.change(|state| state.authorization = Some(header));
    }

    /// Speaks this version of the protocol at most.
    pub fn speak(&self, version: u8) {
        let protocol = format!("version={version}");
        let shared = &self.control.shared;
        shared.change(|state| state.protocol = Some(protocol));
    }
}

impl Deref for HttpServer {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

fn connection(shared: &Shared, stream: &TcpStream) -> io::Result<()> {
    conversation(shared, stream, stream.try_clone()?, stream.try_clone()?)
}

fn tls_connection(shared: &Shared, stream: &TcpStream) -> io::Result<()> {
    let tls = Tls::accept(stream.try_clone()?)?;
    conversation(shared, stream, tls.clone(), tls)
}

/// Answers what comes over `stream`, as `input` reads and `output` writes it.
fn conversation(
    shared: &Shared,
    stream: &TcpStream,
    input: impl Read,
    mut output: impl Write,
) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let cut = |request: &Request, length| {
        // Four bytes only ask whether a login is wanted.
        let brings = request.path.ends_with("/git-receive-pack") && length > 4;
        brings.then(|| shared.change(|state| state.bring(length)))?
    };
    while let Some(request) = Request::read(&mut input, &mut output, cut)? {
        if !answer(shared, &request, &mut output)? {
            close(stream);
            break;
        }
    }
    Ok(())
}

/// Answers a request; whether the connection lives on.
fn answer(shared: &Shared, request: &Request, output: &mut impl Write) -> io::Result<bool> {
    let forced = shared.lock().protocol.clone();
    let protocol = forced.or_else(|| request.header("git-protocol").map(str::to_owned));
    let served = served(request);
    let v2 = served.question.v2;
    let is_file = served.kind == Kind::File;
    let (number, fault) = shared.change(|state| state.begin(served));
    let _busy = Busy::new(shared);
    if fault == Some(Fault::HangUp) {
        return Ok(false);
    }
    let (head, mut body): (Head, Box<dyn Read>) = match &fault {
        Some(Fault::Status(code, headers)) => {
            let mut head = Head::new(*code).with("Content-Type", "text/plain");
            head.headers.extend(headers.iter().cloned());
            (head, Box::new(Cursor::new("This is a test.\n")))
        }
        _ if !authorized(shared, request) => {
            let head = Head::new(401).with("WWW-Authenticate", "Basic realm=\"test\"");
            (head, Box::new(io::empty()))
        }
        Some(Fault::Pack(pack)) => (objects(), Box::new(Cursor::new(packed(pack, v2)))),
        Some(Fault::Body(body)) => (objects(), Box::new(Cursor::new(body.clone()))),
        _ if is_file => {
            let path = shared.root.join(request.path.trim_start_matches('/'));
            plain::answer(&path, request)?
        }
        _ => {
            let mut backend = Backend::start(shared, request, protocol.as_deref())?;
            let head = std::mem::replace(&mut backend.head, Head::new(200));
            (head, Box::new(Running(backend)))
        }
    };
    shared.change(|state| state.served[number].status = head.status);
    let head = head.with("Cache-Control", "no-store");
    let mut first = Vec::new();
    head.write(&mut first)?;
    output.write_all(&first)?;
    let delivery = Delivery::new(shared, number, fault, Chunked::new(output));
    let (end, chunked) = delivery.send(&mut body);
    if end != End::Whole {
        return Ok(false);
    }
    // Before its end can be seen.
    shared.change(|state| state.served[number].whole = true);
    chunked.end()?;
    Ok(true)
}

/// The body that a backend gives; it lives as long.
struct Running(Backend);

impl Read for Running {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.body.read(bytes)
    }
}

fn served(request: &Request) -> Served {
    let (kind, question) = if request.method == "POST" {
        question::read(&request.body, request.is_gzip())
    } else if request.path.starts_with("/files/") {
        (Kind::File, question::Question::default())
    } else {
        (Kind::Info, question::Question::default())
    };
    let user = request.header("authorization").and_then(|header| {
        let text = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
        let text = String::from_utf8(text).ok()?;
        Some(text.split_once(':')?.0.to_owned())
    });
    let mut path = request.path.clone();
    if !request.query.is_empty() {
        path = format!("{path}?{}", request.query);
    }
    Served {
        protocol: request.header("git-protocol").map(str::to_owned),
        user,
        question,
        received: request.body.len() as u64,
        ..Served::new(kind, path)
    }
}

fn authorized(shared: &Shared, request: &Request) -> bool {
    let wanted = shared.lock().authorization.clone();
    wanted.is_none_or(|wanted| request.header("authorization") == Some(&wanted))
}

fn objects() -> Head {
    Head::new(200).with("Content-Type", "application/x-git-upload-pack-result")
}

/// The answer to a request for objects that consists of this pack.
fn packed(pack: &[u8], v2: bool) -> Vec<u8> {
    let mut body = packet(if v2 { b"packfile\n" } else { b"NAK\n" });
    for part in pack.chunks(32 << 10) {
        body.extend(pack_packet(part));
    }
    body.extend(b"0000");
    body
}
