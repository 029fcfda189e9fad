//! Every object of a repository taken away by itself.

use std::{collections::BTreeSet, fs};

use gix_hash::ObjectId;

use super::{commit, find, from, id, loose, oid, remove, tree, write};
use crate::{
    pack::testing::GitRepo,
    transfer::missing::{Missing, Near, Start},
};

/// A history with all sorts of entries, its tips, and its objects in loose files alone.
fn sorts() -> GitRepo {
    let repo = GitRepo::history(4);
    repo.write("empty", "");
    std::os::unix::fs::symlink("src/deep", repo.path().join("link")).unwrap();
    let elsewhere = "1234567890123456789012345678901234567890";
    repo.git(&["add", "-A"]);
    let gitlink = format!("160000,{elsewhere},module");
    repo.git(&["update-index", "--add", "--cacheinfo", &gitlink]);
    repo.git(&["commit", "-q", "-m", "a submodule"]);
    repo.git(&["checkout", "-q", "-b", "side", "HEAD~2"]);
    repo.write("src/side", "beside\n");
    repo.commit("side");
    repo.git(&["checkout", "-q", "-f", "main"]);
    repo.git(&["merge", "-q", "--no-edit", "side"]);
    repo.git(&["tag", "-a", "-m", "one", "v1", "HEAD~1"]);
    repo.git(&["tag", "-a", "-m", "of a tag", "v1-again", "v1"]);
    repo.git(&["tag", "-a", "-m", "a tree", "of-a-tree", "HEAD~3:src"]);
    repo.git(&["tag", "-a", "-m", "a blob", "of-a-blob", "HEAD:readme"]);
    repo
}

fn tips(repo: &GitRepo) -> Start {
    let names = ["main", "v1-again", "of-a-tree", "of-a-blob"];
    from(&names.map(|name| id(repo, name)))
}

#[test]
fn a_whole_repository_lacks_nothing_loose_packed_or_both() {
    let repo = sorts();
    let start = tips(&repo);
    assert_eq!(find(&repo, &start).unwrap(), Missing::default());
    repo.git(&["repack", "-q", "-a"]);
    assert_eq!(find(&repo, &start).unwrap(), Missing::default());
    repo.git(&["repack", "-q", "-a", "-d", "-F", "--depth=20"]);
    repo.git(&["prune-packed"]);
    assert_eq!(find(&repo, &start).unwrap(), Missing::default());
}

/// Without what is told of the history that is there: that is under test with it.
fn untold(found: &mut Missing) {
    found.edges.clear();
    found.heads.clear();
}

#[test]
fn exactly_the_object_that_is_gone_is_missing() {
    let repo = sorts();
    let start = tips(&repo);
    let all = repo.reachable(&["main", "v1-again", "of-a-tree", "of-a-blob"]);
    // Root trees, and what is met as the tree that a tag names.
    let roots = repo.git(&["log", "--format=%T", "main"]) + &repo.git(&["rev-parse", "HEAD~3:src"]);
    let (mut tags, mut commits, mut trees, mut blobs, mut told) = (0, 0, 0, 0, 0);
    for hex in &all {
        let id = oid(hex);
        let kind = repo.git(&["cat-file", "-t", hex]);
        let (path, away) = (loose(&repo, id), repo.beside("away"));
        fs::rename(&path, &away).unwrap();
        let mut expected = Missing::default();
        if start.tips.contains(&id) || kind == "tag" {
            tags += 1;
            expected.others.push(id);
        } else if kind == "commit" {
            commits += 1;
            expected.commits.push(id);
        } else if kind == "tree" {
            trees += 1;
            expected.trees.push(id);
            expected.roots = usize::from(roots.contains(hex.as_str()));
        } else {
            blobs += 1;
            expected.blobs.push(id);
        }
        let mut found = find(&repo, &start).unwrap();
        let whole: Vec<String> = found.whole.drain(..).map(|id| id.to_string()).collect();
        if !whole.is_empty() {
            told += 1;
            let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
            assert!(!repo.reachable(&whole).contains(hex), "{kind} {hex}");
        }
        untold(&mut found);
        assert_eq!(found, expected, "{kind} {hex}");
        let promised = Start {
            promised: true,
            ..start.clone()
        };
        if kind == "blob" {
            expected.blobs.clear();
        }
        let mut found = find(&repo, &promised).unwrap();
        untold(&mut found);
        assert_eq!(found, expected, "{kind} {hex}");
        fs::rename(&away, &path).unwrap();
    }
    assert!(tags == 5 && commits >= 5 && trees > 10 && blobs > 10 && told > 3);
}

