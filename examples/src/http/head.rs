//! The head of a request or an answer: its first line and its fields.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// No head that we read is longer, in bytes.
const MAX_HEAD: u64 = 16 * 1024;

/// A head as it was sent.
pub(super) struct Head {
    /// `GET /path HTTP/1.1` or `HTTP/1.1 206 Partial Content`.
    pub(super) first: String,
    fields: Vec<(String, String)>,
}

impl Head {
    /// Reads a head, and nothing behind it.
    pub(super) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Self> {
        let mut from = from.take(MAX_HEAD);
        let mut first = String::new();
        line(&mut from, &mut first).await?;
        let mut fields = Vec::new();
        let mut text = String::new();
        loop {
            line(&mut from, &mut text).await?;
            if text.is_empty() {
                return Ok(Self { first, fields });
            }
            let (name, value) = text
                .split_once(':')
                .ok_or_else(|| invalid("a field without a colon"))?;
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The field `name`, which is given in lower case.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Reads a line without its end. A line that is cut off is an early end.
async fn line(from: &mut (impl AsyncBufRead + Unpin), text: &mut String) -> io::Result<()> {
    text.clear();
    from.read_line(text).await?;
    if text.pop() != Some('\n') {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the connection ended in the head",
        ));
    }
    if text.ends_with('\r') {
        text.pop();
    }
    Ok(())
}

pub(super) fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
