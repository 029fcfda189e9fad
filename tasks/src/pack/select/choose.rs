//! Choosing among the refs by name.

use std::collections::BTreeSet;

use gix::{
    bstr::{BStr, BString, ByteSlice as _},
    glob::{wildmatch, wildmatch::Mode},
};
use gix_hash::ObjectId;

use super::{Found, Pattern, SelectError, Selection};
use crate::pack::format::{RefTarget, Refs};

/// Where `git rev-parse` looks for a short name, in this order.
const RULES: [(&str, &str); 6] = [
    ("", ""),
    ("refs/", ""),
    ("refs/tags/", ""),
    ("refs/heads/", ""),
    ("refs/remotes/", ""),
    ("refs/remotes/", "/HEAD"),
];

/// The refs that `selection` chooses; all if it has no names.
///
/// `date` gives the committer's date of the commit that an object is or leads to, if it does.
pub(super) fn choose(
    found: &Found,
    selection: &Selection,
    mut date: impl FnMut(&ObjectId) -> Result<Option<i64>, SelectError>,
) -> Result<Refs, SelectError> {
    let mut chosen = named(found, &selection.names)?;
    let excluded = excluded(found, &selection.exclude)?;
    let head_name = |names: &[Pattern]| names.iter().any(|name| name.as_ref() == b"HEAD");
    let with_head = selection.names.is_empty() || head_name(&selection.names);
    let mut late = |target: &RefTarget| match (selection.since, found.resolve(target)) {
        (Some(since), Some(id)) => Ok(date(&id)?.is_some_and(|date| date >= since)),
        _ => Ok(true),
    };
    chosen.retain(|name| {
        let target = &found.refs[*name];
        let way = found.way(target);
        found.resolve(target).is_some()
            && !excluded.contains(name)
            && !way.iter().any(|name| excluded.contains(*name))
    });
    let mut refs = Vec::new();
    for name in chosen {
        if late(&found.refs[name])? {
            refs.push(name);
        }
    }
    let chosen: BTreeSet<&BString> = refs.into_iter().collect();
    let written = |target: &RefTarget| match target {
        RefTarget::Symbolic(to) if chosen.contains(to) => Some(target.clone()),
        _ => found.resolve(target).map(RefTarget::Object),
    };
    let head = match &found.head {
        _ if head_name(&selection.exclude) => None,
        Some(RefTarget::Symbolic(to)) if chosen.contains(to) => found.head.clone(),
        // A branch that is left out is not to come in by its other name.
        Some(RefTarget::Symbolic(to)) if found.refs.contains_key(to) => None,
        Some(head) if with_head && late(head)? => {
            let unborn = || selection.names.is_empty().then(|| head.clone());
            written(head).or_else(unborn)
        }
        _ => None,
    };
    let filtered = selection.since.is_some() || !selection.exclude.is_empty();
    if filtered && chosen.is_empty() && !matches!(head, Some(RefTarget::Object(_))) {
        return Err(SelectError::NothingLeft);
    }
    let refs = chosen
        .iter()
        .filter_map(|name| Some(((*name).clone(), written(&found.refs[*name])?)))
        .collect();
    Ok(Refs::new(head, refs))
}

/// The refs that `names` mean; all if there are no names.
fn named<'f>(found: &'f Found, names: &[Pattern]) -> Result<BTreeSet<&'f BString>, SelectError> {
    if names.is_empty() {
        return Ok(found.refs.keys().collect());
    }
    let mut chosen: BTreeSet<&BString> = BTreeSet::new();
    for name in names {
        if let (b"HEAD", Some(head)) = (name.as_ref(), &found.head) {
            // Whoever asks for HEAD wants the branch that it is on.
            if let RefTarget::Symbolic(branch) = head {
                match found.refs.get_key_value(branch) {
                    Some((branch, _)) if found.resolve(head).is_some() => chosen.insert(branch),
                    _ => return Err(SelectError::Dangling(name.to_string())),
                };
            }
            continue;
        }
        let matched = if is_glob(name) {
            globbed(found, name).collect()
        } else {
            meant(found, name).take(1).collect::<Vec<_>>()
        };
        match matched[..] {
            [] => return Err(SelectError::NoSuchRef(name.to_string())),
            [(name, target)] if found.resolve(target).is_none() => {
                return Err(SelectError::Dangling(name.to_string()));
            }
            _ => chosen.extend(matched.iter().map(|(name, _)| name)),
        }
    }
    Ok(chosen)
}

