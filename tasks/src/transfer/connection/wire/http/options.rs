//! What the configuration says of HTTP, for one URL.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use curl::easy::{Auth, Easy2, HttpVersion, SslVersion};
use gix::bstr::{BString, ByteSlice as _};
use gix::url::Url;

use super::super::super::settings::unusable;
use super::super::super::url_match::Values;
use super::super::super::{ConnectionError, Settings};

/// A connection is tried for so long.
const CONNECT: Duration = Duration::from_secs(30);
/// What `http.postBuffer` is where nothing else is set.
const POST_BUFFER: u64 = 1 << 20;

/// Where a redirection is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Follow {
    /// Nowhere.
    None,
    /// When it is asked what there is.
    #[default]
    Initial,
    /// Everywhere.
    All,
}

/// The options of requests to one URL.
#[derive(Clone, Default)]
pub(super) struct Options {
    pub(super) headers: Vec<String>,
    pub(super) follow: Follow,
    pub(super) low_speed_limit: u32,
    pub(super) low_speed_time: u64,
    /// Questions up to this size are kept, so that they can be asked again.
    pub(super) post_buffer: u64,
    proxy: Option<String>,
    proxy_auth: Option<String>,
    /// The user and the password for it, where its URL does not have both.
    proxy_login: Option<(String, String)>,
    user_agent: String,
    ca_file: Option<PathBuf>,
    ca_dir: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    insecure: bool,
    version: Option<HttpVersion>,
    tls: Option<SslVersion>,
    cookies: Option<PathBuf>,
}

impl Options {
    pub(super) fn of(settings: &Settings, url: &Url) -> Result<Self, ConnectionError> {
        let values = Values::of(&settings.config, url);
        let text = |key: &str| values.last(key).map(|it| it.to_string());
        let variable = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
        let number = |key: &str, name: &str| -> Result<u64, ConnectionError> {
            match variable(name).or_else(|| text(key)) {
                Some(value) => {
                    let number = gix::config::Integer::try_from(BString::from(value.as_str()));
                    let number = number.ok().and_then(|it| it.to_decimal());
                    let number = number.and_then(|it| u64::try_from(it).ok());
                    number.ok_or_else(|| unusable(&format!("http.{key}"), "give a number"))
                }
                None => Ok(0),
            }
        };
        let truth = |key: &str| -> Result<Option<bool>, ConnectionError> {
            let Some(value) = values.last(key) else {
                return Ok(None);
            };
            let truth = gix::config::Boolean::try_from(value);
            let truth =
                truth.map_err(|_| unusable(&format!("http.{key}"), "give true or false"))?;
            Ok(Some(truth.0))
        };
        let path = |key: &str, name: &str| -> Option<PathBuf> {
            let by_environment = std::env::var_os(name).filter(|it| !it.is_empty());
            by_environment.map(PathBuf::from).or_else(|| {
                let value = values.last(key).filter(|it| !it.is_empty())?;
                Some(home(&value))
            })
        };
        let mut headers = Vec::new();
        for value in values.all("extraHeader") {
            if value.is_empty() {
                // What was said before does not hold.
                headers.clear();
                continue;
            }
            let header = value.to_str().ok();
            let header = header.filter(|it| !it.contains(['\r', '\n']));
            // A header may be a secret: it is not repeated.
            let header = header.ok_or_else(|| unusable("http.extraHeader", "it is no header"))?;
            headers.push(header.to_owned());
        }
        let no_verify = variable("GIT_SSL_NO_VERIFY");
        let follow = match text("followRedirects").as_deref() {
            None | Some("initial") => Follow::Initial,
            Some(_) if truth("followRedirects")? == Some(true) => Follow::All,
            Some(_) => Follow::None,
        };
        let proxy = settings.of_remote("proxy").map(|it| it.to_string());
        Ok(Self {
            headers,
            follow,
            low_speed_limit: u32::try_from(number("lowSpeedLimit", "GIT_HTTP_LOW_SPEED_LIMIT")?)
                .unwrap_or(u32::MAX),
            low_speed_time: number("lowSpeedTime", "GIT_HTTP_LOW_SPEED_TIME")?,
            post_buffer: match number("postBuffer", "GIT_HTTP_POST_BUFFER")? {
                0 => POST_BUFFER,
                size => size.clamp(64 << 10, 64 << 20),
            },
            proxy: proxy.or_else(|| text("proxy")),
            proxy_login: None,
            proxy_auth: variable("GIT_HTTP_PROXY_AUTHMETHOD").or_else(|| text("proxyAuthMethod")),
            user_agent: variable("GIT_HTTP_USER_AGENT")
                .or_else(|| text("userAgent"))
                .unwrap_or_else(super::super::super::session::agent),
            ca_file: path("sslCAInfo", "GIT_SSL_CAINFO").or_else(standard_authorities),
            ca_dir: path("sslCAPath", "GIT_SSL_CAPATH"),
            certificate: path("sslCert", "GIT_SSL_CERT"),
            key: path("sslKey", "GIT_SSL_KEY"),
            insecure: no_verify.is_some() || truth("sslVerify")? == Some(false),
            version: match text("version").as_deref() {
                Some("HTTP/1.1") => Some(HttpVersion::V11),
                Some("HTTP/2") => Some(HttpVersion::V2),
                _ => None,
            },
            tls: tls(text("sslVersion").as_deref())?,
            cookies: path("cookieFile", "GIT_HTTP_COOKIE_FILE"),
        })
    }

