//! From the refs that a server lists to those of the new repository.

use std::collections::{BTreeMap, HashSet};

use gix::bstr::{BStr, BString, ByteSlice};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::CloneOptions;
use crate::transfer::refs::name::{expanded, is_valid};
use crate::transfer::refs::{Objects, RefsError};
use crate::transfer::{RemoteRef, text};

const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";
const HEAD: &str = "HEAD";

/// A ref that is to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRef {
    /// Its full name here.
    #[serde(with = "text::name")]
    pub name: BString,
    /// What it names.
    #[serde(with = "text::oid")]
    pub oid: ObjectId,
}

/// A tag that comes along if what it leads to is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteTag {
    /// Its full name.
    #[serde(with = "text::name")]
    pub name: BString,
    /// What it names.
    #[serde(with = "text::oid")]
    pub oid: ObjectId,
    /// What the server says that it leads to.
    #[serde(
        with = "text::maybe_oid",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub peeled: Option<ObjectId>,
}

/// The new `HEAD`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NewHead {
    /// A branch that the remote has.
    Branch(NewRef),
    /// No branch: a tag, or what the remote's own detached `HEAD` is. The name is the remote's.
    Detached(NewRef),
    /// A branch that does not exist yet.
    Unborn(#[serde(with = "text::name")] BString),
}

/// The remote-tracking `HEAD`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteHead {
    /// Its full name, such as `refs/remotes/origin/HEAD`.
    #[serde(with = "text::name")]
    pub name: BString,
    /// The ref that it points to.
    pub to: NewRef,
}

/// What a clone makes of a server's refs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClonePlan {
    /// What was asked for.
    pub options: CloneOptions,
    /// Whether the server has any refs.
    pub listed: bool,
    /// The refs to write, by name.
    pub refs: Vec<NewRef>,
    /// `HEAD`.
    pub head: NewHead,
    /// `refs/remotes/origin/HEAD`; not in a bare repository.
    pub remote_head: Option<RemoteHead>,
    /// `remote.<name>.fetch`
    #[serde(with = "text::maybe_name")]
    pub fetch: Option<BString>,
    /// Tags that come along if what they lead to is there: see [`ClonePlan::missing_tags`].
    pub follow: Vec<RemoteTag>,
    /// What the server listed and no repository can have: names that Git refuses, that are there
    /// twice, or that would be both a ref and a directory of refs.
    #[serde(with = "text::names")]
    pub left_out: Vec<BString>,
}

impl ClonePlan {
    /// The objects to ask for, each once.
    pub fn wants(&self) -> Vec<ObjectId> {
        let head = match &self.head {
            NewHead::Branch(to) | NewHead::Detached(to) => Some(to.oid),
            NewHead::Unborn(_) => None,
        };
        let mut seen = HashSet::new();
        let all = self.refs.iter().map(|it| it.oid).chain(head);
        all.filter(|oid| seen.insert(*oid)).collect()
    }

    /// What `HEAD` is to be: a commit, or a tag that leads to one. None if it is unborn.
    pub fn head_oid(&self) -> Option<ObjectId> {
        match &self.head {
            NewHead::Branch(to) | NewHead::Detached(to) => Some(to.oid),
            NewHead::Unborn(_) => None,
        }
    }

    /// Whether there is nothing to clone, which Git warns of.
    pub fn is_empty(&self) -> bool {
        self.refs.is_empty() && self.head_oid().is_none()
    }

    /// The annotated tags that are to come along, but that the server did not send: to be asked for.
    pub fn missing_tags(&self, objects: &Objects) -> Vec<ObjectId> {
        let missing = self.follow.iter().filter(|tag| {
            !objects.has(&tag.oid) && tag.peeled.is_some_and(|peeled| objects.has(&peeled))
        });
        let mut seen = HashSet::new();
        let missing = missing.map(|tag| tag.oid);
        missing.filter(|oid| seen.insert(*oid)).collect()
    }
}

/// The prefixes of refs to ask the server for.
pub fn prefixes_for_clone(options: &CloneOptions) -> Vec<BString> {
    let mut prefixes: Vec<BString> = vec!["HEAD".into(), options.source().into()];
    if let Some(branch) = &options.branch {
        prefixes.extend(expanded(branch.as_bstr()).map(BString::from));
    }
    if !options.no_tags {
        prefixes.push(TAGS.into());
    }
    prefixes
}

