//! What the configuration and the environment say of connections.

use std::sync::Arc;
use std::time::Duration;

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::config::File;

use super::message::Sink;
use super::{ConnectionError, Message};

/// A line on which no byte moves for so long is a lost one, unless something else is set.
const STALL: Duration = Duration::from_secs(60);

/// What holds for the connections of one repository, or of none. Cheap to clone.
#[derive(Clone)]
pub struct Settings {
    pub(super) config: Arc<File>,
    remote: Option<BString>,
    version: u8,
    stall: Duration,
    bundles: bool,
    sink: Sink,
}

impl Settings {
    /// Those of a repository.
    pub fn of(repo: &gix::Repository) -> Result<Self, ConnectionError> {
        Self::from_file(repo.config_snapshot().plumbing().clone())
    }

    /// Those where there is no repository: of the user and the machine.
    pub fn outside() -> Result<Self, ConnectionError> {
        let unusable = |what: &str| {
            let key = what.to_owned();
            move |error: gix::Error| ConnectionError::Configuration {
                key,
                reason: error.to_string(),
            }
        };
        let mut config = File::from_globals().map_err(unusable("what the user has set"))?;
        let environment = File::from_environment_overrides();
        let environment = environment.map_err(unusable("what the environment has set"))?;
        config
            .append(environment)
            .map_err(unusable("what the environment has set"))?;
        Self::from_file(config)
    }

    pub(super) fn from_file(config: File) -> Result<Self, ConnectionError> {
        let mut settings = Self {
            config: Arc::new(config),
            remote: None,
            version: 2,
            stall: STALL,
            bundles: true,
            sink: Arc::new(|_: Message<'_>| ()),
        };
        if let Some(version) = settings.string("protocol.version") {
            settings.version = match version.as_slice() {
                b"0" => 0,
                b"1" => 1,
                b"2" => 2,
                _ => return Err(unusable("protocol.version", "give 0, 1 or 2")),
            };
        }
        if let Some(value) = settings.string("transfer.bundleURI") {
            let value = gix::config::Boolean::try_from(value.as_bstr());
            let value = value.map_err(|_| unusable("transfer.bundleURI", "give true or false"))?;
            settings.bundles = value.0;
        }
        if let Some(stall) = settings.string("mug.stallTimeout") {
            let seconds = stall.to_str().ok().and_then(|it| it.parse::<f64>().ok());
            let time = seconds.and_then(|it| Duration::try_from_secs_f64(it).ok());
            settings.stall = time.filter(|it| !it.is_zero()).ok_or_else(|| {
                unusable("mug.stallTimeout", "give a number of seconds above zero")
            })?;
        }
        Ok(settings)
    }

    /// Whether bundles are taken that a server offers: unless `transfer.bundleURI` says no.
    pub fn takes_bundles(&self) -> bool {
        self.bundles
    }

    /// With this as well, in the form of a file of configuration; what it says counts.
    pub fn with_config(self, text: &str) -> Result<Self, ConnectionError> {
        let more = File::try_from(text).map_err(|error| unusable("a key", &error.to_string()))?;
        let mut config = (*self.config).clone();
        config
            .append(more)
            .map_err(|error| unusable("a key", &error.to_string()))?;
        let it = Self::from_file(config)?;
        Ok(Self {
            remote: self.remote,
            sink: self.sink,
            ..it
        })
    }

    /// With what is set for the remote of this name.
    pub fn for_remote(mut self, name: impl Into<BString>) -> Self {
        self.remote = Some(name.into());
        self
    }

    /// With this as where the server's messages go.
    pub fn with_sink(mut self, sink: Sink) -> Self {
        self.sink = sink;
        self
    }

    /// With this stall time: a line on which no byte moves for so long is a lost one.
    pub fn with_stall(mut self, stall: Duration) -> Self {
        self.stall = stall;
        self
    }

    /// With this version of the protocol as the one to ask for: 0, 1 or 2.
    pub fn with_version(mut self, version: u8) -> Self {
        self.version = version.min(2);
        self
    }

    /// The version of the protocol to ask for.
    pub fn version(&self) -> u8 {
        self.version
    }

    /// The stall time.
    pub fn stall(&self) -> Duration {
        self.stall
    }

    /// Where the server's messages go.
    pub(super) fn sink(&self) -> &Sink {
        &self.sink
    }

    /// The value of a key, from where it may be trusted.
    pub(super) fn string(&self, key: &str) -> Option<BString> {
        self.config.string_filter(key, trusted)
    }

    /// The value of a key of the remote.
    pub(super) fn of_remote(&self, key: &str) -> Option<BString> {
        let name = self.remote.as_ref()?;
        self.config
            .string_filter_by("remote", Some(name.as_bstr()), key, trusted)
    }

    /// Whether a protocol of this name may be used at all.
    pub(super) fn check_allowed(&self, protocol: &str) -> Result<(), ConnectionError> {
        let allowed = if let Ok(list) = std::env::var("GIT_ALLOW_PROTOCOL") {
            list.split(':').any(|it| it == protocol)
        } else {
            let name = Some(BStr::new(protocol));
            let own = self
                .config
                .string_filter_by("protocol", name, "allow", trusted);
            let value = own.or_else(|| self.string("protocol.allow"));
            value.is_none_or(|it| !it.eq_ignore_ascii_case(b"never"))
        };
        if allowed {
            return Ok(());
        }
        Err(ConnectionError::Unsupported {
            what: format!("the protocol '{protocol}' is not allowed by git's configuration"),
        })
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The configuration may hold secrets.
        f.debug_struct("Settings")
            .field("version", &self.version)
            .field("stall", &self.stall)
            .finish_non_exhaustive()
    }
}

/// A value that can't be used.
pub(super) fn unusable(key: &str, reason: &str) -> ConnectionError {
    ConnectionError::Configuration {
        key: key.to_owned(),
        reason: reason.to_owned(),
    }
}

/// Whether a section comes from where it may name programs and proxies.
pub(super) fn trusted(meta: &gix::config::file::Metadata) -> bool {
    meta.trust == gix::sec::Trust::Full
        || meta.source.kind() != gix::config::source::Kind::Repository
}
