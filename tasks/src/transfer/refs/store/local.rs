//! The refs of the repository that is fetched into, and which branches are in use.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::refs::TargetRef;
use gix_hash::ObjectId;

use crate::transfer::refs::RefsError;

/// So many symbolic refs may lead to one another.
const DEEPEST: usize = 5;

/// The refs of a repository, as they were at one time.
pub struct Local {
    direct: BTreeMap<BString, ObjectId>,
    symbolic: BTreeMap<BString, BString>,
    /// The branches that working trees have checked out or are busy with, and where.
    checked_out: Vec<(BString, PathBuf)>,
    /// What `HEAD` points to.
    head: Option<BString>,
}

impl Local {
    /// Reads them all. What can't be read is left out: Git does not see it either.
    pub fn read(repo: &gix::Repository) -> Result<Self, RefsError> {
        let failed = |error: gix::Error| RefsError::Existing {
            reason: error.to_string(),
        };
        let mut it = Self {
            direct: BTreeMap::new(),
            symbolic: BTreeMap::new(),
            checked_out: Vec::new(),
            head: None,
        };
        let platform = repo.references().map_err(failed)?;
        for found in platform.all().map_err(failed)?.flatten() {
            let name = found.name().as_bstr().to_owned();
            match found.target() {
                TargetRef::Object(oid) => {
                    it.direct.insert(name, oid.to_owned());
                }
                TargetRef::Symbolic(to) => {
                    it.symbolic.insert(name, to.as_bstr().to_owned());
                }
            }
        }
        let head = repo.head_name().map_err(failed)?;
        it.head = head.map(|name| name.as_bstr().to_owned());
        it.checked_out = checked_out(repo);
        Ok(it)
    }

    /// What a ref names in the end.
    pub fn oid(&self, name: &BStr) -> Option<ObjectId> {
        self.direct.get(self.resolved(name)).copied()
    }

    /// The ref that `name` leads to, if it is a symbolic one; or else it itself.
    pub(in super::super) fn resolved<'a>(&'a self, name: &'a BStr) -> &'a BStr {
        let mut name = name;
        for _ in 0..DEEPEST {
            match self.symbolic.get(name) {
                Some(to) => name = to.as_bstr(),
                None => break,
            }
        }
        name
    }

    /// Whether it is a symbolic ref.
    pub(in super::super) fn is_symbolic(&self, name: &BStr) -> bool {
        self.symbolic.contains_key(name)
    }

    /// The symbolic refs that lead to `name`.
    pub(in super::super) fn leading_to<'a>(
        &'a self,
        name: &'a BStr,
    ) -> impl Iterator<Item = &'a BString> {
        let symbolic = self.symbolic.keys();
        symbolic.filter(move |it| self.resolved(it.as_bstr()) == name)
    }

    /// What `HEAD` points to.
    pub(in super::super) fn head(&self) -> Option<&BStr> {
        self.head.as_ref().map(|it| it.as_bstr())
    }

    /// All refs that name an object themselves.
    pub fn direct(&self) -> impl Iterator<Item = (&BString, &ObjectId)> {
        self.direct.iter()
    }

    /// Whether there is a ref of this name, of whatever kind.
    pub(in super::super) fn has(&self, name: &BStr) -> bool {
        self.direct.contains_key(name) || self.symbolic.contains_key(name)
    }

    /// A ref that can't be there together with `name`: one is a directory for the other.
    pub(in super::super) fn in_the_way(&self, name: &BStr) -> Option<&BStr> {
        let mut above = name.find_iter("/").map(|at| name[..at].as_bstr());
        if let Some(above) = above.find(|it| self.has(it)) {
            let known = self.direct.get_key_value(above).map(|(name, _)| name);
            let known = known.or_else(|| self.symbolic.get_key_value(above).map(|(name, _)| name));
            return known.map(|it| it.as_bstr());
        }
        let below = BString::from([name, b"/".as_slice()].concat());
        let direct = self
            .direct
            .range(below.clone()..)
            .next()
            .map(|(name, _)| name);
        let symbolic = self
            .symbolic
            .range(below.clone()..)
            .next()
            .map(|(name, _)| name);
        let found = [direct, symbolic].into_iter().flatten();
        let mut found = found.filter(|it| it.starts_with(&below));
        found.next().map(|it| it.as_bstr())
    }

    /// Where the branch is checked out, or being rebased or bisected.
    pub(in super::super) fn checked_out(&self, name: &BStr) -> Option<&Path> {
        let found = self.checked_out.iter().find(|(it, _)| it == name);
        found.map(|(_, path)| path.as_path())
    }
}

/// The branches that are in use in any working tree, with its place.
fn checked_out(repo: &gix::Repository) -> Vec<(BString, PathBuf)> {
    let mut found = Vec::new();
    let common = repo.common_dir();
    let bare = repo.config_snapshot().boolean("core.bare").unwrap_or(false);
    if !bare {
        let root = common.canonicalize().unwrap_or_else(|_| common.to_owned());
        let root = match (repo.git_dir() == common).then(|| repo.workdir()).flatten() {
            Some(root) => root.canonicalize().unwrap_or_else(|_| root.to_owned()),
            // As seen from a linked one.
            None => root.parent().map_or_else(|| root.clone(), Path::to_owned),
        };
        in_use(common, &root, &mut found);
    }
    let linked = fs::read_dir(common.join("worktrees"));
    let mut linked: Vec<PathBuf> = linked
        .into_iter()
        .flatten()
        .flatten()
        .map(|it| it.path())
        .collect();
    linked.sort();
    for git_dir in linked {
        let Ok(place) = fs::read(git_dir.join("gitdir")) else {
            continue;
        };
        let Ok(place) = gix::path::from_bstring(BString::from(place.trim_end())) else {
            continue;
        };
        in_use(&git_dir, place.parent().unwrap_or(&place), &mut found);
    }
    found
}

/// The branches that one working tree is busy with.
fn in_use(git_dir: &Path, root: &Path, to: &mut Vec<(BString, PathBuf)>) {
    let line = |name: &str| {
        let text = fs::read(git_dir.join(name)).ok()?;
        Some(BString::from(text.trim_end()))
    };
    let full = |name: BString| {
        if name.starts_with(b"refs/") {
            name
        } else {
            [b"refs/heads/".as_slice(), &name].concat().into()
        }
    };
    let head = line("HEAD").and_then(|it| Some(BString::from(it.strip_prefix(b"ref: ")?.trim())));
    let rebased = ["rebase-merge/head-name", "rebase-apply/head-name"].map(line);
    let bisected = line("BISECT_START").map(full);
    let mut names: Vec<BString> = [head, bisected]
        .into_iter()
        .chain(rebased)
        .flatten()
        .collect();
    // Each of the refs that a rebase moves at its end stands on a line of its own, followed by two ids.
    let updated = fs::read(git_dir.join("rebase-merge/update-refs")).unwrap_or_default();
    names.extend(updated.lines().step_by(3).map(BString::from));
    names.retain(|name| name.starts_with(b"refs/"));
    to.extend(names.into_iter().map(|name| (name, root.to_owned())));
}
