//! The order in which missing objects are asked for.

use gix_hash::ObjectId;

use super::{commit, find, from, remove, tree, write};
use crate::pack::testing::GitRepo;

#[test]
fn blobs_come_by_name_path_and_age_and_root_trees_newest_first() {
    let repo = GitRepo::new();
    let blob = |text: &str| write(&repo, "blob", text.as_bytes());
    // Each version changes all files but one, which must be asked for once.
    let shared = blob("shared");
    let mut versions = Vec::new();
    let mut parent: Vec<ObjectId> = Vec::new();
    for n in 0..3_u64 {
        let (a, b, c) = (
            blob(&format!("a/x {n}")),
            blob(&format!("b/x {n}")),
            blob(&format!("w {n}")),
        );
        let sub_a = write(
            &repo,
            "tree",
            &tree(&[("100644", "s", shared), ("100755", "x", a)]),
        );
        let sub_b = write(&repo, "tree", &tree(&[("120000", "x", b)]));
        let root = write(
            &repo,
            "tree",
            &tree(&[
                ("40000", "a", sub_a),
                ("40000", "b", sub_b),
                ("100644", "w", c),
            ]),
        );
        let made = write(&repo, "commit", &commit(root, &parent, 1_000 + n));
        versions.push((root, sub_a, sub_b, [a, b, c]));
        parent = vec![made];
    }
    let [(root0, _, _, v0), (root1, sub1, _, v1), (root2, _, _, v2)] = versions[..] else {
        unreachable!()
    };
    let start = from(&parent);
    remove(&repo, &[shared]);
    for [a, b, c] in [v0, v1, v2] {
        remove(&repo, &[a, b, c]);
    }
    let found = find(&repo, &start).unwrap();
    let w = [v2[2], v1[2], v0[2]];
    let x = [v2[0], v1[0], v0[0], v2[1], v1[1], v0[1]];
    assert_eq!(found.blobs, [&[shared][..], &w, &x].concat());
    assert_eq!(found.len(), 10);
    // Root trees come before others, although those are met earlier.
    let oldest = write(&repo, "commit", &commit(root0, &[], 1));
    remove(&repo, &[root0, root1]);
    let second = write(&repo, "tree", &tree(&[("40000", "only", sub1)]));
    remove(&repo, &[sub1]);
    let newest = write(
        &repo,
        "commit",
        &commit(second, &[parent[0], oldest], 2_000),
    );
    let found = find(&repo, &from(&[newest])).unwrap();
    assert_eq!(found.trees, [root1, root0, sub1]);
    assert_eq!(found.roots, 2);
    let _ = root2;
}

#[test]
fn missing_commits_come_newest_first_and_hide_nothing_else() {
    let repo = GitRepo::new();
    let empty = write(&repo, "tree", b"");
    let made = |parents: &[ObjectId], date| write(&repo, "commit", &commit(empty, parents, date));
    let (a, b) = (made(&[], 10), made(&[], 20));
    let (newer, older) = (made(&[a], 200), made(&[b], 100));
    // The empty tree need not be stored.
    remove(&repo, &[empty, a, b]);
    let found = find(&repo, &from(&[older, newer])).unwrap();
    assert_eq!(found.commits, [a, b]);
    let tip = made(&[older, newer], 300);
    let found = find(&repo, &from(&[tip])).unwrap();
    assert_eq!(found.commits, [a, b]);
    assert_eq!(found.len(), 2);
}