/// Plans a clone from the refs that a server lists.
pub fn for_clone(remote: &[RemoteRef], options: &CloneOptions) -> Result<ClonePlan, RefsError> {
    let mut listed = Listed::new(remote);
    let mapped = listed.mapped(options);
    let points_at = listed.head.and_then(|head| guess(&mapped, head, options));
    let (mut ours, mut unborn) = (points_at.clone(), None);
    if let Some(branch) = &options.branch {
        let found = find_branch(&mapped, branch.as_bstr());
        let missing = || RefsError::NoBranch {
            branch: branch.clone(),
        };
        ours = Some(found.ok_or_else(missing)?);
    } else if listed.head.is_none() {
        let branch = listed
            .unborn
            .and_then(|it| it.strip_prefix(HEADS.as_bytes()));
        let branch = branch.map(ByteSlice::as_bstr);
        let branch = branch.filter(|it| is_valid(full(it).as_bstr()));
        let branch = branch.unwrap_or(options.defaults.branch.as_bstr());
        ours = find_branch(&mapped, branch);
        unborn = Some(full(branch));
    }
    let named = |name: &BString| NewRef {
        name: name.clone(),
        oid: mapped[name].oid,
    };
    let head = match (&ours, listed.head) {
        (Some(to), _) if to.starts_with(HEADS.as_bytes()) => NewHead::Branch(named(to)),
        (Some(to), _) => NewHead::Detached(named(to)),
        (None, Some((oid, _))) => NewHead::Detached(NewRef {
            name: HEAD.into(),
            oid,
        }),
        (None, None) => {
            NewHead::Unborn(unborn.unwrap_or_else(|| full(options.defaults.branch.as_bstr())))
        }
    };
    let mut left_out = std::mem::take(&mut listed.left_out);
    let refs = without_conflicts(&mapped, &mut left_out);
    let follow = if options.is_single() && !options.no_tags {
        listed.tags_but(&refs)
    } else {
        Vec::new()
    };
    Ok(ClonePlan {
        options: options.clone(),
        listed: listed.any,
        head,
        remote_head: remote_head(options, &mapped, points_at.as_ref(), &refs),
        fetch: fetch_spec(options, ours.as_ref(), points_at.as_ref()),
        refs,
        follow,
        left_out,
    })
}

/// The remote-tracking `HEAD`, if there is room for it and what it points to.
fn remote_head(
    options: &CloneOptions,
    mapped: &Map,
    points_at: Option<&BString>,
    refs: &[NewRef],
) -> Option<RemoteHead> {
    let to = &mapped[points_at?];
    let name = BString::from(format!("{}{HEAD}", options.destination()));
    let to = refs.iter().find(|it| it.name == to.local)?;
    let below = format!("{name}/");
    let room = !refs.iter().any(|it| it.name.starts_with(below.as_bytes()));
    (room && !options.is_bare()).then(|| RemoteHead {
        name,
        to: to.clone(),
    })
}

/// What `git fetch` is to do later (`remote.<name>.fetch`).
fn fetch_spec(
    options: &CloneOptions,
    ours: Option<&BString>,
    points_at: Option<&BString>,
) -> Option<BString> {
    let (source, destination) = (options.source(), options.destination());
    if options.bare && !options.mirror {
        return None;
    }
    if options.mirror || !options.is_single() {
        return Some(format!("+{source}*:{destination}*").into());
    }
    let chosen = if options.branch.is_some() {
        ours
    } else {
        points_at
    }?;
    let local = match chosen.strip_prefix(HEADS.as_bytes()) {
        Some(branch) => [destination.as_bytes(), branch].concat(),
        None => chosen.to_vec(),
    };
    Some([b"+", chosen.as_slice(), b":", &local].concat().into())
}

/// The branch, or else the tag, that a user means by `name`.
fn find_branch(refs: &Map, name: &BStr) -> Option<BString> {
    let tag = BString::from([TAGS.as_bytes(), name].concat());
    [full(name), tag]
        .into_iter()
        .find(|it| refs.contains_key(it))
}

fn full(branch: &BStr) -> BString {
    [HEADS.as_bytes(), branch].concat().into()
}

/// The ref that the remote's `HEAD` points to. Where the server does not say, it is the one with the
/// same value that is likely meant.
fn guess(refs: &Map, head: (ObjectId, Option<&BStr>), options: &CloneOptions) -> Option<BString> {
    let (oid, symref) = head;
    if let Some(to) = symref {
        let to = to.to_owned();
        return refs.contains_key(&to).then_some(to);
    }
    let same = |name: &BString| refs.get(name).is_some_and(|it| it.oid == oid);
    let likely = [options.defaults.branch.as_bstr(), "master".into()].map(full);
    let mut branches = refs.keys().filter(|it| it.starts_with(HEADS.as_bytes()));
    let found = likely.iter().find(|it| same(it));
    found.or_else(|| branches.find(|it| same(it))).cloned()
}

