//! Which refs go into a bundle, and which commits it presupposes, as the user named them.

use gix::bstr::{BString, ByteSlice as _};
use gix_hash::ObjectId;

use super::BundleError;
use crate::pack::{
    format::{RefTarget, Refs},
    select::{Pattern, Repository, SelectError, Selection, tips},
};

/// The arguments, sorted out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    refs: Vec<Pattern>,
    /// Refs that do not go into the bundle.
    without: Vec<Pattern>,
    /// Revisions whose history does not.
    excluded: Vec<Pattern>,
}

/// What they stand for in a repository.
pub(super) struct Chosen {
    pub(super) refs: Refs,
    /// Commits, and the annotated tags that were excluded by name.
    pub(super) basis: Vec<ObjectId>,
}

impl Choice {
    /// Sorts out arguments as `git rev-list` knows them, for a bundle `without` some refs.
    pub(super) fn of(arguments: &[Pattern], without: &[Pattern]) -> Result<Self, BundleError> {
        let (mut refs, mut excluded) = (Vec::new(), Vec::new());
        let or_head = |name: &[u8]| Pattern::from(if name.is_empty() { b"HEAD" } else { name });
        for argument in arguments {
            let bytes = argument.as_bstr();
            if bytes.contains_str("...") {
                return Err(BundleError::Range(argument.to_string()));
            }
            if let Some(name) = bytes.strip_prefix(b"^") {
                excluded.push(Pattern::from(name));
            } else if let Some((from, to)) = bytes.split_once_str("..") {
                excluded.push(or_head(from));
                refs.push(or_head(to));
            } else {
                refs.push(argument.clone());
            }
        }
        let bad = |name: &&Pattern| {
            let name = name.as_bstr();
            name.is_empty() || name.starts_with(b"^") || name.contains_str("..")
        };
        match refs.iter().chain(&excluded).find(bad) {
            Some(name) => Err(BundleError::Range(name.to_string())),
            None => Ok(Self {
                refs,
                without: without.to_vec(),
                excluded,
            }),
        }
    }

    /// The refs that are wanted.
    pub(super) fn selection(&self) -> Selection {
        Selection {
            exclude: self.without.clone(),
            ..Selection::of(self.refs.clone())
        }
    }

    /// Looks the refs and commits up.
    pub(super) fn resolve(&self, repository: &Repository) -> Result<Chosen, BundleError> {
        let refs = repository.select(&self.selection(), |_| Ok(None))?;
        let mut basis = Vec::new();
        for name in &self.excluded {
            if name.as_bstr().find_byteset(b"*?[").is_some() {
                let matching = Selection::of(vec![name.clone()]);
                for (_, id) in tips(&repository.select(&matching, |_| Ok(None))?) {
                    // A tag of a tree, say, has no history to leave out.
                    basis.extend(repository.commit_of(id).unwrap_or_default());
                }
            } else {
                basis.extend(repository.commit(name.as_bstr())?);
            }
        }
        basis.sort_unstable();
        basis.dedup();
        Ok(Chosen { refs, basis })
    }
}

impl Chosen {
    /// Refuses what can be told to be empty without a look at the history.
    pub(super) fn check(&self) -> Result<(), BundleError> {
        let listed = listed(&self.refs)?;
        if listed.is_empty() {
            return Err(BundleError::Empty(NO_REFS));
        }
        let excluded = |id: &ObjectId| self.basis.binary_search(id).is_ok();
        if listed.iter().all(|(_, id)| excluded(id)) {
            return Err(BundleError::Empty(ALL_EXCLUDED));
        }
        Ok(())
    }
}

const NO_REFS: &str = "none is chosen; make a first commit, or choose others";
/// What is said when nothing is left.
pub(super) const ALL_EXCLUDED: &str =
    "all that the chosen refs point to is excluded; there is nothing new to bundle";

/// What a bundle lists: the refs with the objects that they come to, `HEAD` behind them as Git has it.
pub(super) fn listed(refs: &Refs) -> Result<Vec<(BString, ObjectId)>, BundleError> {
    let mut listed = Vec::with_capacity(refs.refs.len() + 1);
    for (name, target) in &refs.refs {
        let id = resolve(refs, target).ok_or_else(|| SelectError::Dangling(name.to_string()))?;
        listed.push((name.clone(), id));
    }
    // An unborn HEAD has nothing to list.
    let head = refs.head.as_ref();
    let head = head.and_then(|target| resolve(refs, target));
    listed.extend(head.map(|id| ("HEAD".into(), id)));
    Ok(listed)
}

/// The object that `target` comes to through the refs; none if that is nothing.
fn resolve<'a>(refs: &'a Refs, mut target: &'a RefTarget) -> Option<ObjectId> {
    // Git follows five.
    for _ in 0..6 {
        match target {
            RefTarget::Object(id) => return Some(*id),
            RefTarget::Symbolic(to) => {
                let at = refs.refs.binary_search_by(|(name, _)| name.cmp(to)).ok()?;
                target = &refs.refs[at].1;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]
    use super::*;

    fn sorted_out(arguments: &[&str]) -> Result<(String, String), BundleError> {
        let arguments: Vec<Pattern> = arguments.iter().map(|&text| text.into()).collect();
        let choice = Choice::of(&arguments, &[])?;
        let joined = |patterns: &[Pattern]| {
            let texts: Vec<String> = patterns.iter().map(ToString::to_string).collect();
            texts.join(" ")
        };
        Ok((joined(&choice.refs), joined(&choice.excluded)))
    }

    #[test]
    fn arguments_are_those_of_rev_list() {
        for (arguments, refs, excluded) in [
            (&["main", "v*"][..], "main v*", ""),
            (&["main", "^v1.0", "^main~3"], "main", "v1.0 main~3"),
            (&["v1.0..main", "topic"], "main topic", "v1.0"),
            (&["v1.0.."], "HEAD", "v1.0"),
            (&["..topic"], "topic", "HEAD"),
            (&["^v1.0"], "", "v1.0"),
            (&[], "", ""),
        ] {
            let expected = (refs.to_owned(), excluded.to_owned());
            assert_eq!(sorted_out(arguments).unwrap(), expected, "{arguments:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for argument in ["a...b", "^", "^^a", "^a..b", "a..b..c", "", "a..^b"] {
            let error = sorted_out(&[argument]).unwrap_err();
            assert!(matches!(error, BundleError::Range(_)), "{argument}");
        }
    }

    #[test]
    fn symbolic_refs_are_listed_as_what_they_come_to() {
        let object = RefTarget::Object(ObjectId::Sha1([7; 20]));
        let refs = Refs::new(
            Some(RefTarget::Symbolic("refs/remotes/o/HEAD".into())),
            vec![
                ("refs/remotes/o/main".into(), object),
                (
                    "refs/remotes/o/HEAD".into(),
                    RefTarget::Symbolic("refs/remotes/o/main".into()),
                ),
            ],
        );
        let names: Vec<_> = listed(&refs).unwrap().into_iter().map(|(n, _)| n).collect();
        assert_eq!(
            names,
            ["refs/remotes/o/HEAD", "refs/remotes/o/main", "HEAD"]
        );
        let unborn = Refs::new(Some(RefTarget::Symbolic("refs/heads/main".into())), vec![]);
        assert_eq!(listed(&unborn).unwrap(), []);
    }
}
