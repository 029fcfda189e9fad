//! Which local ref goes to which of the server's.

use std::collections::BTreeMap;

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::{PushError, Spec, spec::mapped};
use crate::transfer::{
    RemoteRef,
    refs::name::{expanded, is_valid},
    text,
};

/// The refs of the repository that is pushed from, by their full names.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// What they name.
    pub refs: BTreeMap<BString, ObjectId>,
    /// The branch that is checked out, whether it exists or not.
    pub branch: Option<BString>,
}

impl Local {
    /// Reads them.
    pub fn of(repo: &gix::Repository) -> Result<Self, PushError> {
        let fail = PushError::unreadable("the refs");
        let platform = repo.references().map_err(&fail)?;
        let mut refs = BTreeMap::new();
        for it in platform.all().map_err(&fail)? {
            let Ok(mut it) = it else { continue };
            let name = it.name().as_bstr().to_owned();
            // One that leads nowhere can't be pushed.
            if let Ok(id) = it.follow_to_object() {
                refs.insert(name, id.detach());
            }
        }
        let head = repo.head_name().map_err(&fail)?;
        Ok(Self {
            refs,
            branch: head.map(|name| name.as_bstr().to_owned()),
        })
    }
}

/// A local ref and the one of the server's that is to become like it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The local name as git tells it; none: the server's ref is deleted.
    #[serde(with = "text::maybe_name", default)]
    pub from: Option<BString>,
    /// The object; none for a deletion.
    #[serde(with = "text::maybe_oid", default)]
    pub new: Option<ObjectId>,
    /// The server's ref.
    #[serde(with = "text::name")]
    pub to: BString,
    /// Whether it may lose what it has.
    pub force: bool,
}

/// Finds the refs that the refspecs name, on both sides. `object` looks up what is no ref's name.
pub fn pairs(
    specs: &[Spec],
    local: &Local,
    remote: &[RemoteRef],
    object: &dyn Fn(&BStr) -> Option<ObjectId>,
) -> Result<Vec<Pair>, PushError> {
    let mut pairs: Vec<Pair> = Vec::new();
    for spec in specs {
        if let Spec::Pair { src, dst, force } = spec
            && !spec.is_pattern()
        {
            let pair = explicit(src.as_bstr(), dst.as_ref(), *force, local, remote, object)?;
            if pairs.iter().any(|it| it.to == pair.to) {
                return Err(PushError::Twice { name: pair.to });
            }
            pairs.push(pair);
        }
    }
    let there = |name: &BStr| {
        remote
            .iter()
            .any(|it| it.name == name && it.target.is_some())
    };
    for (name, id) in &local.refs {
        let excluded = specs.iter().any(
            |spec| matches!(spec, Spec::Negative(it) if mapped(it.as_bstr(), it.as_bstr(), name.as_bstr()).is_some()),
        );
        let Some((to, force)) = (!excluded)
            .then(|| by_pattern(specs, name.as_bstr(), there))
            .flatten()
        else {
            continue;
        };
        if pairs.iter().any(|it| it.to == to) {
            continue;
        }
        if !is_valid(to.as_bstr()) {
            return Err(PushError::Name { name: to });
        }
        pairs.push(Pair {
            from: Some(name.clone()),
            new: Some(*id),
            to,
            force,
        });
    }
    Ok(pairs)
}

/// Where a pattern sends a ref.
fn by_pattern(
    specs: &[Spec],
    name: &BStr,
    there: impl Fn(&BStr) -> bool,
) -> Option<(BString, bool)> {
    let mut matching = None;
    for spec in specs.iter().filter(|spec| spec.is_pattern()) {
        match spec {
            Spec::Matching { force } => matching = matching.or(Some(*force)),
            Spec::Pair { src, dst, force } => {
                let dst = dst.as_ref().unwrap_or(src);
                if let Some(to) = mapped(src.as_bstr(), dst.as_bstr(), name) {
                    return Some((to, *force));
                }
            }
            Spec::Negative(_) => {}
        }
    }
    let both = name.starts_with(b"refs/heads/") && there(name);
    matching
        .filter(|_| both)
        .map(|force| (name.to_owned(), force))
}

