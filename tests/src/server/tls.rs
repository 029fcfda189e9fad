//! TLS in front of a server, for `https://`.
//!
//! The certificate is for `127.0.0.1`, by an authority of its own that nobody else knows. Both hold for
//! a hundred years, and the key guards nothing: it is here for all to read.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The authority's certificate, in PEM.
pub(super) const AUTHORITY: &str = include_str!("tls/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("tls/server.pem");
const KEY: &[u8] = include_bytes!("tls/server.key");

/// One side of a conversation; a clone is for the other direction.
#[derive(Clone)]
pub(super) struct Tls(Rc<RefCell<StreamOwned<ServerConnection, TcpStream>>>);

impl Tls {
    /// The server's side of `stream`. The handshake comes with the first bytes.
    pub(super) fn accept(stream: TcpStream) -> io::Result<Self> {
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_slice(KEY).map_err(io::Error::other)?;
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .map_err(io::Error::other)?;
        let session = ServerConnection::new(Arc::new(config)).map_err(io::Error::other)?;
        Ok(Self(Rc::new(RefCell::new(StreamOwned::new(
            session, stream,
        )))))
    }
}

impl Read for Tls {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(into)
    }
}

impl Write for Tls {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().flush()
    }
}
