//! As much of HTTP as git's clients speak.

use std::io::{self, BufRead, Read, Write};

/// The longest head and the longest body of a request that are read.
const HEAD: u64 = 64 << 10;
const BODY: u64 = 64 << 20;

/// A request with its body.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// The next one on a connection; `None` when it was closed. `cut` says after how many bytes of
    /// the body the connection breaks, if it is to.
    pub(super) fn read(
        input: &mut impl BufRead,
        output: &mut impl Write,
        cut: impl FnOnce(&Self, u64) -> Option<u64>,
    ) -> io::Result<Option<Self>> {
        let mut head = input.take(HEAD);
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace();
        let (method, target) = (words.next(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Self {
            method: method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            ..Self::default()
        };
        loop {
            let mut line = String::new();
            if head.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            let header = (name.to_ascii_lowercase(), value.trim().to_owned());
            request.headers.push(header);
        }
        if request.header("expect").is_some() {
            output.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            output.flush()?;
        }
        request.body = if request.header("transfer-encoding").is_some() {
            chunks(input)?
        } else {
            let length = request.header("content-length");
            let length = length.and_then(|text| text.parse().ok()).unwrap_or(0);
            let mut body = Vec::new();
            if let Some(at) = cut(&request, length) {
                input.take(at).read_to_end(&mut body)?;
                return Err(io::Error::other("this is to be cut"));
            }
            input.take(length.min(BODY)).read_to_end(&mut body)?;
            body
        };
        Ok(Some(request))
    }

    /// The header of this name, which is in small letters.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let header = headers.find(|(header, _)| header == name)?;
        Some(&header.1)
    }

    /// Whether the body is compressed.
    pub(super) fn is_gzip(&self) -> bool {
        self.header("content-encoding") == Some("gzip")
    }
}

fn chunks(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        input.take(64).read_line(&mut line)?;
        let digits = line.trim_end().split(';').next().unwrap_or_default();
        let length = u64::from_str_radix(digits, 16).map_err(io::Error::other)?;
        if body.len() as u64 + length > BODY {
            return Err(io::Error::other("the body is too long"));
        }
        input.take(length).read_to_end(&mut body)?;
        input.take(2).read_line(&mut String::new())?;
        if length == 0 {
            return Ok(body);
        }
    }
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
}

impl Head {
    pub(super) const fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
        }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Reads the one that a CGI program writes before its body.
    pub(super) fn read(program: &mut impl BufRead) -> io::Result<Self> {
        let mut head = Self::new(200);
        let mut program = program.take(HEAD);
        loop {
            let mut line = String::new();
            if program.read_line(&mut line)? == 0 {
                return Err(io::Error::other("git http-backend gave no answer"));
            }
            let Some((name, value)) = line.trim_end().split_once(':') else {
                return Ok(head);
            };
            let value = value.trim();
            if name.eq_ignore_ascii_case("status") {
                let digits = value.get(..3).unwrap_or_default();
                head.status = digits.parse().map_err(io::Error::other)?;
            } else if !name.eq_ignore_ascii_case("content-length") {
                head.headers.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    /// Writes it; a body in chunks is to follow.
    pub(super) fn write(&self, output: &mut impl Write) -> io::Result<()> {
        write!(output, "HTTP/1.1 {} Answer\r\n", self.status)?;
        for (name, value) in &self.headers {
            write!(output, "{name}: {value}\r\n")?;
        }
        output.write_all(b"Transfer-Encoding: chunked\r\n\r\n")
    }
}

/// A body in chunks, one at each flush.
pub(super) struct Chunked<W> {
    output: W,
    chunk: Vec<u8>,
}

impl<W: Write> Chunked<W> {
    pub(super) const fn new(output: W) -> Self {
        Self {
            output,
            chunk: Vec::new(),
        }
    }

    /// Says that nothing more comes.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.flush()?;
        self.output.write_all(b"0\r\n\r\n")?;
        self.output.flush()
    }
}

impl<W: Write> Write for Chunked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.chunk.is_empty() {
            write!(self.output, "{:x}\r\n", self.chunk.len())?;
            self.chunk.extend_from_slice(b"\r\n");
            self.output.write_all(&self.chunk)?;
            self.chunk.clear();
        }
        self.output.flush()
    }
}
