//! Missing, mistaken and damaged objects.

use std::{fs, io::Write as _};

use super::{reach, universe};
use crate::pack::{
    scan::ScanError,
    source::{SourceError, SourceList},
    testing::{GitRepo, git_in},
};

fn remove(repo: &GitRepo, id: &str) {
    fs::remove_file(repo.git_dir().join("objects").join(&id[..2]).join(&id[2..])).unwrap();
}

#[test]
fn a_missing_blob_is_named_with_a_tree_that_needs_it() {
    let repo = GitRepo::history(3);
    let blob = repo.git(&["rev-parse", "HEAD:readme"]);
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    remove(&repo, &blob);
    let universe = universe(repo.git_dir());
    let Err(error) = reach(repo.git_dir(), &universe, &[]) else {
        panic!("a blob is missing")
    };
    assert!(
        matches!(&error, ScanError::Missing { id, kind: "tree", needed_by, .. } if *id == blob && *needed_by == tree),
        "{error}"
    );
}

#[test]
fn a_missing_parent_is_named_with_its_child() {
    let repo = GitRepo::history(3);
    let parent = repo.git(&["rev-parse", "HEAD~1"]);
    remove(&repo, &parent);
    let universe = universe(repo.git_dir());
    let Err(error) = reach(repo.git_dir(), &universe, &[]) else {
        panic!("a commit is missing")
    };
    assert!(
        matches!(&error, ScanError::Missing { id, kind: "commit", .. } if *id == parent),
        "{error}"
    );
}

#[test]
fn what_only_unreachable_objects_miss_does_not_matter() {
    let repo = GitRepo::history(3);
    repo.git(&["checkout", "-q", "-b", "lost"]);
    repo.write("lost", "soon missing");
    repo.commit("lost");
    let blob = repo.git(&["rev-parse", "HEAD:lost"]);
    repo.git(&["checkout", "-q", "main"]);
    remove(&repo, &blob);
    super::agree(&repo, &["main"], &["main"]);
    let universe = universe(repo.git_dir());
    assert!(reach(repo.git_dir(), &universe, &["lost"]).is_err());
}

#[test]
fn a_reference_as_another_kind_is_named() {
    let repo = GitRepo::history(2);
    let commit = repo.git(&["rev-parse", "HEAD"]);
    repo.write(
        "bad",
        format!("object {commit}\ntype tree\ntag bad\ntagger a <a> 1 +0000\n\nx\n"),
    );
    let tag = repo.git(&["hash-object", "-t", "tag", "--literally", "-w", "bad"]);
    repo.git(&["update-ref", "refs/tags/bad", &tag]);
    let universe = universe(repo.git_dir());
    let Err(error) = reach(repo.git_dir(), &universe, &["bad"]) else {
        panic!("the tag is wrong")
    };
    assert!(
        matches!(&error, ScanError::WrongKind { id, found: "commit", expected: "tree", kind: "tag", .. } if *id == commit),
        "{error}"
    );
}

#[test]
fn an_empty_loose_object_matters_only_where_it_is_needed() {
    let repo = GitRepo::history(3);
    let empty = |id: &str| {
        let path = repo.git_dir().join("objects").join(&id[..2]).join(&id[2..]);
        let _ = fs::remove_file(&path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    };
    empty("0123456789012345678901234567890123456789");
    super::agree(&repo, &[], &["--all"]);
    let blob = repo.git(&["rev-parse", "HEAD:readme"]);
    empty(&blob);
    let universe = universe(repo.git_dir());
    let Err(error) = reach(repo.git_dir(), &universe, &[]) else {
        panic!("a blob is damaged")
    };
    assert!(
        matches!(&error, ScanError::Source(SourceError::Loose { id, .. }) if *id == blob),
        "{error}"
    );
}

/// Damages the entry of `object` in a pack of `repo`, in the middle or its header; gives its offset.
fn damage(repo: &GitRepo, object: &str, header: bool) -> u64 {
    let list = SourceList::find(&repo.git_dir().join("objects")).unwrap();
    let path = &list.packs[0].path;
    let shown = git_in(&repo.path(), &["verify-pack", "-v", path.to_str().unwrap()]).stdout;
    let shown = String::from_utf8(shown).unwrap();
    let row = shown.lines().find(|line| line.starts_with(object)).unwrap();
    let offset: u64 = row.split_whitespace().nth(4).unwrap().parse().unwrap();
    let mut bytes = fs::read(path).unwrap();
    let at = usize::try_from(offset).unwrap();
    if header {
        // A delta against an entry far before the first.
        bytes[at..at + 4].copy_from_slice(&[0x61, 0xff, 0xff, 0x7f]);
    } else {
        bytes[at + 8] ^= 0x55;
    }
    fs::remove_file(path).unwrap();
    fs::File::create(path).unwrap().write_all(&bytes).unwrap();
    offset
}

#[test]
fn damage_in_a_pack_is_named_with_pack_offset_and_object() {
    for header in [false, true] {
        let repo = GitRepo::history(8);
        repo.git(&["repack", "-q", "-a", "-d"]);
        let commit = repo.git(&["rev-parse", "HEAD~4"]);
        let offset = damage(&repo, &commit, header);
        let universe = universe(repo.git_dir());
        let Err(error) = reach(repo.git_dir(), &universe, &[]) else {
            panic!("a commit is damaged")
        };
        assert!(
            matches!(&error, ScanError::Source(SourceError::Entry { offset: at, id, .. }) if *at == offset && *id == commit),
            "{error}"
        );
    }
}

#[test]
fn damage_matters_only_where_it_is_reached_whatever_was_damaged() {
    let mut unharmed = 0;
    for (revision, header, apart) in [
        ("lost~1", false, true),
        ("lost~1", true, false),
        ("lost~1^{tree}", false, true),
        ("lost~1^{tree}", false, false),
        ("lost~1^{tree}", true, false),
        ("lost~2:src", false, false),
        ("lost:src/deep", true, true),
    ] {
        let repo = GitRepo::history(6);
        if apart {
            repo.git(&["repack", "-q", "-a", "-d", "-f"]);
        }
        repo.git(&["checkout", "-q", "-b", "lost"]);
        repo.grow(9);
        repo.git(&["checkout", "-q", "main"]);
        let all: &[&str] = if apart { &[] } else { &["-a", "-f"] };
        repo.git(&[&["repack", "-q", "-d", "--depth=50"], all].concat());
        let expected = repo.reachable(&["main"]);
        let object = repo.git(&["rev-parse", revision]);
        assert!(!expected.contains(&object));
        damage(&repo, &object, header);
        let universe = universe(repo.git_dir());
        // In one pack, what main has may be made of what is damaged.
        let listed = git_in(&repo.path(), &["rev-list", "--objects", "main"]);
        if apart || listed.status.success() {
            let main = reach(repo.git_dir(), &universe, &["main"]);
            let main = main.unwrap_or_else(|error| panic!("{revision}: {error}"));
            assert_eq!(super::reached(&universe, &main), expected, "{revision}");
            unharmed += 1;
        }
        let Err(error) = reach(repo.git_dir(), &universe, &["lost"]) else {
            panic!("{revision} is damaged")
        };
        assert!(matches!(error, ScanError::Source(_)), "{revision}: {error}");
    }
    assert!(unharmed > 3, "{unharmed}");
}