/// What goes where, by name, less what would be both a ref and a directory of refs.
fn without_conflicts(mapped: &Map, left_out: &mut Vec<BString>) -> Vec<NewRef> {
    let locals: BTreeMap<&BString, (&BString, &Mapped)> = mapped
        .iter()
        .map(|(name, it)| (&it.local, (name, it)))
        .collect();
    let below_another = |local: &BStr| {
        let above = local.find_iter("/").map(|at| BString::from(&local[..at]));
        above.into_iter().any(|above| locals.contains_key(&above))
    };
    let mut refs = Vec::with_capacity(locals.len());
    for (local, (name, it)) in &locals {
        if below_another(local.as_bstr()) {
            left_out.push((*name).clone());
        } else {
            refs.push(NewRef {
                name: (*local).clone(),
                oid: it.oid,
            });
        }
    }
    refs
}

/// A remote's ref with its place here.
struct Mapped {
    oid: ObjectId,
    local: BString,
}

/// By their names on the remote.
type Map = BTreeMap<BString, Mapped>;

/// The usable refs of a server.
struct Listed<'a> {
    /// By name.
    refs: BTreeMap<&'a BStr, &'a RemoteRef>,
    /// Its `HEAD`, with what that points to if the server says so.
    head: Option<(ObjectId, Option<&'a BStr>)>,
    /// The branch of its `HEAD`, if that does not exist.
    unborn: Option<&'a BStr>,
    any: bool,
    left_out: Vec<BString>,
}

impl<'a> Listed<'a> {
    fn new(remote: &'a [RemoteRef]) -> Self {
        let head = remote.iter().find(|it| it.is_head());
        let symref = head
            .and_then(|it| it.symref.as_ref())
            .map(|it| it.as_bstr());
        let oid = head.and_then(|it| it.target);
        let mut it = Self {
            refs: BTreeMap::new(),
            head: oid.map(|oid| (oid, symref)),
            unborn: symref.filter(|_| oid.is_none()),
            any: remote.iter().any(|it| it.target.is_some()),
            left_out: Vec::new(),
        };
        for listed in remote {
            let name = listed.name();
            if listed.target.is_none() || listed.is_head() {
                continue;
            }
            if !is_valid(name) || it.refs.insert(name, listed).is_some() {
                it.left_out.push(name.to_owned());
            }
        }
        it
    }

    /// The refs that are cloned, by their names on the remote.
    fn mapped(&self, options: &CloneOptions) -> Map {
        let destination = options.destination();
        let mut mapped = Map::new();
        let mut add = |name: &BStr, local: BString| {
            if let Some(oid) = self.refs.get(name).and_then(|it| it.target)
                && is_valid(local.as_bstr())
            {
                mapped.insert(name.to_owned(), Mapped { oid, local });
            }
        };
        let chosen = options.is_single().then(|| self.single(options));
        for name in self.refs.keys() {
            if chosen
                .as_ref()
                .is_some_and(|chosen| chosen.as_ref().is_none_or(|it| it != name))
            {
                continue;
            }
            if let Some(rest) = name.strip_prefix(options.source().as_bytes()) {
                add(name, [destination.as_bytes(), rest].concat().into());
            } else if name.starts_with(TAGS.as_bytes()) && (chosen.is_some() || !options.no_tags) {
                add(name, (*name).to_owned());
            }
        }
        mapped
    }

    /// The one branch that is cloned.
    fn single(&self, options: &CloneOptions) -> Option<BString> {
        let all = self.refs.iter().filter_map(|(name, it)| {
            let local = BString::default();
            Some((
                (*name).to_owned(),
                Mapped {
                    oid: it.target?,
                    local,
                },
            ))
        });
        let all: Map = all.collect();
        match &options.branch {
            Some(branch) => find_branch(&all, branch.as_bstr()),
            None => guess(&all, self.head?, options),
        }
    }

    /// All tags that are not among `refs`.
    fn tags_but(&self, refs: &[NewRef]) -> Vec<RemoteTag> {
        let there: HashSet<&BString> = refs.iter().map(|it| &it.name).collect();
        let tags = self
            .refs
            .values()
            .filter(|it| it.name.starts_with(TAGS.as_bytes()));
        let tags = tags.filter(|it| !there.contains(&it.name));
        let tag = |it: &RemoteRef| {
            Some(RemoteTag {
                name: it.name.clone(),
                oid: it.target?,
                peeled: it.peeled,
            })
        };
        tags.filter_map(|it| tag(it)).collect()
    }
}
