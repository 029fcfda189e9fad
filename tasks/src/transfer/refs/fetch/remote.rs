//! The remote that is fetched from, as it is configured.

use gix::bstr::{BStr, BString, ByteSlice as _};
use serde::{Deserialize, Serialize};

use super::options::{FetchOptions, Tags};
use super::refspec::{ALL_TAGS, Refspec};
use crate::transfer::refs::RefsError;
use crate::transfer::text;

/// The remote that is fetched from, with what its configuration and the command line make of it.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of Git's")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// Its name; what was given as one, if it has none.
    #[serde(with = "text::name")]
    pub name: BString,
    /// Where it is, before `url.<base>.insteadOf`. May hold a password: not to be shown, and only to
    /// be kept where it is in the repository's configuration anyway.
    #[serde(skip)]
    pub url: BString,
    /// Whether the configuration knows it.
    pub configured: bool,
    /// `remote.<name>.fetch`
    pub configured_specs: Vec<Refspec>,
    /// What was named on the command line.
    pub given_specs: Vec<Refspec>,
    /// Which tags are fetched.
    pub tags: Tags,
    /// Whether refs are removed that it no longer has.
    pub prune: bool,
    /// What the current branch merges with (`branch.<name>.merge`), if it is this remote's.
    #[serde(with = "text::names")]
    pub merge: Vec<BString>,
    /// Whether the current branch merges with anything, of this remote or of another one.
    pub(super) branch_merges: bool,
    /// Whether it has promised the objects that a partial clone lacks.
    pub promisor: bool,
    /// What a partial clone leaves out (`remote.<name>.partialCloneFilter`).
    pub filter: Option<String>,
    /// What to run on the other side in the place of `git-upload-pack`.
    pub upload_pack: Option<String>,
    force: bool,
}

impl Remote {
    /// The remote that `options` mean in `repo`.
    pub fn find(repo: &gix::Repository, options: &FetchOptions) -> Result<Self, RefsError> {
        let config = Config { repo };
        let branch = repo.head_name().ok().flatten();
        let branch = branch.and_then(|it| {
            let short = it.as_bstr().strip_prefix(b"refs/heads/")?;
            Some(BString::from(short))
        });
        let of_branch = |key| config.all("branch", branch.as_ref()?.as_bstr(), key).pop();
        let branch_remote = of_branch("remote");
        let name = match &options.remote {
            Some(given) => BString::from(given.as_str()),
            None => branch_remote.clone().unwrap_or_else(|| usual(repo)),
        };
        let get = |key| config.all("remote", name.as_bstr(), key);
        let one = |key| get(key).pop();
        let urls = get("url");
        let fetch = get("fetch");
        let configured = is_configured(repo, name.as_bstr());
        if one("vcs").is_some() {
            return Err(RefsError::Helper { name });
        }
        let url = match urls.into_iter().find(|it| !it.is_empty()) {
            Some(url) => url,
            None if options.remote.is_some() || branch_remote.is_some() => name.clone(),
            None => return Err(RefsError::NoRemote),
        };
        let parse = |all: &[BString]| {
            let all = all.iter().map(|it| Refspec::parse(it.as_bstr()));
            all.collect::<Result<Vec<_>, _>>()
        };
        let mut configured_specs = parse(&fetch)?;
        let mut given_specs = given(&options.refspecs)?;
        let setting = |given: Option<bool>, key: &str, general: &str| {
            let own = || config.boolean("remote", Some(name.as_bstr()), key);
            let general = || config.boolean("fetch", None, general);
            given.or_else(own).or_else(general).unwrap_or(false)
        };
        let prune = setting(options.prune, "prune", "prune");
        let prune_tags = setting(options.prune_tags, "pruneTags", "pruneTags");
        if prune_tags && options.refspecs.is_empty() {
            let all = Refspec::parse(ALL_TAGS.into())?;
            if configured {
                configured_specs.push(all);
            } else {
                given_specs.push(all);
            }
        }
        let tags = match one("tagOpt") {
            Some(it) if it == "--tags" => Tags::All,
            Some(it) if it == "--no-tags" => Tags::None,
            _ => Tags::Follow,
        };
        let merges = branch.filter(|_| branch_remote.is_some());
        let merges = merges.map(|it| config.all("branch", it.as_bstr(), "merge"));
        let merges = merges.unwrap_or_default();
        let branch_merges = !merges.is_empty();
        let merge = if branch_remote.as_ref() == Some(&name) {
            merges
        } else {
            Vec::new()
        };
        let promisor = config.boolean("remote", Some(name.as_bstr()), "promisor");
        let partial = config.value("extensions", None, "partialClone");
        Ok(Self {
            configured,
            configured_specs,
            given_specs,
            tags: options.tags.unwrap_or(tags),
            prune,
            merge,
            branch_merges,
            promisor: promisor.unwrap_or(false) || partial.is_some_and(|it| it == name),
            filter: one("partialCloneFilter").map(|it| it.to_string()),
            upload_pack: one("uploadpack").map(|it| it.to_string()),
            force: options.force,
            url,
            name,
        })
    }

