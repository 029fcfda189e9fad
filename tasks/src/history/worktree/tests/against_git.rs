//! What a move leaves is what git's checkout leaves.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::fixture::{Input, run};
use crate::history::engine::Stage;
use crate::history::testing::{commit, files, git, init, put};

/// A repository whose branches `main` and `side` differ in every way that there is; `side` is checked
/// out.
fn two_trees(dir: &Path) -> PathBuf {
    let repo = init(dir);
    put(&repo, ".gitattributes", "*.bat text eol=crlf\n*.id ident\n");
    for name in [
        "same",
        "changed",
        "gone",
        "deep/er/gone",
        "deep/stays",
        "d.bat",
        "a.id",
    ] {
        put(&repo, name, format!("{name}\n$Id$\n"));
    }
    put(&repo, "mode", "x");
    put(&repo, "file-to-dir", "x");
    put(&repo, "dir-to-file/a", "x");
    put(&repo, "dir-to-file/b/c", "x");
    put(&repo, "link-to-file", "x");
    symlink("same", repo.join("link")).unwrap();
    symlink("same", repo.join("file-to-link")).unwrap();
    symlink("deep", repo.join("link-to-dir")).unwrap();
    commit(&repo, "main");
    git(&repo, &["switch", "-q", "-c", "side"]);
    put(&repo, "changed", "changed on side\n");
    put(&repo, "d.bat", "one\r\ntwo\r\n");
    put(&repo, "a.id", "$Id$ changed\n");
    put(&repo, "new/in/here", "new\n");
    fs::remove_file(repo.join("gone")).unwrap();
    fs::remove_file(repo.join("deep/er/gone")).unwrap();
    fs::set_permissions(repo.join("mode"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(repo.join("file-to-dir")).unwrap();
    put(&repo, "file-to-dir/inner/most", "y");
    fs::remove_dir_all(repo.join("dir-to-file")).unwrap();
    put(&repo, "dir-to-file", "y");
    for name in ["link", "link-to-file", "file-to-link", "link-to-dir"] {
        fs::remove_file(repo.join(name)).unwrap();
    }
    symlink("changed", repo.join("link")).unwrap();
    symlink("changed", repo.join("link-to-file")).unwrap();
    put(&repo, "file-to-link", "now a file");
    put(&repo, "link-to-dir/file", "now a directory");
    let module = format!(
        "160000,{},module",
        git(&repo, &["rev-parse", "HEAD"]).trim()
    );
    commit(&repo, "side");
    git(&repo, &["update-index", "--add", "--cacheinfo", &module]);
    git(&repo, &["commit", "-qm", "a module"]);
    fs::create_dir(repo.join("module")).unwrap();
    repo
}

#[test]
fn there_and_back_is_as_git_does_it() {
    let dir = tempfile::tempdir().unwrap();
    let repo = two_trees(dir.path());
    let expected = |branch: &str| {
        let to = dir.path().join(branch);
        git(
            &repo,
            &[
                "worktree",
                "add",
                "-q",
                "--detach",
                to.to_str().unwrap(),
                branch,
            ],
        );
        let mut files = files(&to);
        files.remove(".git");
        files
    };
    let (main, side) = (expected("main"), expected("side"));
    for (from, to, files_of) in [
        ("side", "main", &main),
        ("main", "side", &side),
        ("side", "main", &main),
    ] {
        put(&repo, "untracked", "mine");
        put(&repo, "deep/untracked", "mine");
        run(Input::new(&repo, from, to)).unwrap();
        for name in ["untracked", "deep/untracked"] {
            fs::remove_file(repo.join(name)).unwrap();
        }
        let there = files(&repo);
        assert_eq!(
            there.keys().collect::<Vec<_>>(),
            files_of.keys().collect::<Vec<_>>()
        );
        assert_eq!(&there, files_of, "{from} {to}");
        // The index is the tree's, and its stat data are the files'.
        assert_eq!(git(&repo, &["diff", "--cached", to]), "");
        // But for those that were as young as the index before.
        git(&repo, &["update-index", "-q", "--refresh"]);
        assert_eq!(git(&repo, &["diff-files"]), "", "{from} {to}");
        git(
            &repo,
            &["symbolic-ref", "HEAD", &format!("refs/heads/{to}")],
        );
        assert_eq!(git(&repo, &["status", "--porcelain"]), "");
        assert_eq!(git(&repo, &["fsck"]), "");
        assert!(
            !repo.join(".git/mug/ops").exists()
                || fs::read_dir(repo.join(".git/mug/ops"))
                    .unwrap()
                    .next()
                    .is_none()
        );
    }
}

#[test]
fn a_forced_move_is_a_hard_reset() {
    let dir = tempfile::tempdir().unwrap();
    let repo = two_trees(dir.path());
    put(&repo, "changed", "edited");
    put(&repo, "same", "edited and staged");
    put(&repo, "staged-new", "staged");
    put(&repo, "untracked", "mine");
    fs::remove_file(repo.join("deep/stays")).unwrap();
    git(&repo, &["add", "same", "staged-new"]);
    let mut input = Input::new(&repo, "side", "main");
    input.force = true;
    run(input).unwrap();
    git(&repo, &["symbolic-ref", "HEAD", "refs/heads/main"]);
    assert_eq!(git(&repo, &["status", "--porcelain"]), "?? untracked\n");
    assert_eq!(fs::read(repo.join("untracked")).unwrap(), b"mine");
}

#[test]
fn conflicts_are_in_the_index_and_their_files_in_the_tree() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    put(&repo, "file", "base\n");
    put(&repo, "other", "other\n");
    commit(&repo, "base");
    git(&repo, &["switch", "-q", "-c", "side"]);
    put(&repo, "file", "side\n");
    put(&repo, "new", "side\n");
    commit(&repo, "side");
    git(&repo, &["switch", "-q", "main"]);
    put(&repo, "file", "main\n");
    commit(&repo, "main");
    let merged = crate::history::testing::try_git(&repo, &["merge-tree", "main", "side"]);
    assert!(!merged.status.success());
    let said = String::from_utf8(merged.stdout).unwrap();
    let mut lines = said.lines();
    let tree = lines.next().unwrap();
    let stages: Vec<Stage> = lines
        .take_while(|line| !line.is_empty())
        .map(|line| {
            let (words, path) = line.split_once('\t').unwrap();
            let words: Vec<_> = words.split(' ').collect();
            Stage {
                path: path.into(),
                mode: u32::from_str_radix(words[0], 8).unwrap(),
                id: gix_hash::ObjectId::from_hex(words[1].as_bytes()).unwrap(),
                stage: words[2].parse().unwrap(),
            }
        })
        .collect();
    assert_eq!(stages.len(), 3);
    let mut input = Input::new(&repo, "main", tree);
    input.unmerged = stages;
    run(input).unwrap();
    fs::write(
        repo.join(".git/MERGE_HEAD"),
        git(&repo, &["rev-parse", "side"]),
    )
    .unwrap();
    assert_eq!(git(&repo, &["status", "--porcelain"]), "UU file\nA  new\n");
    let content = fs::read_to_string(repo.join("file")).unwrap();
    assert!(
        content.starts_with("<<<<<<< main\nmain\n=======\nside\n>>>>>>> side"),
        "{content}"
    );
    assert!(git(&repo, &["diff", "--cc"]).contains("++<<<<<<< main"));
    put(&repo, "file", "both\n");
    git(&repo, &["add", "file"]);
    git(&repo, &["commit", "-qm", "merged"]);
    assert_eq!(git(&repo, &["status", "--porcelain"]), "");
}

#[test]
fn a_sparse_checkout_stays_sparse() {
    let dir = tempfile::tempdir().unwrap();
    let repo = init(dir.path());
    for name in ["in/a", "out/a", "out/gone", "top"] {
        put(&repo, name, name);
    }
    commit(&repo, "one");
    git(&repo, &["switch", "-q", "-c", "side"]);
    fs::remove_file(repo.join("out/gone")).unwrap();
    for name in ["in/a", "in/new", "out/a", "out/new", "top"] {
        put(&repo, name, format!("{name} changed"));
    }
    commit(&repo, "two");
    git(&repo, &["switch", "-q", "main"]);
    git(&repo, &["sparse-checkout", "set", "in"]);
    assert!(!repo.join("out").exists());
    run(Input::new(&repo, "main", "side")).unwrap();
    git(&repo, &["symbolic-ref", "HEAD", "refs/heads/side"]);
    assert!(!repo.join("out").exists());
    assert_eq!(fs::read(repo.join("in/new")).unwrap(), b"in/new changed");
    assert_eq!(git(&repo, &["status", "--porcelain"]), "");
    let flags = git(&repo, &["ls-files", "-t"]);
    assert_eq!(flags, "H in/a\nH in/new\nS out/a\nS out/new\nH top\n");
}

#[test]
fn trees_come_from_an_index_as_git_makes_them() {
    let dir = tempfile::tempdir().unwrap();
    let repo = two_trees(dir.path());
    put(&repo, "a/b/c/d", "deep");
    put(&repo, "a/b.c", "before its directory");
    put(&repo, "a-b", "beside");
    git(&repo, &["add", "-A", "a", "a-b"]);
    let repository = gix::open(&repo).unwrap();
    let index = super::super::index::read(&repo.join(".git/index")).unwrap();
    let tree = super::super::write_tree(&repository, &index).unwrap();
    assert_eq!(tree.to_string(), git(&repo, &["write-tree"]).trim());
}
