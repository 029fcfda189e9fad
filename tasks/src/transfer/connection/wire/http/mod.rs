//! By HTTP: each question is a request, which a thread of its own makes with curl.
//!
//! What asks waits for that thread with an eye on the interrupt flag and the clock, and may leave
//! it: a thread that nobody listens to any more ends within a second or so.

mod answer;
mod download;
mod failure;
mod login;
mod options;
mod redirect;
mod transfer;
mod worker;

use std::io::{Cursor, Read as _, Write as _};

use gix::bstr::BStr;

use super::super::address::same_server;
use super::super::{Address, ConnectionError, Outgoing, Service, Settings, send};
use super::watch::Watch;
use answer::{Answer, Head};
pub use download::Download;
use login::{Login, ProxyLogin};
use options::{Follow, Options};
use transfer::{Body, Job};
use worker::Worker;

/// Questions above this size are compressed.
const SMALL: usize = 1 << 10;
/// So often a server may send elsewhere.
const MOST_REDIRECTIONS: usize = 20;

/// A server that is asked by HTTP.
pub(in super::super) struct Http {
    /// The URL of the repository, where redirections have led, without who logs in.
    base: String,
    address: String,
    service: Service,
    version: u8,
    settings: Settings,
    options: Options,
    login: Login,
    proxy: Option<ProxyLogin>,
    worker: Worker,
    watch: Watch,
    answer: Option<Answer>,
}

impl Http {
    /// Asks what the service has to say at first.
    pub(super) fn open(
        base: &str,
        address: &Address,
        service: Service,
        settings: &Settings,
        watch: Watch,
    ) -> Result<Self, ConnectionError> {
        let mut http = Self::new(base, address, service, settings, watch)?;
        http.first()?;
        Ok(http)
    }

    /// Asks for nothing yet.
    fn new(
        base: &str,
        address: &Address,
        service: Service,
        settings: &Settings,
        watch: Watch,
    ) -> Result<Self, ConnectionError> {
        let mut options = Options::of(settings, &address.url)?;
        Ok(Self {
            proxy: ProxyLogin::find(settings, &mut options)?,
            base: base.trim_end_matches('/').to_owned(),
            address: address.shown().to_owned(),
            service,
            version: service.version(settings),
            settings: settings.clone(),
            options,
            login: Login::new(address, settings),
            worker: Worker::start()?,
            watch,
            answer: None,
        })
    }

    /// The first request, which redirections may lead elsewhere.
    fn first(&mut self) -> Result<(), ConnectionError> {
        let tail = format!("/info/refs?service={}", self.service.program());
        let mut url = format!("{}{tail}", self.base);
        for _ in 0..MOST_REDIRECTIONS {
            let head = self.with_login(|http| http.request(&url, Body::None))?;
            if !head.redirects() {
                return self.check_type(&head, "advertisement");
            }
            let location = head.header("location").unwrap_or_default();
            let next = redirect::resolve(&url, location).ok_or_else(|| self.failure(&head))?;
            let Some(base) = next.strip_suffix(&tail) else {
                return Err(self.failure(&head));
            };
            self.move_to(base)?;
            url = next;
        }
        Err(redirect::endless())
    }

    /// Asks.
    pub(super) fn ask(&mut self, question: Vec<u8>) -> Result<(), ConnectionError> {
        let compressed = question.len() > SMALL;
        let body = if compressed {
            gzip(&question)
        } else {
            question
        };
        let head = self.with_login(|http| {
            let url = format!("{}/{}", http.base, http.service.program());
            let bytes = body.clone();
            http.request(&url, Body::Bytes { bytes, compressed })
        })?;
        if head.redirects() {
            return Err(self.failure(&head));
        }
        self.check_type(&head, "result")
    }

