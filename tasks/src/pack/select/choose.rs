//! Choosing among the refs by name.

use std::collections::BTreeSet;

use gix::{
    bstr::{BStr, BString, ByteSlice as _},
    glob::{wildmatch, wildmatch::Mode},
};

use super::{Found, SelectError};
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

/// The refs that `names` choose; all if there are no names.
pub(super) fn choose(found: &Found, names: &[String]) -> Result<Refs, SelectError> {
    let mut chosen: BTreeSet<&BString> = BTreeSet::new();
    let mut with_head = names.is_empty();
    if names.is_empty() {
        chosen.extend(found.refs.keys());
    }
    for name in names {
        if name == "HEAD" && found.head.is_some() {
            with_head = true;
            // Whoever asks for HEAD wants the branch that it is on.
            if let Some(target @ RefTarget::Symbolic(branch)) = &found.head {
                match found.refs.get_key_value(branch) {
                    Some((branch, _)) if found.resolve(target).is_some() => chosen.insert(branch),
                    _ => return Err(SelectError::Dangling(name.clone())),
                };
            }
            continue;
        }
        let before = chosen.len();
        let matched = matching(found, name);
        for (name, target) in &matched {
            if found.resolve(target).is_none() && matched.len() == 1 {
                return Err(SelectError::Dangling(name.to_string()));
            }
            chosen.insert(name);
        }
        if matched.is_empty() && chosen.len() == before {
            return Err(SelectError::NoSuchRef(name.clone()));
        }
    }
    let points_somewhere = |name: &BString| found.resolve(&found.refs[name]).is_some();
    chosen.retain(|name| points_somewhere(name));
    let written = |target: &RefTarget| match target {
        RefTarget::Symbolic(to) if chosen.contains(to) => Some(target.clone()),
        _ => found.resolve(target).map(RefTarget::Object),
    };
    let refs = chosen
        .iter()
        .filter_map(|name| Some(((*name).clone(), written(&found.refs[*name])?)))
        .collect();
    let head = match &found.head {
        Some(RefTarget::Symbolic(to)) if chosen.contains(to) => found.head.clone(),
        Some(head) if with_head => {
            let unborn = || names.is_empty().then(|| head.clone());
            written(head).or_else(unborn)
        }
        _ => None,
    };
    Ok(Refs::new(head, refs))
}

fn matching<'f>(found: &'f Found, name: &str) -> Vec<(&'f BString, &'f RefTarget)> {
    if name.contains(['*', '?', '[']) {
        let pattern = BStr::new(name);
        let matches = |full: &BStr| {
            let tails = RULES[..5]
                .iter()
                .filter_map(|(prefix, _)| full.strip_prefix(prefix.as_bytes()));
            let mut tails = tails.map(BStr::new);
            tails.any(|tail| wildmatch(pattern, tail, Mode::empty()))
        };
        return found
            .refs
            .iter()
            .filter(|(full, _)| matches(full.as_bstr()))
            .collect();
    }
    let candidates = RULES
        .iter()
        .map(|(before, after)| BString::from(format!("{before}{name}{after}")));
    candidates
        .filter_map(|full| found.refs.get_key_value(&full))
        .take(1)
        .collect()
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

    fn chosen(names: &[&str]) -> Result<(Option<RefTarget>, Vec<String>), SelectError> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let refs = choose(&found(), &names)?;
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
        assert_eq!(choose(&found, &[]).unwrap().head, found.head);
        assert!(choose(&found, &["HEAD".into()]).is_err());
        found.head = Some(object(9));
        assert_eq!(choose(&found, &[]).unwrap().head, found.head);
        assert_eq!(choose(&found, &["HEAD".into()]).unwrap().head, found.head);
    }
}
