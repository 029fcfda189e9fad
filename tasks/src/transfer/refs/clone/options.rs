//! What a clone is asked for.

use gix::bstr::{BString, ByteSlice as _};
use gix::config::Source;
use serde::{Deserialize, Serialize};

use crate::transfer::refs::store::reflog::Logging;
use crate::transfer::text;

/// What a clone is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of git clone")]
pub struct CloneOptions {
    /// The URL as it goes into the configuration: absolute if it is a path, without secrets.
    pub url: String,
    /// The remote's name.
    pub origin: String,
    /// `--branch`: a branch or a tag.
    #[serde(with = "text::maybe_name")]
    pub branch: Option<BString>,
    /// `--single-branch`, or `--no-single-branch`. Unset, `depth` decides.
    pub single_branch: Option<bool>,
    /// `--bare`
    pub bare: bool,
    /// `--mirror`, which makes it bare too.
    pub mirror: bool,
    /// `--no-tags`
    pub no_tags: bool,
    /// `--no-checkout`
    pub no_checkout: bool,
    /// `--depth`, in commits.
    pub depth: Option<u32>,
    /// `--filter`, as it goes into the configuration, such as `blob:none`.
    pub filter: Option<String>,
    /// What the user's own configuration says.
    pub defaults: CloneDefaults,
}

impl CloneOptions {
    /// A clone of `url` with nothing asked for.
    pub fn new(url: impl Into<String>, defaults: CloneDefaults) -> Self {
        Self {
            url: url.into(),
            origin: defaults.origin.clone(),
            branch: None,
            single_branch: None,
            bare: false,
            mirror: false,
            no_tags: false,
            no_checkout: false,
            depth: None,
            filter: None,
            defaults,
        }
    }

    /// Whether there is no working tree.
    pub fn is_bare(&self) -> bool {
        self.bare || self.mirror
    }

    /// Whether one branch only is cloned.
    pub fn is_single(&self) -> bool {
        self.single_branch.unwrap_or(self.depth.is_some())
    }

    /// The refs of the remote that are cloned.
    pub(super) fn source(&self) -> &'static str {
        if self.mirror { "refs/" } else { "refs/heads/" }
    }

    /// Where they go.
    pub(super) fn destination(&self) -> String {
        if self.is_bare() {
            self.source().to_owned()
        } else {
            format!("refs/remotes/{}/", self.origin)
        }
    }
}

/// What the configuration of the user and the system says about new repositories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloneDefaults {
    /// `clone.defaultRemoteName`
    pub origin: String,
    /// `init.defaultBranch`
    #[serde(with = "text::name")]
    pub branch: BString,
    /// `branch.autoSetupRebase` is `always` or `remote`.
    pub rebase: bool,
    /// `core.logAllRefUpdates`, if it is set.
    pub logging: Option<Logging>,
}

impl Default for CloneDefaults {
    fn default() -> Self {
        Self {
            origin: "origin".to_owned(),
            branch: "master".into(),
            rebase: false,
            logging: None,
        }
    }
}

impl CloneDefaults {
    /// Reads them through any repository; what that one says for itself does not count.
    pub fn of(repo: &gix::Repository) -> Self {
        Self::from_config(repo.config_snapshot().plumbing())
    }

    /// Reads them where there is no repository: of the user, the machine and the environment. What
    /// can't be read is as if it were not there.
    pub fn outside() -> Self {
        let mut config = gix::config::File::from_globals().unwrap_or_default();
        if let Ok(environment) = gix::config::File::from_environment_overrides() {
            let _ = config.append(environment);
        }
        Self::from_config(&config)
    }

    fn from_config(config: &gix::config::File) -> Self {
        let string = |key: &str| {
            let outside = |it: &gix::config::file::Metadata| {
                !matches!(it.source, Source::Local | Source::Worktree)
            };
            config.string_filter(key, outside)
        };
        let default = Self::default();
        let valid = |name: &BString| {
            let full = [b"refs/heads/", name.as_bytes()].concat();
            gix::validate::reference::name(full.as_bstr()).is_ok()
        };
        Self {
            origin: string("clone.defaultRemoteName")
                .filter(valid)
                .and_then(|name| String::from_utf8(name.into()).ok())
                .unwrap_or(default.origin),
            branch: string("init.defaultBranch")
                .filter(valid)
                .unwrap_or(default.branch),
            rebase: string("branch.autoSetupRebase")
                .is_some_and(|value| value == "always" || value == "remote"),
            logging: string("core.logAllRefUpdates").and_then(|it| Logging::parse(it.as_bstr())),
        }
    }
}
