//! Where a repository is.

use std::path::{Path, PathBuf};

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::url::{Scheme, Url};

use super::{ConnectionError, Settings};
use crate::transfer::refs::name;

/// The address of a repository, after `url.<base>.insteadOf`.
#[derive(Clone)]
pub struct Address {
    /// What was given, without a password.
    stored: BString,
    /// Where that leads, without a password.
    shown: String,
    pub(super) place: Place,
    /// As the configuration is asked for it; without a password.
    pub(super) url: Url,
    password: Option<String>,
    /// A server named it that is another one.
    pub(super) foreign: bool,
}

/// How to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On this machine.
    Local {
        /// The repository.
        path: PathBuf,
    },
    /// By `git://`.
    Git {
        /// The server.
        host: String,
        /// Its port.
        port: Option<u16>,
        /// The path there.
        path: BString,
    },
    /// By ssh.
    Ssh {
        /// Who logs in.
        user: Option<String>,
        /// The server.
        host: String,
        /// Its port.
        port: Option<u16>,
        /// The path there, as a shell of the server is to see it.
        path: BString,
    },
    /// By HTTP.
    Http {
        /// The URL without who logs in.
        base: String,
    },
}

impl Address {
    /// The address that `text` is for fetching: a URL, an scp-like address or a path.
    pub fn parse(text: impl AsRef<[u8]>, settings: &Settings) -> Result<Self, ConnectionError> {
        let text = BStr::new(&text);
        match rewrite(text, settings, "insteadOf") {
            Some(rewritten) => Self::of(text, rewritten.as_bstr(), settings),
            None => Self::of(text, text, settings),
        }
    }

    /// The address that `text` is for pushing. `explicit`: it is a push URL by itself, for which
    /// `pushInsteadOf` is not meant.
    pub fn parse_for_push(
        text: impl AsRef<[u8]>,
        explicit: bool,
        settings: &Settings,
    ) -> Result<Self, ConnectionError> {
        let given = BStr::new(&text);
        let own = || rewrite(given, settings, "pushInsteadOf").filter(|_| !explicit);
        match own() {
            Some(rewritten) => Self::of(given, rewritten.as_bstr(), settings),
            None => Self::parse(given, settings),
        }
    }

