//! Which remote and which refspecs are meant where none are given.

use gix::bstr::{BStr, BString, ByteSlice};

use super::{Local, PushError, Spec, spec::mapped};

/// A remote, as the configuration has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Its name; the URL itself where it has none.
    pub name: BString,
    /// Whether the configuration knows it.
    pub configured: bool,
    /// Where to push to, each with whether it is a push URL by itself.
    pub urls: Vec<(BString, bool)>,
    /// `remote.<name>.push`.
    pub push: Vec<BString>,
    /// `remote.<name>.fetch`.
    pub fetch: Vec<BString>,
}

/// What the command line asks for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Its refspecs.
    pub refspecs: Vec<BString>,
    /// `--delete`.
    pub delete: bool,
    /// `--tags`.
    pub tags: bool,
}

fn strings(repo: &gix::Repository, section: &str, name: &BStr, key: &str) -> Vec<BString> {
    let config = repo.config_snapshot();
    let file = config.plumbing();
    let values = file.strings_by(section, Some(name), key);
    values
        .into_iter()
        .flatten()
        .map(|it| it.to_vec().into())
        .collect()
}

fn string(repo: &gix::Repository, section: &str, name: &BStr, key: &str) -> Option<BString> {
    strings(repo, section, name, key).pop()
}

fn plain(repo: &gix::Repository, key: &str) -> Option<BString> {
    repo.config_snapshot().string(key)
}

/// The short name of the branch that is checked out.
fn short(local: &Local) -> Option<&BStr> {
    let branch = local.branch.as_ref()?;
    branch.strip_prefix(b"refs/heads/").map(ByteSlice::as_bstr)
}

/// The remote that the branch is fetched from.
fn fetched_from(repo: &gix::Repository, local: &Local) -> BString {
    let own = short(local).and_then(|branch| string(repo, "branch", branch, "remote"));
    own.unwrap_or_else(|| {
        let names = repo.remote_names();
        let mut names = names.iter();
        match (names.next(), names.next()) {
            (Some(only), None) => only.as_bstr().to_owned(),
            _ => "origin".into(),
        }
    })
}

/// The remote to push to.
pub fn remote(
    repo: &gix::Repository,
    local: &Local,
    given: Option<&BStr>,
) -> Result<Remote, PushError> {
    let name = given.map_or_else(
        || {
            let own = short(local).and_then(|branch| string(repo, "branch", branch, "pushRemote"));
            own.or_else(|| plain(repo, "remote.pushDefault"))
                .unwrap_or_else(|| fetched_from(repo, local))
        },
        ToOwned::to_owned,
    );
    let of = |key| strings(repo, "remote", name.as_bstr(), key);
    let (push_urls, urls) = (of("pushurl"), of("url"));
    let configured = !push_urls.is_empty() || !urls.is_empty();
    let urls: Vec<_> = if !push_urls.is_empty() {
        push_urls.into_iter().map(|url| (url, true)).collect()
    } else if !urls.is_empty() {
        urls.into_iter().map(|url| (url, false)).collect()
    } else if given.is_some() || name != "origin" {
        vec![(name.clone(), false)]
    } else {
        return Err(PushError::NoRemote);
    };
    Ok(Remote {
        configured,
        urls,
        push: of("push"),
        fetch: of("fetch"),
        name,
    })
}

/// The refspecs that are meant, and whether a branch that has no upstream is to get one.
pub fn specs(
    repo: &gix::Repository,
    local: &Local,
    remote: &Remote,
    asked: &Asked,
) -> Result<(Vec<Spec>, bool), PushError> {
    let mut specs = Vec::new();
    if asked.tags {
        specs.push(Spec::parse("refs/tags/*".into())?);
    }
    let mut words = asked.refspecs.iter();
    while let Some(word) = words.next() {
        let tag;
        let word = if word == "tag" {
            let name = words
                .next()
                .ok_or_else(|| PushError::Spec { spec: word.clone() })?;
            tag = [b"refs/tags/".as_slice(), name].concat();
            tag.as_bstr()
        } else {
            word.as_bstr()
        };
        specs.push(if asked.delete {
            Spec::delete(word)?
        } else {
            given(repo, local, remote, Spec::parse(word)?)
        });
    }
    if !specs.is_empty() {
        return Ok((specs, false));
    }
    if !remote.push.is_empty() {
        let specs = remote.push.iter().map(|spec| Spec::parse(spec.as_bstr()));
        return Ok((specs.collect::<Result<_, _>>()?, false));
    }
    by_default(repo, local, remote)
}

