//! A client that asks for what follows a byte of a certain body.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::head::{Head, invalid};

/// How much of a body is handed on at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// Asks servers for bodies. Costs nothing to make.
#[derive(Clone, Debug, Default)]
pub struct Client {
    known: Option<(String, SocketAddr)>,
}

/// What a server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The body's length in bytes.
    pub len: u64,
    /// The strong `ETag` that stands for exactly these bytes.
    pub tag: String,
}

/// What a server or the line to it did wrong.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is none that we can use.
    #[error("`{0}` is no http address: write http://host[:port]/path")]
    Url(String),
    /// The line failed.
    #[error("the connection failed: {0}")]
    Line(#[from] io::Error),
    /// The server cannot answer now.
    #[error("the server cannot answer now: {0}")]
    Busy(String),
    /// The server answers, but not with a body that can be fetched in parts.
    #[error("the server gives no body in parts: {0}")]
    Refused(String),
}

impl HttpError {
    /// Whether asking again may help.
    pub fn may_pass(&self) -> bool {
        match self {
            // All that is read here comes from the line, so a head that makes no
            // sense is the only failure that would come again.
            Self::Line(e) => e.kind() != io::ErrorKind::InvalidData,
            Self::Busy(_) => true,
            Self::Url(_) | Self::Refused(_) => false,
        }
    }
}

/// An open connection, and what of the body is still to come on it.
#[derive(Debug)]
pub struct Body {
    from: BufReader<TcpStream>,
    left: u64,
}

impl Body {
    /// The next bytes, or `None` at the body's end.
    ///
    /// An end before that is an error. Nothing is lost when the future is dropped.
    pub async fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.left == 0 {
            return Ok(None);
        }
        let at_most = usize::try_from(self.left).map_or(CHUNK, |left| left.min(CHUNK));
        let mut bytes = vec![0; at_most];
        match self.from.read(&mut bytes).await? {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("closed with {} bytes to come", self.left),
            )),
            n => {
                self.left -= n as u64;
                bytes.truncate(n);
                Ok(Some(bytes))
            }
        }
    }
}

impl Client {
    /// Takes `host` for `at`, whatever port an address names.
    pub fn resolve(mut self, host: &str, at: SocketAddr) -> Self {
        self.known = Some((host.to_owned(), at));
        self
    }

    /// What is at `url`.
    pub async fn head(&self, url: &str) -> Result<Found, HttpError> {
        let (_, head) = self.ask("HEAD", url, "").await?;
        match status(&head)? {
            200 => found(&head),
            _ => Err(refused(&head)),
        }
    }

    /// The body at `url` from byte `from` on, as long as it still is the body that
    /// `tag` stands for; `None` when it is another by now.
    pub async fn get(&self, url: &str, from: u64, tag: &str) -> Result<Option<Body>, HttpError> {
        let fields = format!("Range: bytes={from}-\r\nIf-Range: {tag}\r\n");
        let (stream, head) = self.ask("GET", url, &fields).await?;
        match status(&head)? {
            206 if head.field("etag") == Some(tag) => {}
            200 | 206 | 412 | 416 => return Ok(None),
            _ => return Err(refused(&head)),
        }
        // `bytes 100-199/200`
        let first = head
            .field("content-range")
            .and_then(|range| range.strip_prefix("bytes "))
            .and_then(|range| range.split_once('-'))
            .and_then(|(first, _)| first.parse().ok());
        if first != Some(from) {
            return Err(invalid("the answer is another range than asked for").into());
        }
        Ok(Some(Body {
            from: stream,
            left: length(&head)?,
        }))
    }

    async fn ask(
        &self,
        method: &str,
        url: &str,
        fields: &str,
    ) -> Result<(BufReader<TcpStream>, Head), HttpError> {
        let no_url = || HttpError::Url(url.to_owned());
        if url.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(no_url());
        }
        let rest = url.strip_prefix("http://").ok_or_else(no_url)?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let stream = match &self.known {
            Some((name, at)) if name == host => TcpStream::connect(at).await?,
            _ if host.contains(':') => TcpStream::connect(host).await?,
            _ => TcpStream::connect((host, 80)).await?,
        };
        let mut stream = BufReader::new(stream);
        let request = format!(
            "{method} /{path} HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let head = Head::read(&mut stream).await?;
        Ok((stream, head))
    }
}

/// The status, unless it says that the server cannot answer now.
fn status(head: &Head) -> Result<u16, HttpError> {
    let mut words = head.first.split(' ');
    let version = words.next().unwrap_or_default();
    let status = words.next().and_then(|word| word.parse().ok());
    match status {
        Some(429 | 500 | 502 | 503 | 504) => Err(HttpError::Busy(head.first.clone())),
        Some(status) if version.starts_with("HTTP/1.") => Ok(status),
        _ => Err(invalid("the answer is not HTTP").into()),
    }
}

fn found(head: &Head) -> Result<Found, HttpError> {
    let missing = |what: &str| HttpError::Refused(format!("it names no {what}"));
    let tag = head.field("etag").ok_or_else(|| missing("ETag"))?;
    if tag.starts_with("W/") {
        return Err(missing("strong ETag"));
    }
    Ok(Found {
        len: length(head)?,
        tag: tag.to_owned(),
    })
}

fn length(head: &Head) -> Result<u64, HttpError> {
    head.field("content-length")
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| HttpError::Refused("it names no length".to_owned()))
}

fn refused(head: &Head) -> HttpError {
    HttpError::Refused(head.first.clone())
}
