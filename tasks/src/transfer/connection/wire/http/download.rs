//! A file by HTTP, from any place on: what a bundle or a pack directory is read by.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::super::super::address::Place;
use super::super::super::{Address, ConnectionError, Service, Settings};
use super::super::watch::Watch;
use super::answer::Head;
use super::transfer::Body;
use super::{Http, MOST_REDIRECTIONS, redirect};

/// A file that comes. An error of reading it is a [`ConnectionError`] inside; see
/// [`ConnectionError::of_read`].
pub struct Download {
    http: Http,
    from: u64,
    length: Option<u64>,
    validator: Option<String>,
    read: u64,
}

impl Download {
    /// Asks for the file at `address` from the byte `from` on. `validator` is what an earlier
    /// download gave: where the file is another one by now, or the server sends no parts, it comes
    /// from its start on, which [`from`](Self::from) says.
    pub fn open(
        address: &Address,
        settings: &Settings,
        interrupt: &Arc<AtomicBool>,
        from: u64,
        validator: Option<&str>,
    ) -> Result<Self, ConnectionError> {
        let Place::Http { base } = &address.place else {
            let what = format!("{address} is no file of a web server");
            return Err(ConnectionError::Unsupported { what });
        };
        let watch = Watch::new(interrupt, settings.stall());
        let mut http = Http::new(base, address, Service::UploadPack, settings, watch)?;
        if address.foreign {
            http.options.forget_logins();
        }
        // A file's name may end with a slash, unlike a repository's.
        http.base.clone_from(base);
        let mut headers = Vec::new();
        // Without a validator the parts might be of two files.
        let validator = validator.filter(|it| from > 0 && !it.contains(['\r', '\n']));
        if let Some(validator) = validator {
            headers.push(format!("Range: bytes={from}-"));
            headers.push(format!("If-Range: {validator}"));
        }
        // What is counted is what is kept.
        headers.push("Accept-Encoding: identity".into());
        for _ in 0..MOST_REDIRECTIONS {
            let head = http.with_login(|http| {
                let (url, headers) = (http.base.clone(), headers.clone());
                http.request(&url, Body::Part(headers))
            })?;
            if !head.redirects() {
                return Self::of(http, &head, from);
            }
            let location = head.header("location").unwrap_or_default();
            let next = redirect::resolve(&http.base, location);
            let next = next.ok_or_else(|| http.failure(&head))?;
            http.move_to(&next)?;
        }
        Err(redirect::endless())
    }

    fn of(http: Http, head: &Head, from: u64) -> Result<Self, ConnectionError> {
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let (start, length) = if head.status == 206 {
            let range = head.header("content-range").unwrap_or_default();
            let range = range.trim_start_matches("bytes").trim();
            let (part, length) = range.split_once('/').unwrap_or_default();
            let start = part.split('-').next().and_then(number);
            if start != Some(from) {
                return Err(ConnectionError::protocol("another part than was asked for"));
            }
            (from, number(length))
        } else {
            (0, head.header("content-length").and_then(number))
        };
        // A weak one says nothing of bytes.
        let tag = head.header("etag").filter(|it| !it.starts_with("W/"));
        let validator = tag.or_else(|| head.header("last-modified"));
        Ok(Self {
            validator: validator.map(str::to_owned),
            from: start,
            length,
            read: 0,
            http,
        })
    }

    /// From which byte on it comes.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// How long the whole file is, if the server says so.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// What tells this file from a later one of the same name.
    pub fn validator(&self) -> Option<&str> {
        self.validator.as_deref()
    }

    /// Reads more of it; 0 at its end.
    pub fn next(&mut self, into: &mut [u8]) -> Result<usize, ConnectionError> {
        if into.is_empty() {
            return Ok(0);
        }
        let read = self.http.read(into)?;
        self.read += read as u64;
        let whole = self.length.is_none_or(|it| it <= self.from + self.read);
        if read == 0 && !whole {
            return Err(ConnectionError::cut("within the file"));
        }
        Ok(read)
    }
}

impl io::Read for Download {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(self.next(into)?)
    }
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download")
            .field("from", &self.from)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
