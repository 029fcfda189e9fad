//! What is merged: the commit, and how it was named.

use gix::bstr::{BStr, BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::error::MergeError;

/// What is merged.
#[derive(Clone, Debug)]
pub(super) struct Theirs {
    /// As Git calls it in conflict markers and logs.
    pub(super) name: BString,
    pub(super) commit: ObjectId,
    /// The tag, if one was named that is an object.
    pub(super) tag: Option<ObjectId>,
    /// What messages call it: `branch 'x'`.
    pub(super) title: String,
    /// Whether it is such a tag, and kept somewhere else than others: then there is a commit in any
    /// case.
    pub(super) odd_tag: bool,
}

impl Theirs {
    pub(super) fn find(repository: &gix::Repository, given: &BStr) -> Result<Self, MergeError> {
        let failed = |error: &dyn std::fmt::Display| MergeError::NoCommit {
            name: given.to_owned(),
            reason: error.to_string(),
        };
        if given == "FETCH_HEAD" {
            return fetched(repository);
        }
        let last = given == "-";
        let spec = if last { "@{-1}".into() } else { given };
        let spec = repository.rev_parse(spec).map_err(|e| failed(&e))?;
        let id = spec
            .single()
            .ok_or_else(|| failed(&"it is no single commit"))?;
        let commit = repository.find_object(id).map_err(|e| failed(&e))?;
        let is_tag = commit.kind == gix::object::Kind::Tag;
        let commit = commit
            .peel_to_kind(gix::object::Kind::Commit)
            .map_err(|e| failed(&e))?;
        let expanded = (given.starts_with(b"@{-") || last)
            .then(|| {
                spec.first_reference()
                    .map(|it| it.name.shorten().to_owned())
            })
            .flatten();
        let name = expanded.unwrap_or_else(|| given.to_owned());
        let (title, full) = title(repository, name.as_bstr());
        let odd_tag = is_tag && !full.is_some_and(|full| full.starts_with(b"refs/tags/"));
        Ok(Self {
            name: if last {
                "@{-1}".into()
            } else {
                given.to_owned()
            },
            commit: commit.id,
            tag: is_tag.then(|| id.detach()),
            title,
            odd_tag,
        })
    }
}

impl Theirs {
    /// What a list of its commits calls it.
    pub(super) fn short(&self) -> &str {
        let branch = ["branch ", "remote-tracking branch "]
            .iter()
            .find_map(|what| self.title.strip_prefix(what));
        match branch {
            Some(name) => name
                .strip_prefix('\'')
                .and_then(|name| name.strip_suffix('\''))
                .unwrap_or(name),
            None => &self.title,
        }
    }
}

/// What was fetched to be merged.
fn fetched(repository: &gix::Repository) -> Result<Theirs, MergeError> {
    let failed = |reason: &str| MergeError::NoCommit {
        name: "FETCH_HEAD".into(),
        reason: reason.to_owned(),
    };
    let bytes = std::fs::read(repository.git_dir().join("FETCH_HEAD"))
        .map_err(|error| failed(&error.to_string()))?;
    let mut lines = bytes.lines().filter_map(|line| {
        let mut fields = line.splitn_str(3, "\t");
        let id = ObjectId::from_hex(fields.next()?).ok()?;
        let merge = fields.next()?.is_empty();
        merge
            .then(|| fields.next().map(|what| (id, what)))
            .flatten()
    });
    let (id, what) = lines
        .next()
        .ok_or_else(|| failed("nothing was fetched to be merged"))?;
    if lines.next().is_some() {
        return Err(failed(
            "it has more than one commit, and a merge of many is not done here",
        ));
    }
    let object = repository
        .find_object(id)
        .map_err(|error| failed(&error.to_string()))?;
    let tag = (object.kind == gix::object::Kind::Tag).then_some(id);
    let commit = object
        .peel_to_kind(gix::object::Kind::Commit)
        .map_err(|error| failed(&error.to_string()))?;
    Ok(Theirs {
        name: id.to_string().into(),
        commit: commit.id,
        tag,
        // Of this repository it is not said.
        title: what
            .strip_suffix(b" of .")
            .unwrap_or(what)
            .to_str_lossy()
            .into_owned(),
        odd_tag: tag.is_some(),
    })
}

/// What messages call it, and the ref that it is.
fn title(repository: &gix::Repository, name: &BStr) -> (String, Option<BString>) {
    let found = dwim(repository, name);
    if let Some(full) = &found {
        for (prefix, what) in [
            ("refs/heads/", "branch"),
            ("refs/tags/", "tag"),
            ("refs/remotes/", "remote-tracking branch"),
        ] {
            if full.starts_with(prefix.as_bytes()) {
                return (format!("{what} '{name}'"), found);
            }
        }
    }
    if let Some((branch, early)) = ancestor_of(name)
        && exists(repository, &[b"refs/heads/", branch.as_bytes()].concat())
    {
        let part = if early { " (early part)" } else { "" };
        return (format!("branch '{branch}'{part}"), found);
    }
    (format!("commit '{name}'"), found)
}

/// The ref that a short name means, by Git's rules.
fn dwim(repository: &gix::Repository, name: &BStr) -> Option<BString> {
    [
        ("", ""),
        ("refs/", ""),
        ("refs/tags/", ""),
        ("refs/heads/", ""),
        ("refs/remotes/", ""),
        ("refs/remotes/", "/HEAD"),
    ]
    .iter()
    .map(|(before, after)| [before.as_bytes(), name, after.as_bytes()].concat())
    .find(|full| exists(repository, full))
    .map(BString::from)
}

fn exists(repository: &gix::Repository, full: &[u8]) -> bool {
    let name = gix::refs::FullName::try_from(full.as_bstr());
    name.is_ok_and(|name| {
        let found = repository.try_find_reference(name.as_ref()).ok().flatten();
        // A lookup goes on with other places.
        found.is_some_and(|found| found.name().as_bstr() == name.as_bstr())
    })
}

/// `<name>^^` and `<name>~<number>` without what follows the name, and whether that is an ancestor.
fn ancestor_of(name: &BStr) -> Option<(&BStr, bool)> {
    let carets = name.len() - name.trim_end_with(|c| c == '^').len();
    if carets > 0 {
        return Some((name[..name.len() - carets].as_bstr(), true));
    }
    let at = name.rfind_byte(b'~')?;
    let digits = &name[at + 1..];
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let early = digits.is_empty() || digits.iter().any(|digit| *digit != b'0');
    Some((name[..at].as_bstr(), early))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancestors_are_of_a_branch() {
        let of = |name: &'static str| ancestor_of(name.into()).map(|(b, e)| (b.to_string(), e));
        assert_eq!(of("x^^"), Some(("x".into(), true)));
        assert_eq!(of("x~"), Some(("x".into(), true)));
        assert_eq!(of("x~0"), Some(("x".into(), false)));
        assert_eq!(of("x~12"), Some(("x".into(), true)));
        assert_eq!(of("x~y"), None);
        assert_eq!(of("x"), None);
    }
}