/// All refs that `names` may mean; a glob may mean none.
fn excluded<'f>(found: &'f Found, names: &[Pattern]) -> Result<BTreeSet<&'f BString>, SelectError> {
    let mut excluded = BTreeSet::new();
    for name in names {
        if is_glob(name) {
            excluded.extend(globbed(found, name).map(|(name, _)| name));
            continue;
        }
        let before = excluded.len();
        excluded.extend(meant(found, name).map(|(name, _)| name));
        if excluded.len() == before && name.as_ref() != b"HEAD" {
            return Err(SelectError::NoSuchRef(name.to_string()));
        }
    }
    Ok(excluded)
}

fn is_glob(name: &Pattern) -> bool {
    name.as_bstr().find_byteset(b"*?[").is_some()
}

type Entry<'f> = (&'f BString, &'f RefTarget);

/// The refs that a glob matches, by their full names or what follows the usual prefixes.
fn globbed<'f>(found: &'f Found, glob: &Pattern) -> impl Iterator<Item = Entry<'f>> {
    let matches = move |full: &BStr| {
        let tails = RULES[..5]
            .iter()
            .filter_map(|(prefix, _)| full.strip_prefix(prefix.as_bytes()));
        let mut tails = tails.map(BStr::new);
        tails.any(|tail| wildmatch(glob.as_bstr(), tail, Mode::empty()))
    };
    found
        .refs
        .iter()
        .filter(move |(full, _)| matches(full.as_bstr()))
}

