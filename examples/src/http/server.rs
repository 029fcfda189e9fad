//! A loopback server that drops connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::head::Head;

/// Written at once, in bytes.
const BLOCK: usize = 32 * 1024;

/// A body of which any part can be made without the rest.
#[derive(Clone, Copy, Debug)]
pub struct Content {
    /// Its length in bytes.
    pub len: u64,
}

impl Content {
    /// The byte at `at`.
    fn byte(at: u64) -> u8 {
        let mut word = (at / 8).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (word ^ (word >> 31)).to_le_bytes()[(at % 8) as usize]
    }

    /// The bytes from `from` up to `to`.
    fn part(from: u64, to: u64) -> Vec<u8> {
        (from..to).map(Self::byte).collect()
    }

    /// What the publisher of this body would announce, in hex.
    pub fn sha256(self) -> String {
        let mut hash = Sha256::new();
        for from in (0..self.len).step_by(BLOCK) {
            hash.update(Self::part(from, self.len.min(from + BLOCK as u64)));
        }
        faster_hex::hex_string(&hash.finalize())
    }
}

/// Serves one body on a free loopback port until it is dropped.
///
/// Of seven connections one is closed without an answer, one is told to come
/// later, and the others break off after 1 to 8 MiB of the body.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    connections: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts to serve `content`, on each connection at most `rate` bytes a second (`None`: as
    /// fast as it goes).
    pub async fn start(content: Content, rate: Option<NonZeroU32>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let connections = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                // A client that goes away is none of the server's business.
                tokio::spawn(async move { serve(stream, content, rate, number).await.ok() });
            }
        });
        Ok(Self {
            address,
            connections,
            accepting,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it took so far.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    stream: TcpStream,
    content: Content,
    rate: Option<NonZeroU32>,
    number: u64,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let request = Head::read(&mut stream).await?;
    match number % 7 {
        3 => return Ok(()),
        5 => {
            let busy = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
            return stream.write_all(busy.as_bytes()).await;
        }
        _ => {}
    }
    let tag = format!("\"{}\"", content.len);
    // A range of another body than this is answered with all of this one.
    let from = request
        .field("range")
        .filter(|_| request.field("if-range").is_none_or(|want| want == tag))
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'))
        .and_then(|from| from.parse::<u64>().ok());
    let len = content.len;
    let status = match from {
        Some(from) if from >= len => {
            format!("416 Range Not Satisfiable\r\nContent-Range: bytes */{len}")
        }
        Some(from) => {
            format!(
                "206 Partial Content\r\nContent-Range: bytes {from}-{}/{len}",
                len - 1
            )
        }
        None => "200 OK".to_owned(),
    };
    let from = from.unwrap_or(0).min(len);
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: {tag}\r\nConnection: close\r\n\r\n",
        len - from
    );
    stream.write_all(head.as_bytes()).await?;
    if !request.first.starts_with("GET ") {
        return Ok(());
    }
    let lasts = (1 << 20) + number.wrapping_mul(2_654_435_761) % (7 << 20);
    send(&mut stream, from, len.min(from + lasts), rate).await
}

async fn send(
    to: &mut BufReader<TcpStream>,
    from: u64,
    end: u64,
    rate: Option<NonZeroU32>,
) -> io::Result<()> {
    let mut ticks = rate.map(|rate| {
        let mut ticks = interval(Duration::from_secs_f64(
            BLOCK as f64 / f64::from(rate.get()),
        ));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    });
    for at in (from..end).step_by(BLOCK) {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        to.write_all(&Content::part(at, end.min(at + BLOCK as u64)))
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Client, Found};

    const URL: &str = "http://demo/body";

    #[tokio::test]
    async fn a_body_is_whole_after_every_break() {
        let content = Content { len: 40_000_003 };
        let server = Server::start(content, None).await.unwrap();
        let client = Client::default().resolve("demo", server.address());
        let found = client.head(URL).await.unwrap();
        assert_eq!(found.len, content.len);
        let mut got = Vec::new();
        let mut breaks = 0;
        while (got.len() as u64) < content.len {
            match client.get(URL, got.len() as u64, &found.tag).await {
                Ok(body) => {
                    let mut body = body.unwrap();
                    while let Ok(Some(chunk)) = body.chunk().await {
                        got.extend(chunk);
                    }
                }
                Err(e) => assert!(e.may_pass(), "{e}"),
            }
            breaks += 1;
            assert!(breaks < 200, "no progress: {} bytes", got.len());
        }
        assert!(breaks > 5, "{breaks}");
        assert_eq!(server.connections(), breaks + 1);
        let hash = Sha256::digest(&got);
        assert_eq!(faster_hex::hex_string(&hash), content.sha256());
    }

    #[tokio::test]
    async fn another_body_is_no_continuation() {
        let server = Server::start(Content { len: 1000 }, None).await.unwrap();
        let client = Client::default().resolve("demo", server.address());
        let Found { tag, .. } = client.head(URL).await.unwrap();
        assert!(client.get(URL, 10, &tag).await.unwrap().is_some());
        assert!(client.get(URL, 10, "\"other\"").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_refused() {
        for url in [
            "ftp://demo/",
            "demo",
            "http://demo/a b",
            "http://demo/\r\nX: y",
        ] {
            let error = Client::default().head(url).await.unwrap_err();
            assert!(!error.may_pass(), "{url:?}: {error}");
        }
    }
}