/// One ref.
fn explicit(
    src: &BStr,
    dst: Option<&BString>,
    force: bool,
    local: &Local,
    remote: &[RemoteRef],
    object: &dyn Fn(&BStr) -> Option<ObjectId>,
) -> Result<Pair, PushError> {
    let (from, new) = if src.is_empty() {
        (None, None)
    } else {
        let names = local.refs.keys().map(|name| name.as_bstr());
        match find(src, names) {
            Found::One(name) => (Some(name.to_owned()), local.refs.get(name).copied()),
            Found::None => match object(src) {
                Some(id) => (Some(src.to_owned()), Some(id)),
                None => return Err(PushError::NoSource { name: src.into() }),
            },
            Found::Many => return Err(PushError::ManySources { name: src.into() }),
        }
    };
    // `HEAD` stands for the branch that it names.
    let full = |name: &BString| match &local.branch {
        Some(branch) if name == "HEAD" => Some(branch.clone()),
        _ => local.refs.contains_key(name).then(|| name.clone()),
    };
    let resolved = from.as_ref().and_then(full);
    let wanted = match dst {
        Some(dst) => dst.clone(),
        None => resolved.clone().ok_or_else(|| PushError::NotBranch {
            name: src.to_owned(),
        })?,
    };
    let names = remote
        .iter()
        .filter(|it| it.target.is_some() && !it.is_head());
    let to = match find(wanted.as_bstr(), names.map(RemoteRef::name)) {
        Found::One(name) => name.to_owned(),
        Found::Many => return Err(PushError::ManyTargets { name: wanted }),
        Found::None if wanted.starts_with(b"refs/") => wanted,
        Found::None if new.is_none() => return Err(PushError::NothingToDelete { name: wanted }),
        Found::None => {
            let prefix = ["refs/heads/", "refs/tags/"].into_iter().find(|prefix| {
                resolved
                    .as_ref()
                    .is_some_and(|name| name.starts_with(prefix.as_bytes()))
            });
            match prefix {
                Some(prefix) => [prefix.as_bytes(), &wanted].concat().into(),
                None => return Err(PushError::Unqualified { name: wanted }),
            }
        }
    };
    if !is_valid(to.as_bstr()) {
        return Err(PushError::Name { name: to });
    }
    Ok(Pair {
        from,
        new,
        to,
        force,
    })
}

enum Found<'a> {
    None,
    One(&'a BStr),
    Many,
}

/// The ref that a name which may be short means. Refs other than branches and tags count only where
/// nothing else is found, unless all of their name is given.
fn find<'a>(name: &BStr, refs: impl Iterator<Item = &'a BStr>) -> Found<'a> {
    let ways = expanded(name);
    let (mut strong, mut weak) = (Vec::new(), Vec::new());
    for full in refs {
        if !ways.iter().any(|way| way == full.as_bytes()) {
            continue;
        }
        let whole = full.len() == name.len() || full.len() == name.len() + "refs/".len();
        if whole || full.starts_with(b"refs/heads/") || full.starts_with(b"refs/tags/") {
            strong.push(full);
        } else {
            weak.push(full);
        }
    }
    let found = if strong.is_empty() { weak } else { strong };
    match found.as_slice() {
        [] => Found::None,
        [one] => Found::One(one),
        _ => Found::Many,
    }
}

/// Adds the annotated tags that lead to what is pushed and that the server does not have. `leads`
/// gives the commit of an annotated tag, and none for anything else; `below` says whether a commit is
/// below one of the others.
pub fn follow_tags(
    pairs: &mut Vec<Pair>,
    local: &Local,
    remote: &[RemoteRef],
    leads: &dyn Fn(ObjectId) -> Option<ObjectId>,
    below: &dyn Fn(ObjectId, &[ObjectId]) -> bool,
) {
    let tips: Vec<ObjectId> = pairs.iter().filter_map(|it| it.new).collect();
    if tips.is_empty() {
        return;
    }
    for (name, id) in &local.refs {
        let known = remote.iter().any(|it| it.name == *name);
        let taken = pairs.iter().any(|it| it.to == *name);
        if !name.starts_with(b"refs/tags/") || known || taken {
            continue;
        }
        if leads(*id).is_some_and(|commit| below(commit, &tips)) {
            pairs.push(Pair {
                from: Some(name.clone()),
                new: Some(*id),
                to: name.clone(),
                force: false,
            });
        }
    }
}
