//! A server that says what a test has written down.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use super::super::message::Sink;
use super::super::packet::{self, Packets};
use super::super::wire::{Watch, Wire};

/// What a server says that sends these bytes, then closes.
pub(super) fn packets(said: impl Into<Vec<u8>>) -> Packets {
    conversation(said).0
}

/// The same, with what it has heard in the end.
pub(super) fn conversation(said: impl Into<Vec<u8>>) -> (Packets, JoinHandle<Vec<u8>>) {
    let (here, mut there) = UnixStream::pair().unwrap();
    let said = said.into();
    let server = std::thread::spawn(move || {
        // Who listens may have heard enough.
        let _ = there.write_all(&said);
        let _ = there.shutdown(std::net::Shutdown::Write);
        let mut heard = Vec::new();
        let _ = there.read_to_end(&mut heard);
        heard
    });
    let output = here.try_clone().unwrap();
    let flag = Arc::new(AtomicBool::new(false));
    let watch = Watch::new(&flag, Duration::from_secs(60));
    let wire = Wire::over(OwnedFd::from(here), OwnedFd::from(output), watch);
    (Packets::new(wire.unwrap(), "the server".into()), server)
}

/// These lines as packets; `0000` and `0001` stand for themselves.
pub(super) fn script(lines: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        match *line {
            "0000" | "0001" | "0002" => out.extend_from_slice(line.as_bytes()),
            line => packet::write(&mut out, line.as_bytes()),
        }
    }
    out
}

/// Where nothing is heard.
pub(super) fn silent() -> Sink {
    Arc::new(|_| ())
}