    /// Has `easy` follow them.
    pub(super) fn apply<H>(&self, easy: &mut Easy2<H>) -> Result<(), curl::Error> {
        easy.useragent(&self.user_agent)?;
        easy.connect_timeout(CONNECT)?;
        if self.low_speed_limit > 0 && self.low_speed_time > 0 {
            easy.low_speed_limit(self.low_speed_limit)?;
            easy.low_speed_time(Duration::from_secs(self.low_speed_time))?;
        }
        if let Some(proxy) = &self.proxy {
            // An empty one means none, whatever the environment says.
            easy.proxy(proxy)?;
        }
        if let Some((user, password)) = &self.proxy_login {
            easy.proxy_username(user)?;
            easy.proxy_password(password)?;
        }
        if self.proxy.as_ref().is_none_or(|it| !it.is_empty()) {
            let mut auth = Auth::new();
            match self.proxy_auth.as_deref() {
                Some("basic") => auth.basic(true),
                Some("digest") => auth.digest(true),
                _ => auth.basic(true).digest(true),
            };
            easy.proxy_auth(&auth)?;
        }
        if let Some(file) = &self.ca_file {
            easy.cainfo(file)?;
        }
        if let Some(dir) = &self.ca_dir {
            easy.capath(dir)?;
        }
        if let Some(file) = &self.certificate {
            easy.ssl_cert(file)?;
        }
        if let Some(file) = &self.key {
            easy.ssl_key(file)?;
        }
        if self.insecure {
            easy.ssl_verify_peer(false)?;
            easy.ssl_verify_host(false)?;
        }
        if let Some(version) = self.version {
            // As with git, what this curl can't do is not asked of it.
            let _ = easy.http_version(version);
        }
        if let Some(version) = self.tls {
            easy.ssl_version(version)?;
        }
        if let Some(file) = &self.cookies {
            easy.cookie_file(file)?;
        }
        Ok(())
    }

    /// Drops the headers that log in.
    pub(super) fn forget_logins(&mut self) {
        let logs_in = |header: &String| {
            let name = header.split(':').next().unwrap_or_default().trim();
            name.eq_ignore_ascii_case("authorization") || name.eq_ignore_ascii_case("cookie")
        };
        self.headers.retain(|it| !logs_in(it));
    }

    /// The proxy without who logs in there, and that user, where the password is missing.
    pub(super) fn half_a_login(&self) -> Option<(String, String)> {
        let proxy = self.proxy.as_ref()?;
        let (scheme, rest) = proxy.split_once("://").unwrap_or(("http", proxy));
        let (user, host) = rest.rsplit_once('@')?;
        let half = !user.is_empty() && !user.contains(':');
        half.then(|| (format!("{scheme}://{host}"), user.to_owned()))
    }

    /// Logs in at the proxy with these.
    pub(super) fn log_in_at_proxy(&mut self, url: String, user: &str, password: &str) {
        self.proxy = Some(url);
        self.proxy_login = Some((user.to_owned(), password.to_owned()));
    }

    /// What must be in no message.
    pub(super) fn secrets(&self) -> Vec<String> {
        let login = |proxy: &String| {
            let rest = proxy.split_once("://").map_or(proxy.as_str(), |it| it.1);
            let (login, _) = rest.rsplit_once('@')?;
            let secret = login.split_once(':').map_or(login, |(_, secret)| secret);
            Some(secret.to_owned()).filter(|it| !it.is_empty())
        };
        let own = self
            .proxy_login
            .iter()
            .map(|(_, password)| password.clone());
        self.proxy.iter().filter_map(login).chain(own).collect()
    }
}

/// The files of authorities where systems keep them.
fn standard_authorities() -> Option<PathBuf> {
    let set = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let known = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
        "/usr/local/etc/openssl/cert.pem",
        "/opt/homebrew/etc/ca-certificates/cert.pem",
    ];
    let known = known.iter().map(PathBuf::from);
    set.into_iter().chain(known).find(|it| it.is_file())
}

/// A path of the configuration, where `~/` is the user's home.
fn home(value: &BString) -> PathBuf {
    match (value.strip_prefix(b"~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(OsStr::from_bytes(rest)),
        _ => OsStr::from_bytes(value).into(),
    }
}

fn tls(name: Option<&str>) -> Result<Option<SslVersion>, ConnectionError> {
    Ok(match name {
        None | Some("") => None,
        Some("tlsv1") => Some(SslVersion::Tlsv1),
        Some("tlsv1.0") => Some(SslVersion::Tlsv10),
        Some("tlsv1.1") => Some(SslVersion::Tlsv11),
        Some("tlsv1.2") => Some(SslVersion::Tlsv12),
        Some("tlsv1.3") => Some(SslVersion::Tlsv13),
        Some("sslv2") => Some(SslVersion::Sslv2),
        Some("sslv3") => Some(SslVersion::Sslv3),
        Some(_) => return Err(unusable("http.sslVersion", "no such version")),
    })
}
