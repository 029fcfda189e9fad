//! `git://`: a socket, and a first line that says what is wanted.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::OwnedFd;
use std::time::Duration;

use gix::bstr::BStr;

use super::super::{Address, ConnectionError, Service, Settings, packet};
use super::stream::Stream;
use super::watch::Watch;

/// The port of `git daemon`.
const PORT: u16 = 9418;
/// One address of a host is tried for so long.
const CONNECT: Duration = Duration::from_secs(20);

pub(super) fn connect(
    address: &Address,
    (host, port): (&str, Option<u16>),
    path: &BStr,
    service: Service,
    settings: &Settings,
    watch: Watch,
) -> Result<Stream, ConnectionError> {
    let unreachable = |reason: std::io::Error| ConnectionError::Unreachable {
        host: address.shown().to_owned(),
        reason: reason.to_string(),
    };
    // An address of version 6 stands in brackets, which are no part of it.
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let mut failure = std::io::ErrorKind::AddrNotAvailable.into();
    let found = (name, port.unwrap_or(PORT)).to_socket_addrs();
    for at in found.map_err(unreachable)? {
        match TcpStream::connect_timeout(&at, CONNECT.min(watch.stall())) {
            Ok(socket) => {
                // Questions are small and wait for answers.
                let _ = socket.set_nodelay(true);
                let output = socket.try_clone().map_err(unreachable)?;
                let (input, output) = (OwnedFd::from(socket), OwnedFd::from(output));
                let mut stream = Stream::new(input, output, None, watch)?;
                stream.write(&greeting(service, path, (host, port), settings))?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(unreachable(failure))
}

/// The first line.
fn greeting(
    service: Service,
    path: &BStr,
    (host, port): (&str, Option<u16>),
    settings: &Settings,
) -> Vec<u8> {
    let mut line = Vec::new();
    line.extend_from_slice(service.program().as_bytes());
    line.push(b' ');
    line.extend_from_slice(path);
    line.extend_from_slice(format!("\0host={host}").as_bytes());
    if let Some(port) = port {
        line.extend_from_slice(format!(":{port}").as_bytes());
    }
    line.push(0);
    let version = service.version(settings);
    if version > 0 {
        line.extend_from_slice(format!("\0version={version}\0").as_bytes());
    }
    packet::of(&line)
}
