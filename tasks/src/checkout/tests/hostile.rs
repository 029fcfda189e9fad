//! Trees that no working tree can have, or that would write elsewhere.

use std::fs;
use std::path::Path;

use super::fixture::{Input, check_out, git, git_fed, init, tree};

/// The bytes of a tree; modes, names, objects.
fn make_tree(repo: &Path, entries: &[(&str, &[u8], &str)]) -> String {
    let mut bytes = Vec::new();
    for (mode, name, oid) in entries {
        bytes.extend_from_slice(&[mode.as_bytes(), b" ", name, b"\0"].concat());
        bytes.extend_from_slice(
            gix_hash::ObjectId::from_hex(oid.as_bytes())
                .unwrap()
                .as_slice(),
        );
    }
    let args = ["hash-object", "-t", "tree", "-w", "--stdin", "--literally"];
    git_fed(repo, &args, &bytes).trim().to_owned()
}

fn blob(repo: &Path, content: &[u8]) -> String {
    git_fed(repo, &["hash-object", "-w", "--stdin"], content)
        .trim()
        .to_owned()
}

async fn refused(repo: &Path, tree_id: &str, said: &str) {
    let input = Input {
        worktree: repo.to_owned(),
        tree: tree_id.to_owned(),
    };
    let before = tree(repo.parent().unwrap());
    let error = check_out(input).await.unwrap_err().to_string();
    assert!(error.contains(said), "{error}");
    assert!(!error.contains('\x1b'), "{error}");
    let mut after = tree(repo.parent().unwrap());
    after.retain(|path, _| !path.starts_with(b"repo.store") && !path.starts_with(b"repo/.git"));
    let mut before = before;
    before.retain(|path, _| !path.starts_with(b"repo.store") && !path.starts_with(b"repo/.git"));
    assert_eq!(after, before, "nothing is written");
}

#[tokio::test]
async fn names_that_lead_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    let file = blob(&repo, b"evil");
    let inner = make_tree(&repo, &[("100644", b"config", &file)]);
    let names: &[&[u8]] = &[
        b".git",
        b".GIT",
        b"git~1",
        b".git::$INDEX_ALLOCATION",
        b".git ",
        ".g\u{200c}it".as_bytes(),
        b"..",
        b".",
        b"",
    ];
    for name in names {
        for (mode, oid) in [("40000", &inner), ("100644", &file), ("160000", &file)] {
            let hostile = make_tree(&repo, &[("100644", b"A", &file), (mode, name, oid)]);
            refused(&repo, &hostile, "refused").await;
        }
        let below = make_tree(&repo, &[("40000", name, &inner)]);
        let hostile = make_tree(&repo, &[("40000", b"dir", &below)]);
        refused(&repo, &hostile, "refused").await;
    }
    for name in [&b"../evil"[..], b"/evil", b".git/config", b"a/b"] {
        let hostile = make_tree(&repo, &[("100644", name, &file)]);
        refused(&repo, &hostile, "slash").await;
    }
    let escapes = make_tree(&repo, &[("100644", b"\x1b[2J/..", &file)]);
    refused(&repo, &escapes, "slash").await;
    let link = make_tree(&repo, &[("120000", b".gitmodules", &file)]);
    refused(&repo, &link, ".gitmodules").await;
    let mode = make_tree(&repo, &[("010644", b"pipe", &file)]);
    refused(&repo, &mode, "unknown mode").await;
}

#[tokio::test]
async fn one_name_twice() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    let out = blob(&repo, b"..");
    let file = blob(&repo, b"evil");
    let inner = make_tree(&repo, &[("100644", b"evil", &file)]);
    for (mode, oid) in [("40000", &inner), ("100644", &file)] {
        let hostile = make_tree(&repo, &[("120000", b"a", &out), (mode, b"a", oid)]);
        refused(&repo, &hostile, "twice").await;
    }
    let spread = make_tree(
        &repo,
        &[
            ("120000", b"a", &out),
            ("100644", b"a.", &file),
            ("40000", b"a", &inner),
        ],
    );
    refused(&repo, &spread, "twice").await;
    assert!(!dir.path().join("evil").exists());
}

#[tokio::test]
async fn trees_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    let file = blob(&repo, b"x");
    let mut deep = make_tree(&repo, &[("100644", b"x", &file)]);
    // By plumbing, for a process each would take long.
    let opened = gix::open_opts(&repo, gix::open::Options::isolated()).unwrap();
    for _ in 0..2_100 {
        let bytes = [
            b"40000 d\0",
            gix_hash::ObjectId::from_hex(deep.as_bytes())
                .unwrap()
                .as_slice(),
        ]
        .concat();
        let id = gix::prelude::Write::write_buf(&opened.objects, gix::object::Kind::Tree, &bytes);
        deep = id.unwrap().to_string();
    }
    refused(&repo, &deep, "nested deeper").await;
    let missing = make_tree(&repo, &[("40000", b"d", &"1".repeat(40))]);
    refused(&repo, &missing, "can't be read").await;
}

/// A tree that is out of order is old, not hostile.
#[tokio::test]
async fn a_tree_out_of_order_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    let file = blob(&repo, b"x");
    let id = make_tree(
        &repo,
        &[
            ("100664", b"b", &file),
            ("100755", b"a", &file),
            ("120000", b"0", &blob(&repo, b"a\0b")),
        ],
    );
    let commit = git(&repo, &["commit-tree", "-m", "x", &id]);
    git(&repo, &["update-ref", "HEAD", commit.trim()]);
    let written = check_out(Input::of_head(&repo)).await.unwrap();
    assert_eq!((written.files, written.left_out), (3, 0), "{written:?}");
    assert_eq!(fs::read_link(repo.join("0")).unwrap(), Path::new("a"));
    assert_eq!(git(&repo, &["ls-files"]), "0\na\nb\n");
}