#[test]
fn what_is_behind_a_missing_object_is_found_once_that_is_there() {
    let repo = sorts();
    let start = tips(&repo);
    let all: BTreeSet<_> = repo.reachable(&["main", "v1-again", "of-a-tree", "of-a-blob"]);
    // Everything is hidden, and put back as it is asked for.
    let away = repo.beside("objects-away");
    fs::rename(repo.git_dir().join("objects"), &away).unwrap();
    fs::create_dir(repo.git_dir().join("objects")).unwrap();
    let mut got = BTreeSet::new();
    let mut rounds = 0;
    loop {
        let found = find(&repo, &start).unwrap();
        if found.is_empty() {
            break;
        }
        rounds += 1;
        let lists = [&found.others, &found.commits, &found.trees, &found.blobs];
        for id in lists.into_iter().flatten() {
            assert!(got.insert(id.to_string()), "{id} was asked for twice");
            let to = loose(&repo, *id);
            let hex = id.to_string();
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(away.join(&hex[..2]).join(&hex[2..]), to).unwrap();
        }
    }
    assert_eq!(got, all);
    assert!(rounds > 3, "{rounds} rounds");
}

#[test]
fn what_no_tip_reaches_is_not_missing() {
    let repo = GitRepo::history(3);
    let blob = id(&repo, "HEAD:readme");
    let older = from(&[id(&repo, "HEAD~1")]);
    remove(&repo, &[blob]);
    assert_eq!(find(&repo, &older).unwrap(), Missing::default());
    let newest = from(&[id(&repo, "HEAD")]);
    assert_eq!(find(&repo, &newest).unwrap().blobs, [blob]);
}

#[test]
fn the_neighbours_of_missing_trees_are_told_if_all_trees_below_them_are_there() {
    let repo = GitRepo::history(1);
    let blob = |text: &str| write(&repo, "blob", text.as_bytes());
    let (common, blobs) = (blob("common"), ["1", "2", "3"].map(blob));
    let subs = blobs.map(|blob| write(&repo, "tree", &tree(&[("100644", "x", blob)])));
    let roots = subs.map(|sub| {
        let entries = [("40000", "s", sub), ("100644", "y", common)];
        write(&repo, "tree", &tree(&entries))
    });
    let (mut tip, mut date) = (None, 0);
    for root in roots {
        date += 10;
        let parents = Vec::from_iter(tip);
        tip = Some(write(&repo, "commit", &commit(root, &parents, date)));
    }
    let near = |away: &[ObjectId], near: Near| {
        let mut start = from(&[tip.unwrap()]);
        start.near = near;
        let kept: Vec<_> = away
            .iter()
            .map(|id| fs::read(loose(&repo, *id)).unwrap())
            .collect();
        remove(&repo, away);
        let found = find(&repo, &start).unwrap();
        for (id, content) in away.iter().zip(kept) {
            fs::write(loose(&repo, *id), content).unwrap();
        }
        found.near
    };
    assert!(near(&[subs[1]], Near::No).is_empty());
    // The newer one first.
    assert_eq!(near(&[subs[1]], Near::Full), [subs[2], subs[0]]);
    assert_eq!(near(&[roots[1]], Near::Full), [roots[2], roots[0]]);
    // What lacks a tree would keep it from being sent.
    let found = near(&[roots[1], subs[2]], Near::All);
    assert_eq!(BTreeSet::from_iter(found), [subs[0], roots[0]].into());
    // What lacks most of its blobs is better sent with them.
    let away = [roots[1], common, blobs[0]];
    assert_eq!(near(&away, Near::Full), [roots[2]]);
    assert_eq!(near(&away, Near::All), [roots[2], roots[0]]);
}