    /// What decides where the remote's refs go: what was given, or else what is configured.
    pub(super) fn specs(&self) -> &[Refspec] {
        if self.given_specs.is_empty() {
            &self.configured_specs
        } else {
            &self.given_specs
        }
    }

    /// Whether refs move that are no fast-forward, whatever their refspec says.
    pub(super) fn force(&self) -> bool {
        self.force
    }

    /// The prefixes of the refs to ask the server for; all if there are none.
    pub fn prefixes(&self) -> Vec<BString> {
        let mut prefixes = Vec::new();
        for spec in self.specs() {
            spec.prefixes(&mut prefixes);
        }
        if self.given_specs.is_empty() {
            prefixes.extend(self.merge.iter().cloned());
            if self.specs().is_empty() && self.merge.is_empty() {
                prefixes.push("HEAD".into());
            }
        }
        if self.tags != Tags::None && !prefixes.is_empty() {
            prefixes.push("refs/tags/".into());
        }
        prefixes.sort();
        prefixes.dedup();
        prefixes
    }

    /// The prefixes of the refs that a server is to list.
    pub fn asked(&self) -> Vec<BString> {
        if self.needs_no_list() {
            // The shortest list there is.
            vec!["HEAD".into()]
        } else {
            self.prefixes()
        }
    }

    /// Whether the server need not list its refs: objects are named by their ids alone.
    pub fn needs_no_list(&self) -> bool {
        let exact = |spec: &Refspec| spec.exact().is_some();
        self.tags == Tags::None
            && !self.given_specs.is_empty()
            && self.given_specs.iter().all(exact)
    }
}

/// The names of the remotes that `git fetch --all` fetches from, in the order of the configuration.
pub fn all_remotes(repo: &gix::Repository) -> Vec<String> {
    let config = Config { repo };
    let mut names = named_sections(repo);
    names.retain(|name| {
        let skips = |key| {
            config
                .boolean("remote", Some(name.as_bstr()), key)
                .unwrap_or(false)
        };
        !skips("skipFetchAll") && !skips("skipDefaultUpdate")
    });
    names.into_iter().map(|it| it.to_string()).collect()
}

/// The remotes that the group `name` stands for (`remotes.<name>`); empty if there is no such group.
pub fn group(repo: &gix::Repository, name: &str) -> Vec<String> {
    let snapshot = repo.config_snapshot();
    let values = snapshot.plumbing().strings_by("remotes", None, name);
    let mut members: Vec<String> = Vec::new();
    for value in values.unwrap_or_default() {
        for member in value.fields().map(|it| it.to_str_lossy().into_owned()) {
            if !members.contains(&member) {
                members.push(member);
            }
        }
    }
    members
}

/// Whether the configuration knows a remote of this name.
pub fn is_configured(repo: &gix::Repository, name: &BStr) -> bool {
    named_sections(repo).contains(&name.to_owned())
}

/// The names of all sections of remotes, in the order of the configuration.
fn named_sections(repo: &gix::Repository) -> Vec<BString> {
    let snapshot = repo.config_snapshot();
    let mut names: Vec<BString> = Vec::new();
    let sections = snapshot.plumbing().sections_by_name("remote");
    for section in sections.into_iter().flatten() {
        if let Some(name) = section.header().subsection_name()
            && !names.iter().any(|it| it == name)
        {
            names.push(name.to_owned());
        }
    }
    names
}

/// What is fetched from when nothing says it: the only remote, or `origin`.
fn usual(repo: &gix::Repository) -> BString {
    let names = repo.remote_names();
    let mut names = names.iter();
    match (names.next(), names.next()) {
        (Some(only), None) => only.to_owned(),
        _ => "origin".into(),
    }
}

/// The refspecs of a command line: `tag <name>` is two words of it.
fn given(words: &[BString]) -> Result<Vec<Refspec>, RefsError> {
    let mut specs = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word != "tag" {
            specs.push(Refspec::parse(word.as_bstr())?);
            continue;
        }
        let tag = words.next().ok_or(RefsError::NoTagName)?;
        let full = [b"refs/tags/".as_slice(), tag].concat();
        let spec = [full.as_slice(), b":", &full].concat();
        specs.push(Refspec::parse(spec.as_bstr())?);
    }
    Ok(specs)
}

struct Config<'a> {
    repo: &'a gix::Repository,
}

impl Config<'_> {
    /// All values, the one that counts last. An empty one takes back those before it.
    fn all(&self, section: &str, name: &BStr, key: &str) -> Vec<BString> {
        let snapshot = self.repo.config_snapshot();
        let all = snapshot.plumbing().strings_by(section, Some(name), key);
        let all = all.unwrap_or_default();
        let after = all.iter().rposition(|it| it.is_empty());
        let from = after.map_or(0, |at| at + 1);
        all[from..].to_vec()
    }

    fn value(&self, section: &str, name: Option<&BStr>, key: &str) -> Option<BString> {
        let snapshot = self.repo.config_snapshot();
        snapshot.plumbing().string_by(section, name, key)
    }

    fn boolean(&self, section: &str, name: Option<&BStr>, key: &str) -> Option<bool> {
        let snapshot = self.repo.config_snapshot();
        snapshot
            .plumbing()
            .boolean_by(section, name, key)
            .ok()
            .flatten()
    }
}
