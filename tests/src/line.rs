//! Connections of the tests' own, as the commands make them.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::Scratch;
use crate::server::{HttpServer, Project};
use mug::transfer::RemoteRef;
use mug::transfer::connection::{Address, ConnectionError, Request, Service, Session, Settings};

/// A little repository, `project.git`, and a server for it.
pub fn served() -> (Scratch, HttpServer) {
    let scratch = Scratch::new();
    Project::LITTLE.make(&scratch, "project.git");
    let server = HttpServer::start(&scratch);
    (scratch, server)
}

/// Settings with this as configuration, and no credential helper or terminal of whoever runs the
/// tests.
///
/// # Panics
///
/// When they can't be read.
pub fn settings(config: &str) -> Settings {
    let alone = "[credential]\n helper =\n[gitoxide \"credentials\"]\n terminalPrompt = false\n";
    let settings = Settings::outside().expect("settings");
    let settings = settings.with_config(&format!("{alone}{config}"));
    settings.expect("settings")
}

/// Connects to a server that sends objects.
///
/// # Errors
///
/// When there is no way to it.
pub fn connect(url: &str, settings: &Settings) -> Result<Session, ConnectionError> {
    let address = Address::parse(url, settings)?;
    let flag = Arc::new(AtomicBool::new(false));
    Session::open(&address, Service::UploadPack, settings, &flag)
}

/// The same, where it must be there.
///
/// # Panics
///
/// When it is not.
#[track_caller]
pub fn open(url: &str, settings: &Settings) -> Session {
    connect(url, settings).expect("a session")
}

/// A request for all that these refs lead to.
pub fn all(refs: &[RemoteRef]) -> Request {
    Request::new(refs.iter().filter_map(|it| it.target).collect())
}

/// The pack that answers a request, and the session for another one if there is one.
///
/// # Panics
///
/// When it does not come whole.
#[track_caller]
pub fn pack(session: Session, request: &Request) -> (Vec<u8>, Option<Session>) {
    let mut reply = session.fetch(request).expect("a reply");
    let mut bytes = Vec::new();
    reply.pack.read_to_end(&mut bytes).expect("a whole pack");
    (bytes, reply.pack.into_session())
}

/// How many objects are in a pack.
///
/// # Panics
///
/// When there is no pack's head.
pub fn objects(pack: &[u8]) -> u32 {
    u32::from_be_bytes(pack[8..12].try_into().expect("four bytes"))
}
