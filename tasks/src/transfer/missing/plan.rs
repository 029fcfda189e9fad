//! What to ask a server for next.
//!
//! A plain pack of everything is what costs the least, and it is asked for first. After it was cut
//! off, what it brought is kept; this module decides how to come by the rest, from what the server
//! can do and what is missing.

use gix_hash::ObjectId;
use serde::{Deserialize, Serialize};

use super::Missing;

/// The most objects to ask for in one request: its body stays below what `git http-backend` takes.
pub const MOST_WANTS: usize = 100_000;
/// How many trees or commits a server is told to be here that it need not send.
pub const MOST_TOLD: usize = 50_000;

/// What a server can do, as it says, less what it has refused since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// What it sends by id.
    pub ids: ByIds,
    /// It leaves out blobs on request.
    pub blob_none: bool,
    /// It leaves out trees and blobs on request, and sends a tree alone.
    pub tree_zero: bool,
}

/// What a server sends when it is asked for it by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ByIds {
    /// What its refs name, and nothing else: protocol versions 0 and 1.
    Refs,
    /// Any commit that its refs reach: the same with `allow-reachable-sha1-in-want`.
    Commits,
    /// Any object: protocol version 2, or an older one with `allow-any-sha1-in-want`.
    Objects,
}

/// What is to be left out of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// All blobs but those asked for.
    BlobNone,
    /// All trees and blobs but those asked for.
    TreeZero,
}

/// What to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Nothing is missing.
    Nothing,
    /// Everything again, as at first; what is there is kept in case this is cut off too.
    Whole,
    /// Commits and tags, and what else is missing where nothing is left out.
    Commits {
        /// The objects.
        wants: Vec<ObjectId>,
        /// What is there with all trees below it, so that the server leaves them out; and commits, where
        /// trees don't matter.
        haves: Vec<ObjectId>,
        /// Commits that are there, whose parents the server is to take for unknown here: what is below
        /// the other commits that are there need not be sent.
        edges: Vec<ObjectId>,
        /// What to leave out.
        filter: Option<Filter>,
    },
    /// Trees, and blobs where nothing is left out.
    Trees {
        /// The objects.
        wants: Vec<ObjectId>,
        /// What is there with all trees below it, so that the server leaves them out.
        haves: Vec<ObjectId>,
        /// What to leave out.
        filter: Option<Filter>,
    },
    /// The missing blobs, in [batches](super::Batches).
    Blobs,
}

/// What to ask for, and the reason in words, for the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What to ask for.
    pub ask: Ask,
    /// Why so.
    pub why: String,
}

/// Decides what to ask for next.
///
/// `whole` is what is known to be there with all trees below it: the wants of the last request
/// that had no filter and was answered completely, if any. Nothing else may be in it: the server
/// would leave out trees that are not there. Blobs that it leaves out are found missing later.
pub fn next(abilities: Abilities, missing: &Missing, whole: &[ObjectId]) -> Plan {
    let upper: Vec<ObjectId> = first(missing.others.iter().chain(&missing.commits), MOST_WANTS);
    let plan = |ask, why| Plan { ask, why };
    if missing.is_empty() {
        return plan(Ask::Nothing, "nothing is missing".into());
    }
    if abilities.ids != ByIds::Objects {
        if upper.is_empty() || abilities.ids == ByIds::Refs {
            let why =
                "the server sends nothing but what its refs name: all of it is asked for again";
            return plan(Ask::Whole, why.into());
        }
        let why = format!(
            "the server sends commits by their ids: {} asked for with all that is older",
            count(&upper, "missing commit is", "missing commits are")
        );
        let filter = None;
        return plan(
            Ask::Commits {
                wants: upper,
                haves: vec![],
                edges: vec![],
                filter,
            },
            why,
        );
    }
    let filters = abilities.blob_none || abilities.tree_zero;
    if !filters && (!upper.is_empty() || !missing.trees.is_empty()) {
        return all_at_once(missing, whole);
    }
    if !upper.is_empty() {
        return history(abilities, missing, upper);
    }
    if missing.trees.is_empty() {
        let why = format!(
            "{} asked for by id, in batches by name",
            count(&missing.blobs, "missing blob is", "missing blobs are")
        );
        return plan(Ask::Blobs, why);
    }
    let number = count(&missing.trees, "missing tree is", "missing trees are");
    let (filter, why) = if abilities.tree_zero {
        let how = "each alone; what is missing below them comes next";
        (Filter::TreeZero, how)
    } else {
        (
            Filter::BlobNone,
            "with the trees below them and without blobs",
        )
    };
    let wants = first(&missing.trees, MOST_WANTS);
    let why = format!("{number} asked for by id, {why}");
    plan(
        Ask::Trees {
            wants,
            haves: vec![],
            filter: Some(filter),
        },
        why,
    )
}