/// The refs that a name may mean, the first of them first.
fn meant<'f>(found: &'f Found, name: &Pattern) -> impl Iterator<Item = Entry<'f>> {
    RULES.iter().filter_map(move |(before, after)| {
        let full = [before.as_bytes(), name.as_ref(), after.as_bytes()].concat();
        found.refs.get_key_value(BStr::new(&full))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step is the test's failure")]
    use super::*;

    fn object(byte: u8) -> RefTarget {
        RefTarget::Object(gix_hash::ObjectId::Sha1([byte; 20]))
    }

    fn symbolic(name: &str) -> RefTarget {
        RefTarget::Symbolic(name.into())
    }

    fn found() -> Found {
        Found {
            head: Some(symbolic("refs/heads/main")),
            refs: [
                ("refs/heads/main", object(1)),
                ("refs/heads/topic/a", object(2)),
                ("refs/heads/v1", object(3)),
                (
                    "refs/remotes/origin/HEAD",
                    symbolic("refs/remotes/origin/main"),
                ),
                ("refs/remotes/origin/main", object(4)),
                ("refs/remotes/gone/HEAD", symbolic("refs/remotes/gone/main")),
                ("refs/stash", object(5)),
                ("refs/tags/v1", object(6)),
            ]
            .map(|(name, target)| (name.into(), target))
            .into(),
        }
    }

    fn patterns(names: &[&str]) -> Vec<Pattern> {
        names.iter().map(|name| Pattern::from(*name)).collect()
    }

    /// Chooses as if each object's date were the byte that it is made of.
    fn choose(found: &Found, selection: &Selection) -> Result<Refs, SelectError> {
        super::choose(found, selection, |id| {
            Ok(Some(i64::from(id.as_bytes()[0])).filter(|date| *date != 5))
        })
    }

    type Listed = (Option<RefTarget>, Vec<String>);

    fn chosen(names: &[&str]) -> Result<Listed, SelectError> {
        listed(&Selection::of(patterns(names)))
    }

    fn listed(selection: &Selection) -> Result<Listed, SelectError> {
        let refs = choose(&found(), selection)?;
        let listed = refs.refs.iter().map(|(name, target)| match target {
            RefTarget::Object(id) => format!("{name} {:02x}", id.as_bytes()[0]),
            RefTarget::Symbolic(to) => format!("{name} -> {to}"),
        });
        Ok((refs.head, listed.collect()))
    }

    #[test]
    fn without_names_everything_that_points_somewhere() {
        let (head, refs) = chosen(&[]).unwrap();
        assert_eq!(head, Some(symbolic("refs/heads/main")));
        assert_eq!(refs.len(), 7);
        assert!(refs.contains(&"refs/remotes/origin/HEAD -> refs/remotes/origin/main".into()));
        assert!(!refs.iter().any(|name| name.contains("gone")));
    }

    #[test]
    fn short_names_as_rev_parse_finds_them() {
        for (name, expected) in [
            ("main", "refs/heads/main 01"),
            ("v1", "refs/tags/v1 06"),
            ("heads/v1", "refs/heads/v1 03"),
            ("refs/heads/v1", "refs/heads/v1 03"),
            ("origin/main", "refs/remotes/origin/main 04"),
            ("stash", "refs/stash 05"),
        ] {
            assert_eq!(chosen(&[name]).unwrap().1, [expected], "{name}");
        }
    }

    #[test]
    fn head_comes_with_its_branch_only() {
        assert_eq!(chosen(&["v1"]).unwrap().0, None);
        let on_main = Some(symbolic("refs/heads/main"));
        assert_eq!(chosen(&["main"]).unwrap().0, on_main);
        assert_eq!(
            chosen(&["HEAD"]).unwrap(),
            (on_main, vec!["refs/heads/main 01".into()])
        );
    }

    #[test]
    fn a_symbolic_ref_without_its_target_is_written_as_the_object() {
        assert_eq!(
            chosen(&["origin"]).unwrap().1,
            ["refs/remotes/origin/HEAD 04"]
        );
        let both = chosen(&["origin", "origin/main"]).unwrap().1;
        assert_eq!(
            both[0],
            "refs/remotes/origin/HEAD -> refs/remotes/origin/main"
        );
    }

    #[test]
    fn globs_match_full_names_and_what_follows_the_usual_prefixes() {
        assert_eq!(chosen(&["refs/heads/*"]).unwrap().1.len(), 3);
        assert_eq!(chosen(&["topic/*"]).unwrap().1, ["refs/heads/topic/a 02"]);
        assert_eq!(
            chosen(&["v?"]).unwrap().1,
            ["refs/heads/v1 03", "refs/tags/v1 06"]
        );
        assert_eq!(chosen(&["*"]).unwrap().1.len(), 7);
    }

    #[test]
    fn what_chooses_nothing_is_an_error() {
        for name in ["nope", "nope/*", "refs/heads/mai", "FETCH_HEAD"] {
            assert!(
                matches!(chosen(&[name]), Err(SelectError::NoSuchRef(_))),
                "{name}"
            );
        }
        assert!(matches!(chosen(&["gone"]), Err(SelectError::Dangling(_))));
    }

    #[test]
    fn an_unborn_head_is_kept_and_a_detached_one_is_an_object() {
        let mut found = Found {
            head: Some(symbolic("refs/heads/main")),
            ..Found::default()
        };
        let (all, head) = (Selection::default(), Selection::of(patterns(&["HEAD"])));
        assert_eq!(choose(&found, &all).unwrap().head, found.head);
        assert!(choose(&found, &head).is_err());
        found.head = Some(object(9));
        assert_eq!(choose(&found, &all).unwrap().head, found.head);
        assert_eq!(choose(&found, &head).unwrap().head, found.head);
    }

    #[test]
    fn what_is_excluded_does_not_come_in_by_another_name() {
        let without = |names: &[&str], exclude: &[&str]| {
            listed(&Selection {
                exclude: patterns(exclude),
                ..Selection::of(patterns(names))
            })
        };
        let (head, refs) = without(&[], &["refs/heads/*", "origin/main"]).unwrap();
        // HEAD is on main, and origin/HEAD points to origin/main.
        assert_eq!(head, None);
        assert_eq!(refs, ["refs/stash 05", "refs/tags/v1 06"]);
        // A name may mean a tag and a branch: neither is wanted.
        let (head, refs) = without(&["v1", "heads/v1", "main"], &["v1"]).unwrap();
        assert!(head.is_some());
        assert_eq!(refs, ["refs/heads/main 01"]);
        assert_eq!(without(&[], &["HEAD"]).unwrap().0, None);
        assert_eq!(without(&[], &["no-such-*"]).unwrap().1.len(), 7);
        assert!(matches!(
            without(&[], &["nope"]),
            Err(SelectError::NoSuchRef(_))
        ));
        assert!(matches!(
            without(&[], &["*"]),
            Err(SelectError::NothingLeft)
        ));
    }

    #[test]
    fn since_keeps_refs_whose_commit_is_no_older() {
        let since = |since: i64, names: &[&str]| {
            listed(&Selection {
                since: Some(since),
                ..Selection::of(patterns(names))
            })
        };
        // The stash has no date here: it leads to no commit.
        let (head, refs) = since(4, &[]).unwrap();
        assert_eq!(head, None);
        assert_eq!(
            refs,
            [
                "refs/remotes/origin/HEAD -> refs/remotes/origin/main",
                "refs/remotes/origin/main 04",
                "refs/tags/v1 06"
            ]
        );
        let (head, refs) = since(1, &["HEAD", "v*"]).unwrap();
        assert!(head.is_some());
        assert_eq!(refs.len(), 3);
        assert!(matches!(since(7, &[]), Err(SelectError::NothingLeft)));
    }
}