/// A name alone may be sent elsewhere by the configuration.
fn given(repo: &gix::Repository, local: &Local, remote: &Remote, spec: Spec) -> Spec {
    let Spec::Pair {
        src,
        dst: None,
        force,
    } = &spec
    else {
        return spec;
    };
    if spec.is_pattern() {
        return spec;
    }
    let ways = super::super::name::expanded(src.as_bstr());
    let mut found = ways
        .iter()
        .filter(|way| local.refs.contains_key(way.as_bstr()));
    let (Some(full), None) = (found.next(), found.next()) else {
        return spec;
    };
    let to = |dst: BString, more: bool| Spec::Pair {
        src: src.clone(),
        dst: Some(dst),
        force: *force || more,
    };
    for text in &remote.push {
        if let Ok(Spec::Pair {
            src: from,
            dst: Some(dst),
            force,
        }) = Spec::parse(text.as_bstr())
            && let Some(dst) = mapped(from.as_bstr(), dst.as_bstr(), full.as_bstr())
        {
            return to(dst, force);
        }
    }
    if plain(repo, "push.default").is_some_and(|it| it == "upstream" || it == "tracking")
        && let Some(branch) = full.strip_prefix(b"refs/heads/")
        && let Some(merge) = string(repo, "branch", branch.as_bstr(), "merge")
    {
        return to(merge, false);
    }
    spec
}

/// What `push.default` says.
fn by_default(
    repo: &gix::Repository,
    local: &Local,
    remote: &Remote,
) -> Result<(Vec<Spec>, bool), PushError> {
    let how = plain(repo, "push.default").unwrap_or_else(|| "simple".into());
    match how.as_slice() {
        b"matching" => return Ok((vec![Spec::Matching { force: false }], false)),
        b"nothing" => return Err(PushError::Nothing),
        b"simple" | b"upstream" | b"tracking" | b"current" => {}
        _ => {
            return Err(PushError::Config {
                key: "push.default",
                value: how,
            });
        }
    }
    let Some((full, branch)) = local.branch.as_ref().zip(short(local)) else {
        return Err(PushError::Detached {
            remote: remote.name.clone(),
        });
    };
    let same = fetched_from(repo, local) == remote.name;
    let automatic = repo.config_snapshot().boolean("push.autoSetupRemote") == Some(true);
    let pair = |dst: BString, upstream: bool| {
        let spec = Spec::Pair {
            src: full.clone(),
            dst: Some(dst),
            force: false,
        };
        Ok((vec![spec], upstream))
    };
    let merges = strings(repo, "branch", branch, "merge");
    let upstream = || match merges.as_slice() {
        [] if automatic => Ok((full.clone(), true)),
        [] => Err(PushError::NoUpstream {
            branch: branch.to_owned(),
            remote: remote.name.clone(),
        }),
        [one] => Ok((one.clone(), false)),
        _ => Err(PushError::ManyUpstreams {
            branch: branch.to_owned(),
        }),
    };
    match how.as_slice() {
        b"simple" if same => {
            let (upstream, new) = upstream()?;
            if upstream != *full {
                return Err(PushError::OtherName {
                    remote: remote.name.clone(),
                    upstream: super::super::name::pretty(upstream.as_bstr()).to_owned(),
                });
            }
            pair(upstream, new)
        }
        b"upstream" | b"tracking" => {
            if !same {
                return Err(PushError::OtherRemote {
                    remote: remote.name.clone(),
                    branch: branch.to_owned(),
                });
            }
            let (upstream, new) = upstream()?;
            pair(upstream, new)
        }
        _ => pair(full.clone(), automatic && merges.is_empty()),
    }
}
