//! Objects that are there and are not what they should be.

use std::{fs, sync::atomic::AtomicBool};

use super::{commit, find, from, id, loose, tree, write};
use crate::{
    pack::testing::GitRepo,
    transfer::missing::{MissingError, Start, missing},
};

fn error(repo: &GitRepo, start: &Start) -> String {
    let error = find(repo, start).unwrap_err();
    assert!(!matches!(error, MissingError::Stopped));
    error.to_string()
}

#[test]
fn an_object_of_another_kind_is_told_with_what_refers_to_it() {
    let repo = GitRepo::new();
    let blob = write(&repo, "blob", b"text");
    let sub = write(&repo, "tree", &tree(&[("100644", "file", blob)]));
    let whole = write(&repo, "commit", &commit(sub, &[], 5));
    for (root, found, expected) in [
        (vec![("100644", "sub", sub)], "tree", "blob"),
        (vec![("40000", "file", blob)], "blob", "tree"),
        (vec![("100644", "it", whole)], "commit", "blob"),
        (
            vec![("100644", "a", blob), ("40000", "b", blob)],
            "blob",
            "tree",
        ),
    ] {
        let root = write(&repo, "tree", &tree(&root));
        let tip = write(&repo, "commit", &commit(root, &[], 7));
        let text = error(&repo, &from(&[tip]));
        assert!(text.contains(&format!("tree {root} refers to ")), "{text}");
        let words = format!("as a {expected}, but it is a {found}");
        assert!(text.contains(&words), "{text}");
    }
    let tip = write(&repo, "commit", &commit(blob, &[], 7));
    assert!(
        error(&repo, &from(&[tip])).contains(&format!("commit {tip} refers to {blob} as a tree"))
    );
    let tip = write(&repo, "commit", &commit(sub, &[sub], 7));
    assert!(
        error(&repo, &from(&[tip])).contains(&format!("commit {tip} refers to {sub} as a commit"))
    );
    let text = format!("object {blob}\ntype commit\ntag t\ntagger a <a> 1 +0000\n\nt\n");
    let tip = write(&repo, "tag", text.as_bytes());
    assert!(
        error(&repo, &from(&[tip])).contains(&format!("tag {tip} refers to {blob} as a commit"))
    );
}

#[test]
fn an_object_that_makes_no_sense_is_told_with_what_refers_to_it() {
    let repo = GitRepo::new();
    let bad = write(&repo, "tree", b"100644 cut\0short");
    let root = write(&repo, "tree", &tree(&[("40000", "dir", bad)]));
    let tip = write(&repo, "commit", &commit(root, &[], 7));
    let text = error(&repo, &from(&[tip]));
    assert!(text.starts_with(&format!(
        "tree {bad}, which tree {root} refers to, is malformed"
    )));
    let bad = write(&repo, "commit", b"author nobody\n");
    let text = error(&repo, &from(&[bad]));
    assert!(text.starts_with(&format!(
        "commit {bad}, which a wanted ref refers to, is malformed"
    )));
    let bad = write(&repo, "tag", b"object 12\n");
    let text = error(&repo, &from(&[bad]));
    assert!(text.starts_with(&format!(
        "tag {bad}, which a wanted ref refers to, is malformed"
    )));
}

#[test]
fn an_object_that_cannot_be_read_is_told_with_what_refers_to_it() {
    let repo = GitRepo::history(2);
    let (tip, root) = (id(&repo, "HEAD"), id(&repo, "HEAD^{tree}"));
    let path = loose(&repo, root);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"no zlib").unwrap();
    let text = error(&repo, &from(&[tip]));
    assert!(text.starts_with(&format!(
        "object {root}, which commit {tip} refers to, cannot be read"
    )));
    // Nobody needs it.
    assert!(
        find(&repo, &from(&[id(&repo, "HEAD~1")]))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_search_that_is_stopped_says_so_and_a_directory_that_is_not_there_is_named() {
    let repo = GitRepo::history(2);
    let start = from(&[id(&repo, "HEAD")]);
    let objects = repo.git_dir().join("objects");
    for complete in [vec![], vec![id(&repo, "HEAD~1")]] {
        let start = Start {
            complete,
            ..start.clone()
        };
        let stopped = missing(&objects, &start, 1, &|_| {}, &AtomicBool::new(true));
        assert!(matches!(stopped, Err(MissingError::Stopped)), "{stopped:?}");
    }
    let nowhere = repo.beside("nowhere");
    let text = missing(&nowhere, &start, 1, &|_| {}, &AtomicBool::new(false));
    assert!(text.unwrap_err().to_string().contains("nowhere"));
}