/// How to ask for what is missing of the history, `upper`, where something can be left out.
fn history(abilities: Abilities, missing: &Missing, upper: Vec<ObjectId>) -> Plan {
    let (filter, words) = match abilities {
        // Trees of commits that are there have to be asked for by themselves anyway. With
        // those of older commits it is the same: the server would send them again with each
        // gap in the history, whether they are there or not.
        Abilities {
            tree_zero: true, ..
        } if missing.roots > 0 => (Some(Filter::TreeZero), "without trees and blobs"),
        Abilities {
            blob_none: true, ..
        } => (Some(Filter::BlobNone), "without blobs"),
        _ => (Some(Filter::TreeZero), "without trees and blobs"),
    };
    // Trees that don't come can't be left out by mistake either.
    let alone = filter == Some(Filter::TreeZero) || missing.trees.is_empty();
    let known = alone && missing.edges.len() <= MOST_TOLD;
    let (haves, edges) = if known {
        (first(&missing.heads, MOST_TOLD), missing.edges.clone())
    } else {
        (vec![], vec![])
    };
    let here = if haves.is_empty() {
        ""
    } else {
        " and not here"
    };
    let why = format!(
        "{} asked for with all that is older{here}, {words}",
        count(&upper, "missing commit is", "missing commits are")
    );
    let ask = Ask::Commits {
        wants: upper,
        haves,
        edges,
        filter,
    };
    Plan { ask, why }
}

/// How to ask a server that leaves nothing out on request: for all that is missing at once, so that
/// objects come as deltas of each other, and without what is below trees that are here.
fn all_at_once(missing: &Missing, whole: &[ObjectId]) -> Plan {
    let upper = missing.others.iter().chain(&missing.commits);
    let wants = first(
        upper.chain(&missing.trees).chain(&missing.blobs),
        MOST_WANTS,
    );
    let haves = first(whole.iter().chain(&missing.near), MOST_TOLD);
    let why = format!(
        "{} asked for by id, with all that is below them and not below {} that are here, since the server has no filter",
        count(&wants, "missing object is", "missing objects are"),
        count(&haves, "tree", "trees"),
    );
    let filter = None;
    let ask = if missing.others.is_empty() && missing.commits.is_empty() {
        Ask::Trees {
            wants,
            haves,
            filter,
        }
    } else {
        Ask::Commits {
            wants,
            haves,
            edges: vec![],
            filter,
        }
    };
    Plan { ask, why }
}

fn first<'a>(ids: impl IntoIterator<Item = &'a ObjectId>, most: usize) -> Vec<ObjectId> {
    ids.into_iter().take(most).copied().collect()
}

