//! One request, made with curl.

use std::io::{Cursor, Read, Seek as _, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use curl::easy::{Easy2, List, NetRc, ReadError, SeekResult, WriteError};

use super::super::super::{ConnectionError, send};
use super::answer::{Event, Head, Pulse};
use super::failure::meaning;
use super::login::Account;
use super::options::{Follow, Options};

/// The headers of an answer take no more than this.
const MOST_OF_HEADERS: usize = 256 << 10;
/// What curl reads at once.
const BLOCK: usize = 128 << 10;

/// What to ask.
pub(super) struct Job {
    pub(super) url: String,
    /// Beside those of the options.
    pub(super) headers: Vec<String>,
    pub(super) body: Body,
    pub(super) options: Options,
    pub(super) login: Option<Account>,
    /// It must not be made twice: curl makes one again by itself when a connection that was used
    /// before breaks under it.
    pub(super) once: bool,
}

/// What goes with a request.
pub(super) enum Body {
    /// Nothing: a GET.
    None,
    /// The same with these headers, for a file or a part of it.
    Part(Vec<String>),
    /// These bytes.
    Bytes {
        /// As they go.
        bytes: Vec<u8>,
        /// They are gzip.
        compressed: bool,
    },
    /// What is read, once.
    Stream {
        /// As it goes.
        bytes: Box<dyn Read + Send>,
        /// How much that is.
        length: u64,
    },
}

/// What is read of a body.
enum Source {
    Bytes(Cursor<Vec<u8>>),
    Stream(Box<dyn Read + Send>),
}

impl Default for Source {
    fn default() -> Self {
        Self::Bytes(Cursor::default())
    }
}

/// What curl calls.
#[derive(Default)]
pub(super) struct Handler {
    tell: Option<SyncSender<Event>>,
    pulse: Arc<Pulse>,
    body: Source,
    /// Why the body could not be read.
    unreadable: Option<ConnectionError>,
    /// The head that came last, until it is told.
    head: Head,
    of_headers: usize,
    told: bool,
}

impl Handler {
    fn beat(&self) {
        self.pulse.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Hands something to who asked; whether anybody is there.
    fn tell(&self, event: Event) -> bool {
        self.tell
            .as_ref()
            .is_some_and(|tell| tell.send(event).is_ok())
    }

    /// Tells the head, if that was not done: the one before a body is the last one.
    fn tell_head(&mut self) -> bool {
        if self.told {
            return true;
        }
        self.told = true;
        let head = std::mem::take(&mut self.head);
        self.tell(Event::Head(head))
    }
}

impl curl::easy::Handler for Handler {
    fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        self.beat();
        let there = self.tell_head() && self.tell(Event::Data(data.to_vec()));
        // Less than all of it ends the request.
        Ok(if there { data.len() } else { 0 })
    }

    fn read(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        self.beat();
        let read = match &mut self.body {
            Source::Bytes(bytes) => bytes.read(into),
            Source::Stream(bytes) => bytes.read(into),
        };
        match read {
            Ok(read) => {
                self.pulse.sent.fetch_add(read as u64, Ordering::Relaxed);
                Ok(read)
            }
            Err(error) => {
                self.unreadable = Some(send::unreadable(&error));
                Err(ReadError::Abort)
            }
        }
    }

    fn seek(&mut self, whence: SeekFrom) -> SeekResult {
        match &mut self.body {
            Source::Bytes(bytes) => match bytes.seek(whence) {
                Ok(_) => SeekResult::Ok,
                Err(_) => SeekResult::CantSeek,
            },
            Source::Stream(_) => SeekResult::CantSeek,
        }
    }

    fn header(&mut self, data: &[u8]) -> bool {
        self.beat();
        self.of_headers += data.len();
        if self.of_headers > MOST_OF_HEADERS {
            return false;
        }
        let line = String::from_utf8_lossy(data);
        let line = line.trim();
        if let Some(status) = line.strip_prefix("HTTP/") {
            // Another answer, after a redirection or that of a proxy.
            let code = status.split_whitespace().nth(1);
            self.head.headers.clear();
            self.head.status = code.and_then(|it| it.parse().ok()).unwrap_or_default();
        } else if let Some((name, value)) = line.split_once(':') {
            let name = name.trim().to_ascii_lowercase();
            if name == "location" && (300..400).contains(&self.head.status) {
                // Each step is a place of its own.
                self.of_headers = 0;
            }
            self.head.headers.push((name, value.trim().to_owned()));
        }
        true
    }

    fn progress(&mut self, _: f64, _: f64, _: f64, _: f64) -> bool {
        !self.pulse.left.load(Ordering::Relaxed)
    }
}

/// Makes a request, and tells all that comes of it but the end.
pub(super) fn perform(
    easy: &mut Easy2<Handler>,
    job: Job,
    tell: &SyncSender<Event>,
    pulse: &Arc<Pulse>,
) -> Result<(), ConnectionError> {
    let (options, url) = (job.options.clone(), job.url.clone());
    let outcome = set_up(easy, job, tell, pulse).and_then(|()| easy.perform());
    let handler = easy.get_mut();
    handler.tell = None;
    let (head, told) = (std::mem::take(&mut handler.head), handler.told);
    // What it holds open is not needed any more.
    handler.body = Source::default();
    if let Some(error) = handler.unreadable.take() {
        return Err(error);
    }
    outcome.map_err(|error| meaning(&error, &url, &options, told))?;
    if !told {
        // An answer without a body.
        let _ = tell.send(Event::Head(head));
    }
    Ok(())
}

fn set_up(
    easy: &mut Easy2<Handler>,
    job: Job,
    tell: &SyncSender<Event>,
    pulse: &Arc<Pulse>,
) -> Result<(), curl::Error> {
    // The connection lives on.
    easy.reset();
    let options = &job.options;
    easy.url(&job.url)?;
    easy.signal(false)?;
    easy.progress(true)?;
    easy.buffer_size(BLOCK)?;
    easy.tcp_keepalive(true)?;
    easy.tcp_nodelay(true)?;
    if !matches!(job.body, Body::Part(_)) {
        easy.accept_encoding("")?;
    }
    // A login that the user has written down for all programs.
    easy.netrc(NetRc::Optional)?;
    easy.http_09_allowed(false)?;
    easy.fresh_connect(job.once)?;
    let mut headers = List::new();
    for header in job.headers.iter().chain(&options.headers) {
        headers.append(header)?;
    }
    easy.http_headers(headers)?;
    options.apply(easy)?;
    if let Some(login) = &job.login {
        easy.username(&login.user)?;
        easy.password(&login.password)?;
        easy.http_auth(&login.method())?;
    }
    // The first request is sent elsewhere by hand.
    let is_get = matches!(job.body, Body::None | Body::Part(_));
    easy.follow_location(options.follow == Follow::All && !is_get)?;
    easy.max_redirections(20)?;
    let mut source = Source::default();
    match job.body {
        Body::None | Body::Part(_) => easy.get(true)?,
        Body::Bytes { bytes: body, .. } => {
            easy.post(true)?;
            easy.post_field_size(body.len() as u64)?;
            source = Source::Bytes(Cursor::new(body));
        }
        Body::Stream { bytes, length } => {
            easy.post(true)?;
            easy.post_field_size(length)?;
            source = Source::Stream(bytes);
        }
    }
    let handler = easy.get_mut();
    *handler = Handler {
        tell: Some(tell.clone()),
        pulse: Arc::clone(pulse),
        body: source,
        ..Handler::default()
    };
    Ok(())
}