    /// Asks, with a pack behind it.
    pub(super) fn send(
        &mut self,
        mut question: Vec<u8>,
        mut pack: Outgoing,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), ConnectionError> {
        if question.len() as u64 + pack.length <= self.options.post_buffer {
            send::copy(pack, progress, |block| {
                question.extend_from_slice(block);
                Ok(())
            })?;
            return self.ask(question);
        }
        // A login that is asked for with the pack on its way would cost the pack: a question
        // without a content comes first, as with git.
        let head = self.with_login(|http| {
            let url = format!("{}/{}", http.base, http.service.program());
            let bytes = b"0000".to_vec();
            let compressed = false;
            http.request(&url, Body::Bytes { bytes, compressed })
        })?;
        self.check_type(&head, "result")?;
        let url = format!("{}/{}", self.base, self.service.program());
        let length = question.len() as u64 + pack.length;
        let start = question.len() as u64;
        let bytes = std::mem::replace(&mut pack.bytes, Box::new(std::io::empty()));
        let body = Body::Stream {
            bytes: Box::new(Cursor::new(question).chain(bytes)),
            length,
        };
        let head = self.request_with(&url, body, |sent| progress(sent.saturating_sub(start)))?;
        if head.status >= 300 {
            return Err(self.failure(&head));
        }
        self.check_type(&head, "result")
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize, ConnectionError> {
        match &mut self.answer {
            Some(answer) => answer.read(into, &self.watch),
            None => Ok(0),
        }
    }

    /// Makes a request, and again with a login when it takes one.
    fn with_login(
        &mut self,
        mut request: impl FnMut(&mut Self) -> Result<Head, ConnectionError>,
    ) -> Result<Head, ConnectionError> {
        loop {
            let head = request(self)?;
            if let Some(proxy) = &mut self.proxy {
                match head.status {
                    407 => proxy.reject(),
                    _ => proxy.approve(),
                }
            }
            if head.status == 401 {
                // A redirection on the way is where the login is for.
                self.login.find(&self.base, &self.address, &head)?;
                continue;
            }
            if head.status < 300 || (head.redirects() && self.options.follow != Follow::None) {
                self.login.approve();
                return Ok(head);
            }
            return Err(self.failure(&head));
        }
    }

    /// Makes a request, and waits for the head of its answer.
    fn request(&mut self, url: &str, body: Body) -> Result<Head, ConnectionError> {
        self.request_with(url, body, |_| ())
    }

    /// The same; `sent` is told how much of the body has gone.
    fn request_with(
        &mut self,
        url: &str,
        body: Body,
        sent: impl Fn(u64),
    ) -> Result<Head, ConnectionError> {
        // What is left of the last answer must not be taken for this one's.
        self.answer = None;
        let once = self.service == Service::ReceivePack && !matches!(body, Body::None);
        let job = Job {
            once,
            url: url.to_owned(),
            headers: self.headers(&body),
            body,
            options: self.options.clone(),
            login: self.login.current(),
        };
        let mut answer = self.worker.take(job)?;
        let head = answer.head(&self.watch, sent)?;
        self.answer = Some(answer);
        Ok(head)
    }

    fn headers(&self, body: &Body) -> Vec<String> {
        let name = self.service.program();
        if let Body::Part(headers) = body {
            return headers.clone();
        }
        let mut headers = vec!["Pragma: no-cache".to_owned()];
        match body {
            Body::None | Body::Part(_) => {}
            Body::Bytes { .. } | Body::Stream { .. } => {
                headers.push(format!("Content-Type: application/x-{name}-request"));
                headers.push(format!("Accept: application/x-{name}-result"));
                if let Body::Bytes {
                    compressed: true, ..
                } = body
                {
                    headers.push("Content-Encoding: gzip".into());
                }
                // Not to wait for leave to go on.
                headers.push("Expect:".into());
            }
        }
        if self.version > 0 {
            headers.push(format!("Git-Protocol: version={}", self.version));
        }
        headers
    }

    /// Goes on where a redirection leads to.
    fn move_to(&mut self, base: &str) -> Result<(), ConnectionError> {
        if !same_server(base, &self.base) {
            // What was meant for one server is not for another.
            self.login.forget();
            let url = gix::url::parse(BStr::new(base));
            let url =
                url.map_err(|_| ConnectionError::protocol("it sends to a place that is none"))?;
            self.options = Options::of(&self.settings, &url)?;
            self.options.forget_logins();
            self.proxy = ProxyLogin::find(&self.settings, &mut self.options)?;
        }
        base.clone_into(&mut self.base);
        Ok(())
    }

    fn check_type(&self, head: &Head, kind: &str) -> Result<(), ConnectionError> {
        let wanted = format!("application/x-{}-{kind}", self.service.program());
        let given = head.header("content-type").unwrap_or_default();
        let given = given.split(';').next().unwrap_or_default().trim();
        if given.eq_ignore_ascii_case(&wanted) {
            return Ok(());
        }
        let what = super::super::message::cleaned(given.as_bytes());
        let what = format!("it answers with '{what}' where '{wanted}' should come");
        Err(ConnectionError::protocol(what))
    }

    /// What a status means.
    fn failure(&self, head: &Head) -> ConnectionError {
        let (address, status) = (self.address.clone(), head.status);
        match status {
            403 => ConnectionError::Denied {
                address,
                reason: "status 403".into(),
            },
            404 | 410 => ConnectionError::NotFound {
                address,
                reason: format!("status {status}"),
            },
            407 => ConnectionError::Denied {
                address,
                reason: "the proxy wants a login (status 407)".into(),
            },
            429 | 503 => ConnectionError::Busy {
                status,
                retry_after: head.retry_after(),
            },
            408 | 500 | 502 | 504 => ConnectionError::Failed { status },
            _ => ConnectionError::Status { address, status },
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    // A vector takes everything.
    let _ = out.write_all(bytes);
    out.finish().unwrap_or_default()
}