/// A number with the words that go with it.
fn count(ids: &[ObjectId], one: &str, many: &str) -> String {
    match ids.len() {
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Abilities = Abilities {
        ids: ByIds::Objects,
        blob_none: true,
        tree_zero: true,
    };
    const STOCK: Abilities = Abilities {
        blob_none: false,
        tree_zero: false,
        ..FULL
    };
    const OLD: Abilities = Abilities {
        ids: ByIds::Refs,
        ..STOCK
    };

    fn ids(first: u8, n: usize) -> Vec<ObjectId> {
        let id = |at: usize| {
            let mut id = [first; 20];
            id[..8].copy_from_slice(&at.to_be_bytes());
            ObjectId::Sha1(id)
        };
        (0..n).map(id).collect()
    }

    fn all() -> Missing {
        Missing {
            others: ids(1, 1),
            commits: ids(2, 2),
            trees: ids(3, 3),
            roots: 2,
            blobs: ids(4, 4),
            near: ids(5, 2),
            ..Missing::default()
        }
    }

    fn below_commits() -> Missing {
        Missing {
            others: vec![],
            commits: vec![],
            ..all()
        }
    }

    #[test]
    fn nothing_is_asked_for_where_nothing_is_missing() {
        for abilities in [FULL, STOCK, OLD] {
            let plan = next(abilities, &Missing::default(), &[]);
            assert_eq!(plan.ask, Ask::Nothing);
        }
    }

    #[test]
    fn commits_come_before_trees_and_trees_before_blobs() {
        let upper = [ids(1, 1), ids(2, 2)].concat();
        for (abilities, first, commits, trees) in [
            (
                FULL,
                Some(Filter::BlobNone),
                Some(Filter::TreeZero),
                Some(Filter::TreeZero),
            ),
            (
                Abilities {
                    tree_zero: false,
                    ..FULL
                },
                Some(Filter::BlobNone),
                Some(Filter::BlobNone),
                Some(Filter::BlobNone),
            ),
            (
                Abilities {
                    blob_none: false,
                    ..FULL
                },
                Some(Filter::TreeZero),
                Some(Filter::TreeZero),
                Some(Filter::TreeZero),
            ),
        ] {
            let ask = |filter| Ask::Commits {
                wants: upper.clone(),
                haves: vec![],
                edges: vec![],
                filter,
            };
            // Trees come along, but where those of other commits have to be asked for anyway.
            let no_trees = Missing {
                trees: vec![],
                roots: 0,
                ..all()
            };
            assert_eq!(next(abilities, &no_trees, &[]).ask, ask(first));
            let plan = next(abilities, &all(), &[]);
            assert_eq!(plan.ask, ask(commits));
            assert!(
                plan.why.starts_with("3 missing commits are asked for"),
                "{}",
                plan.why
            );
            let plan = next(abilities, &below_commits(), &ids(9, 1));
            let Ask::Trees {
                wants,
                haves,
                filter,
            } = plan.ask
            else {
                panic!("{plan:?}");
            };
            assert_eq!((filter, wants, haves.len()), (trees, ids(3, 3), 0));
            let blobs = Missing {
                blobs: ids(4, 1),
                ..Missing::default()
            };
            let plan = next(abilities, &blobs, &[]);
            assert_eq!(plan.ask, Ask::Blobs);
            assert!(plan.why.starts_with("1 missing blob is asked for"));
        }
    }

    #[test]
    fn history_that_is_here_is_not_asked_for_again() {
        let gap = Missing {
            edges: ids(6, 2),
            heads: ids(7, 3),
            ..all()
        };
        let told = |abilities, missing: &Missing| match next(abilities, missing, &[]).ask {
            Ask::Commits { haves, edges, .. } => (haves, edges),
            ask => panic!("{ask:?}"),
        };
        let all_of_it = (ids(7, 3), ids(6, 2));
        assert_eq!(told(FULL, &gap), all_of_it);
        // With the commits come trees: those of what is here may be missing, or not.
        let no_tree_zero = Abilities {
            tree_zero: false,
            ..FULL
        };
        assert_eq!(told(no_tree_zero, &gap), (vec![], vec![]));
        let no_trees = Missing {
            trees: vec![],
            roots: 0,
            ..gap.clone()
        };
        assert_eq!(told(no_tree_zero, &no_trees), all_of_it);
        assert!(told(STOCK, &no_trees).1.is_empty());
        // A part of the edges would be a lie.
        let many = Missing {
            edges: ids(6, MOST_TOLD + 1),
            ..gap
        };
        assert_eq!(told(FULL, &many), (vec![], vec![]));
    }

    #[test]
    fn a_server_without_filters_is_asked_for_all_that_is_missing_at_once() {
        let haves = [ids(9, 1), ids(5, 2)].concat();
        let wants = [ids(1, 1), ids(2, 2), ids(3, 3), ids(4, 4)].concat();
        let filter = None;
        let ask = Ask::Commits {
            wants: wants.clone(),
            haves: haves.clone(),
            edges: vec![],
            filter,
        };
        assert_eq!(next(STOCK, &all(), &ids(9, 1)).ask, ask);
        let ask = Ask::Trees {
            wants: wants[3..].to_vec(),
            haves,
            filter,
        };
        assert_eq!(next(STOCK, &below_commits(), &ids(9, 1)).ask, ask);
        let blobs = Missing {
            blobs: ids(4, 1),
            ..Missing::default()
        };
        assert_eq!(next(STOCK, &blobs, &[]).ask, Ask::Blobs);
    }

    #[test]
    fn a_server_that_takes_no_ids_is_asked_for_everything_again() {
        for missing in [all(), below_commits()] {
            assert_eq!(next(OLD, &missing, &[]).ask, Ask::Whole);
        }
        let reachable = Abilities {
            ids: ByIds::Commits,
            ..OLD
        };
        assert!(matches!(
            next(reachable, &all(), &[]).ask,
            Ask::Commits { filter: None, .. }
        ));
        assert_eq!(next(reachable, &below_commits(), &[]).ask, Ask::Whole);
    }

    #[test]
    fn a_request_is_no_larger_than_servers_take() {
        let many = Missing {
            commits: ids(1, MOST_WANTS + 5),
            ..Missing::default()
        };
        let Ask::Commits { wants, .. } = next(FULL, &many, &[]).ask else {
            panic!("commits are missing");
        };
        assert_eq!(wants, many.commits[..MOST_WANTS]);
        let many = Missing {
            trees: ids(1, MOST_WANTS + 5),
            near: ids(2, MOST_TOLD + 5),
            ..Missing::default()
        };
        for (abilities, told) in [(FULL, 0), (STOCK, MOST_TOLD)] {
            let Ask::Trees { wants, haves, .. } = next(abilities, &many, &[]).ask else {
                panic!("trees are missing");
            };
            assert_eq!((wants.len(), haves.len()), (MOST_WANTS, told));
        }
    }
}
