//! What comes back of a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::super::super::ConnectionError;
use super::super::watch::{GLANCE, Watch};

/// Longer than this no server's wish to be left alone is followed.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The first part of an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    /// The status.
    pub(super) status: u32,
    /// The headers, their names in lower case.
    pub(super) headers: Vec<(String, String)>,
}

impl Head {
    /// Whether it sends elsewhere.
    pub(super) const fn redirects(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }

    /// The value of the first header of this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(it, _)| it == name)?;
        Some(&found.1)
    }

    /// The values of all headers of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(it, _)| it == name);
        named.map(|(_, value)| value.as_str())
    }

    /// How long the server asks to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let text = self.header("retry-after")?;
        let after = if let Ok(seconds) = text.parse() {
            Duration::from_secs(seconds)
        } else {
            let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
            let left = date.signed_duration_since(chrono::Utc::now());
            left.to_std().unwrap_or_default()
        };
        Some(after.min(LONGEST))
    }
}

/// What the thread that makes requests tells.
pub(super) enum Event {
    /// The first part is there.
    Head(Head),
    /// More of the body.
    Data(Vec<u8>),
    /// That was all, or there will be no more.
    End(Result<(), ConnectionError>),
}

/// What both sides of a request see.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Grows whenever a byte moves.
    pub(super) beats: AtomicU64,
    /// So many bytes of the question have gone.
    pub(super) sent: AtomicU64,
    /// Nobody listens any more.
    pub(super) left: AtomicBool,
}

/// An answer that is being read. Dropped before its end, it leaves the request.
pub(super) struct Answer {
    events: Receiver<Event>,
    pulse: Arc<Pulse>,
    data: Vec<u8>,
    at: usize,
    end: Option<Result<(), ConnectionError>>,
}

impl Answer {
    pub(super) fn new(events: Receiver<Event>, pulse: Arc<Pulse>) -> Self {
        Self {
            events,
            pulse,
            data: Vec::new(),
            at: 0,
            end: None,
        }
    }

    /// Waits for the head.
    pub(super) fn head(
        &mut self,
        watch: &Watch,
        sent: impl Fn(u64),
    ) -> Result<Head, ConnectionError> {
        match self.next(watch, sent)? {
            Event::Head(head) => Ok(head),
            Event::End(Err(error)) => Err(error),
            _ => Err(ConnectionError::cut("before an answer")),
        }
    }

    /// Reads what comes next; 0 at the end.
    pub(super) fn read(
        &mut self,
        into: &mut [u8],
        watch: &Watch,
    ) -> Result<usize, ConnectionError> {
        while self.at == self.data.len() {
            if let Some(end) = &self.end {
                return end.clone().map(|()| 0);
            }
            match self.next(watch, |_| ())? {
                Event::Data(data) => (self.data, self.at) = (data, 0),
                Event::End(end) => self.end = Some(end),
                Event::Head(_) => {}
            }
        }
        let have = &self.data[self.at..];
        let take = have.len().min(into.len());
        into[..take].copy_from_slice(&have[..take]);
        self.at += take;
        Ok(take)
    }

    fn next(&mut self, watch: &Watch, sent: impl Fn(u64)) -> Result<Event, ConnectionError> {
        let mut since = Instant::now();
        let mut beats = self.pulse.beats.load(Ordering::Relaxed);
        loop {
            match self.events.recv_timeout(GLANCE.min(watch.stall())) {
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ConnectionError::cut("without a word"));
                }
            }
            let now = self.pulse.beats.load(Ordering::Relaxed);
            if now != beats {
                (since, beats) = (Instant::now(), now);
                sent(self.pulse.sent.load(Ordering::Relaxed));
            }
            watch.check(since)?;
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.end.is_none() {
            self.pulse.left.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_when_to_come_again() {
        let head = |value: &str| Head {
            headers: vec![("retry-after".into(), value.into())],
            ..Head::default()
        };
        assert_eq!(head("7").retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(head("99999999").retry_after(), Some(LONGEST));
        let past = "Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(head(past).retry_after(), Some(Duration::ZERO));
        assert_eq!(head("soon").retry_after(), None);
        assert_eq!(Head::default().retry_after(), None);
        let ahead = (chrono::Utc::now() + chrono::TimeDelta::minutes(10)).to_rfc2822();
        let after = head(&ahead).retry_after().unwrap();
        assert!(after > Duration::from_secs(500) && after <= Duration::from_secs(600));
    }
}
