//! How far the history is looked at: cut off, known to be whole, with clocks that go wrong.

use std::sync::{Mutex, atomic::AtomicBool};

use gix_hash::ObjectId;

use super::{commit, find, from, id, remove, tree, write};
use crate::{
    pack::testing::GitRepo,
    transfer::missing::{Missing, Start, missing},
};

#[test]
fn a_shallow_commit_has_no_parents() {
    let repo = GitRepo::history(5);
    let cut = id(&repo, "HEAD~2");
    remove(&repo, &[id(&repo, "HEAD~3")]);
    let tip = id(&repo, "HEAD");
    assert_eq!(
        find(&repo, &from(&[tip])).unwrap().commits,
        [id(&repo, "HEAD~3")]
    );
    let start = Start {
        shallow: vec![cut],
        ..from(&[tip])
    };
    assert_eq!(find(&repo, &start).unwrap(), Missing::default());
    // Its own trees and blobs must be there.
    let blob = id(&repo, "HEAD~2:readme");
    remove(&repo, &[blob]);
    assert_eq!(find(&repo, &start).unwrap().blobs, [blob]);
}

#[test]
fn below_what_is_known_to_be_whole_nothing_is_looked_at() {
    let repo = GitRepo::history(12);
    let (tip, known) = (id(&repo, "HEAD"), id(&repo, "HEAD~2"));
    let start = Start {
        complete: vec![known],
        ..from(&[tip])
    };
    assert_eq!(find(&repo, &start).unwrap(), Missing::default());
    // Against all that is known, it is gone; whoever looks would tell.
    remove(&repo, &[id(&repo, "HEAD~7"), id(&repo, "HEAD~2:readme")]);
    assert_eq!(find(&repo, &start).unwrap(), Missing::default());
    assert_eq!(find(&repo, &from(&[tip])).unwrap().len(), 2);
    // What is new must be there.
    let (blob, root) = (id(&repo, "HEAD:readme"), id(&repo, "HEAD~1^{tree}"));
    remove(&repo, &[blob, root]);
    let found = find(&repo, &start).unwrap();
    assert_eq!((found.trees, found.blobs), (vec![root], vec![blob]));
}

#[test]
fn a_parent_below_a_known_ref_is_known_too_and_a_known_ref_that_is_gone_is_nothing() {
    let repo = GitRepo::history(6);
    let known = id(&repo, "HEAD");
    repo.git(&["checkout", "-q", "-b", "side", "HEAD~3"]);
    repo.write("side", "new\n");
    let tip = repo.commit("side");
    let tip = id(&repo, &tip);
    let start = Start {
        complete: vec![known, super::oid(&"12".repeat(20))],
        ..from(&[tip])
    };
    assert_eq!(find(&repo, &start).unwrap(), Missing::default());
    // Below the fork, which only the walk from the known ref tells from what is new.
    remove(&repo, &[id(&repo, "side~2")]);
    assert_eq!(find(&repo, &start).unwrap(), Missing::default());
    let gone = super::oid(&"34".repeat(20));
    let start = Start {
        complete: vec![gone],
        ..from(&[gone])
    };
    assert_eq!(find(&repo, &start).unwrap().others, [gone]);
}

#[test]
fn what_is_here_beside_a_gap_is_told_by_its_edges_and_heads() {
    let repo = GitRepo::new();
    let blob = write(&repo, "blob", b"text");
    let root = write(&repo, "tree", &tree(&[("100644", "file", blob)]));
    let make = |parents: &[ObjectId], date| write(&repo, "commit", &commit(root, parents, date));
    let first = make(&[], 1);
    let gone = make(&[first], 2);
    let above = make(&[gone], 3);
    let side = make(&[first], 4);
    let merge = make(&[above, side], 5);
    let whole = find(&repo, &from(&[merge])).unwrap();
    assert_eq!(whole, Missing::default());
    remove(&repo, &[gone]);
    let found = find(&repo, &from(&[merge])).unwrap();
    assert_eq!(found.commits, [gone]);
    assert_eq!((found.edges, found.heads), (vec![above], vec![merge]));
    // Behind an edge, what it refers to is a head of its own.
    let edge = make(&[gone, side], 6);
    let found = find(&repo, &from(&[edge])).unwrap();
    let mut heads = vec![edge, side];
    heads.sort_unstable();
    assert_eq!((found.edges, found.heads), (vec![edge], heads));
    // A missing blob is no gap in the history.
    remove(&repo, &[blob]);
    let found = find(&repo, &from(&[side])).unwrap();
    assert_eq!(found.blobs, [blob]);
    assert_eq!((found.edges, found.heads), (vec![], vec![]));
}

#[test]
fn wrong_clocks_cost_time_and_nothing_else() {
    let repo = GitRepo::new();
    let blob = write(&repo, "blob", b"text");
    let root = write(&repo, "tree", &tree(&[("100644", "file", blob)]));
    // The newer a commit is, the older its date.
    let mut chain = vec![write(&repo, "commit", &commit(root, &[], 1_000))];
    for n in 1..20 {
        let parent = chain[n - 1];
        let date = 1_000 - 10 * n as u64;
        chain.push(write(&repo, "commit", &commit(root, &[parent], date)));
    }
    let new = write(&repo, "blob", b"new");
    let root = write(&repo, "tree", &tree(&[("100644", "file", new)]));
    let tip = write(&repo, "commit", &commit(root, &[chain[10], chain[3]], 5));
    for complete in [vec![], vec![chain[19]], vec![chain[10]], vec![tip]] {
        let start = Start {
            complete,
            ..from(&[tip])
        };
        assert_eq!(find(&repo, &start).unwrap(), Missing::default());
    }
    remove(&repo, &[new]);
    let start = Start {
        complete: vec![chain[19]],
        ..from(&[tip])
    };
    assert_eq!(find(&repo, &start).unwrap().blobs, [new]);
}

#[test]
fn objects_of_alternates_are_there() {
    let repo = GitRepo::history(3);
    let start = from(&[id(&repo, "HEAD")]);
    let objects = repo.beside("op/objects");
    std::fs::create_dir_all(objects.join("info")).unwrap();
    let run = || missing(&objects, &start, 2, &|_| {}, &AtomicBool::new(false)).unwrap();
    assert_eq!(run().others, start.tips);
    let real = repo.git_dir().join("objects");
    std::fs::write(
        objects.join("info/alternates"),
        format!("{}\n", real.display()),
    )
    .unwrap();
    assert_eq!(run(), Missing::default());
}

#[test]
fn progress_only_grows() {
    let repo = GitRepo::history(100);
    remove(&repo, &[id(&repo, "HEAD~99:readme")]);
    let start = from(&[id(&repo, "HEAD")]);
    let told = Mutex::new(Vec::new());
    let objects = repo.git_dir().join("objects");
    let tell = |n| told.lock().unwrap().push(n);
    let found = missing(&objects, &start, 1, &tell, &AtomicBool::new(false)).unwrap();
    assert_eq!(found.blobs.len(), 1);
    let told = told.into_inner().unwrap();
    assert!(!told.is_empty());
}
