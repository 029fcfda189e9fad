//! Conflicts have the names that `git merge` would give them, and trees that are only in memory can be
//! merged by git.

use std::fs;
use std::path::Path;

use gix::objs::Write as _;
use gix_hash::ObjectId;

use super::super::{By, Engine, EngineError, Favor, Labels, Trees};
use crate::history::testing::{commit, git, init, put};

fn labels() -> Labels {
    Labels {
        ours: "HEAD".into(),
        theirs: "abc1234 (a subject)".into(),
        base: Some("parent of abc1234 (a subject)".into()),
    }
}

fn open(repo: &Path) -> gix::Repository {
    gix::open(repo).unwrap().with_object_memory()
}

#[test]
fn markers_names_of_files_and_messages_have_the_labels() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    git(&repo, &["config", "merge.conflictStyle", "diff3"]);
    let tree = |repo: &Path, message: &str| {
        let commit = commit(repo, message);
        let tree = git(repo, &["rev-parse", &format!("{commit}^{{tree}}")]);
        ObjectId::from_hex(tree.trim().as_bytes()).unwrap()
    };
    put(&repo, "f", "base\n");
    let base = tree(&repo, "base");
    put(&repo, "f", "ours\n");
    put(&repo, "x", "a file\n");
    let ours = tree(&repo, "ours");
    git(&repo, &["rm", "-q", "-r", "."]);
    put(&repo, "f", "theirs\n");
    put(&repo, "x/y", "in a directory\n");
    let theirs = tree(&repo, "theirs");
    let repository = open(&repo);
    let mut engine = Engine::open(&repository, &dir.path().join("scratch"));
    let trees = Trees { base, ours, theirs };
    let outcome = engine
        .merge_trees(&repository, trees, &labels(), Favor::Neither)
        .unwrap();
    assert_eq!((outcome.clean, outcome.by), (false, By::Git));
    let merged = repository.find_tree(outcome.tree).unwrap();
    let content = |path: &str| {
        let entry = merged.lookup_entry_by_path(path).unwrap().unwrap();
        String::from_utf8(entry.object().unwrap().data.clone()).unwrap()
    };
    assert_eq!(
        content("f"),
        "<<<<<<< HEAD\nours\n||||||| parent of abc1234 (a subject)\nbase\n=======\ntheirs\n\
         >>>>>>> abc1234 (a subject)\n"
    );
    assert_eq!(content("x~HEAD"), "a file\n");
    assert_eq!(outcome.conflicting_paths(), ["f", "x~HEAD"]);
    let texts: Vec<_> = outcome.messages.iter().map(|it| it.text.as_str()).collect();
    let texts = texts.join("\n");
    assert!(texts.contains("x~HEAD"), "{texts}");
    // With a side that is taken there is none.
    let outcome = engine
        .merge_trees(
            &repository,
            Trees {
                base,
                ours,
                theirs: base,
            },
            &labels(),
            Favor::Ours,
        )
        .unwrap();
    assert_eq!((outcome.tree, outcome.by), (ours, By::Mug));
}

#[test]
fn what_is_only_in_memory_is_merged_too() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    let repository = open(&repo);
    let tree = |content: &str| {
        let kind = gix::objs::Kind::Blob;
        let oid = repository
            .objects
            .write_buf(kind, content.as_bytes())
            .unwrap();
        let entry = gix::objs::tree::Entry {
            mode: gix::objs::tree::EntryKind::Blob.into(),
            filename: "f".into(),
            oid,
        };
        let tree = gix::objs::Tree {
            entries: vec![entry],
        };
        repository.objects.write(&tree).unwrap()
    };
    let (base, ours, theirs) = (tree("base\n"), tree("ours\n"), tree("theirs\n"));
    let mut engine = Engine::open(&repository, &dir.path().join("scratch"));
    let outcome = engine
        .merge_trees(
            &repository,
            Trees { base, ours, theirs },
            &labels(),
            Favor::Theirs,
        )
        .unwrap();
    assert_eq!((outcome.clean, outcome.tree), (true, theirs));
    assert!(!dir.path().join("scratch").exists());
    let loose = fs::read_dir(repo.join(".git/objects")).unwrap();
    let loose = loose.filter(|entry| entry.as_ref().unwrap().file_name().len() == 2);
    assert_eq!(loose.count(), 0);
}

#[test]
fn unrelated_histories_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    put(&repo, "f", "1\n");
    let ours = commit(&repo, "one");
    git(&repo, &["switch", "-q", "--orphan", "other"]);
    let theirs = commit(&repo, "two");
    let repository = open(&repo);
    let mut engine = Engine::open(&repository, &dir.path().join("scratch"));
    let id = |hex: &str| ObjectId::from_hex(hex.as_bytes()).unwrap();
    let (ours, theirs) = (id(&ours), id(&theirs));
    let merged = engine.merge_commits(&repository, ours, theirs, &labels(), Favor::Neither, false);
    assert!(matches!(merged, Err(EngineError::Unrelated)), "{merged:?}");
}