    fn of(given: &BStr, text: &BStr, settings: &Settings) -> Result<Self, ConnectionError> {
        let shown = name::shown(&without_password(text));
        let invalid = |reason: &str| ConnectionError::Address {
            given: shown.clone(),
            reason: reason.to_owned(),
        };
        if text.is_empty() {
            return Err(invalid("it is empty"));
        }
        if text.iter().any(|byte| *byte == 0 || *byte == b'\n') {
            return Err(invalid("it has a line feed or a zero byte in it"));
        }
        // The parser's own words would repeat a password.
        let mut url =
            gix::url::parse(text).map_err(|_| invalid("give a URL, user@host:path, or a path"))?;
        let password = url.set_password(None);
        let host = || {
            let host = url.host().filter(|it| !it.is_empty());
            let host = host.ok_or_else(|| invalid("the host is missing"))?;
            if host.starts_with('-') {
                return Err(invalid("the host begins with a dash"));
            }
            Ok(host.to_owned())
        };
        let place = match &url.scheme {
            Scheme::File => {
                if url.host().is_some() {
                    return Err(invalid("a path on this machine has no host"));
                }
                let path = gix::path::from_bstring(url.path.clone());
                let path = path.map_err(|_| invalid("it is no path of this machine"))?;
                Place::Local { path }
            }
            Scheme::Git => Place::Git {
                host: host()?,
                port: url.port,
                path: url.path.clone(),
            },
            Scheme::Ssh => {
                let user = url.user().map(str::to_owned);
                if user.as_ref().is_some_and(|it| it.starts_with('-')) {
                    return Err(invalid("the user begins with a dash"));
                }
                Place::Ssh {
                    user,
                    host: host()?,
                    port: url.port,
                    path: gix::url::expand_path::for_shell(url.path.clone()),
                }
            }
            Scheme::Http | Scheme::Https => {
                host()?;
                let base = without_login(&text.to_str_lossy());
                if base.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
                    return Err(invalid("it has spaces or control characters in it"));
                }
                Place::Http { base }
            }
            other => {
                let what = format!(
                    "addresses with '{}' are not supported; http, https, ssh, git, file and paths are",
                    name::shown(other.as_str().as_bytes())
                );
                return Err(ConnectionError::Unsupported { what });
            }
        };
        settings.check_allowed(url.scheme.as_str())?;
        Ok(Self {
            stored: without_password(given).into(),
            shown,
            place,
            url,
            password,
            foreign: false,
        })
    }

    /// The address of a file that the server of this address names: a URL, or a path that is relative
    /// to this one. Only http and https will do.
    ///
    /// The URL may be all that it takes to read the file, so no more than its host is ever shown. What
    /// the user has set for logins goes to the server of this address alone.
    pub fn of_file(&self, uri: &str, settings: &Settings) -> Result<Self, ConnectionError> {
        // Errors of parsing would show it.
        let unusable = || ConnectionError::Unsupported {
            what: "its address is none of http or https that can be used".to_owned(),
        };
        let uri = match &self.place {
            _ if uri.contains("://") => uri.to_owned(),
            Place::Http { base } => relative(base, uri).ok_or_else(unusable)?,
            _ => return Err(unusable()),
        };
        let mut found = Self::parse(uri, settings).map_err(|_| unusable())?;
        let Place::Http { base } = &found.place else {
            return Err(unusable());
        };
        found.foreign = !matches!(&self.place, Place::Http { base: own } if same_server(base, own));
        let host = found.url.host().unwrap_or_default();
        found.shown = name::shown(format!("{}://{host}", found.url.scheme.as_str()).as_bytes());
        found.stored = BString::default();
        Ok(found)
    }

    /// The address as it may be shown: where it leads, without a password and control characters.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The address as it may be kept: as it was given, without a password.
    pub fn stored(&self) -> &BStr {
        self.stored.as_bstr()
    }

    /// The path, if it is one of this machine.
    pub fn local(&self) -> Option<&Path> {
        match &self.place {
            Place::Local { path } => Some(path),
            _ => None,
        }
    }

    /// Whether it is a bare path, and no `file://` URL.
    pub fn is_path(&self) -> bool {
        self.local().is_some() && !self.shown.contains("://")
    }

    /// The user that it names, and the password.
    pub(super) fn login(&self) -> (Option<&str>, Option<&str>) {
        (self.url.user(), self.password.as_deref())
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// What `url.<base>.<key>` makes of `text`: the longest of those that it begins with is replaced.
fn rewrite(text: &BStr, settings: &Settings, key: &str) -> Option<BString> {
    let sections = settings
        .config
        .sections_by_name_and_filter("url", super::settings::trusted)?;
    let mut best: Option<(usize, BString)> = None;
    for section in sections {
        let Some(base) = section.header().subsection_name() else {
            continue;
        };
        for prefix in section.values(key) {
            let longer = best.as_ref().is_none_or(|(it, _)| *it < prefix.len());
            if longer && text.starts_with(&prefix) {
                best = Some((prefix.len(), base.to_owned()));
            }
        }
    }
    let (length, mut base) = best?;
    base.extend_from_slice(&text[length..]);
    Some(base)
}

/// Whether two URLs are of one server.
pub(super) fn same_server(one: &str, other: &str) -> bool {
    let server = |url: &str| {
        let url = gix::url::parse(BStr::new(url)).ok()?;
        let host = url.host()?.to_lowercase();
        Some((url.scheme.as_str().to_owned(), host, url.port_or_default()))
    };
    server(one).is_some_and(|it| Some(it) == server(other))
}

/// A URL below or beside that of a directory; none if the path leads above its host.
fn relative(base: &str, mut path: &str) -> Option<String> {
    let start = base.find("://")? + 3;
    if path.starts_with('/') {
        return None;
    }
    let mut base = base.split('?').next()?.trim_end_matches('/');
    loop {
        if let Some(rest) = path.strip_prefix("./") {
            path = rest;
        } else if let Some(rest) = path.strip_prefix("../") {
            path = rest;
            base = &base[..start + base.get(start..)?.rfind('/')?];
        } else {
            return Some(format!("{base}/{path}"));
        }
    }
}

/// Where in a URL stands who logs in, without the `@` behind it.
fn login(text: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = text.find("://")? + 3;
    let host = &text[start..];
    let end = host.find_byteset(b"/?#").unwrap_or(host.len());
    let at = host[..end].rfind_byte(b'@')?;
    Some(start..start + at)
}

/// `text` without the password of a URL in it.
fn without_password(text: &BStr) -> Vec<u8> {
    let bytes: &[u8] = text;
    let colon =
        login(bytes).and_then(|it| Some((it.start + bytes[it.clone()].find_byte(b':')?, it.end)));
    match colon {
        Some((colon, at)) => [&bytes[..colon], &bytes[at..]].concat(),
        None => bytes.to_vec(),
    }
}

/// A URL without who logs in.
fn without_login(text: &str) -> String {
    match login(text.as_bytes()) {
        Some(login) => [&text[..login.start], &text[login.end + 1..]].concat(),
        None => text.to_owned(),
    }
}
