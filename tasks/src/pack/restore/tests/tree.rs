//! The working tree of a restored repository.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::AtomicBool;

use super::super::publish::{self, Target};
use super::super::worktree::{check_out, head, move_in};
use super::super::{RestoreError, source};
use super::fixture::{Order, add_layer, git, repository};
use super::plain::{Plain, restore_objects};

#[test]
fn the_tree_is_what_git_would_check_out_even_if_it_is_moved_in_twice() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository(dir.path(), 2);
    fs::create_dir_all(repo.join("deep/er")).unwrap();
    fs::write(repo.join("deep/er/run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(repo.join("deep/er/run"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("deep/er/run", repo.join("link")).unwrap();
    fs::write(repo.join(".gitattributes"), "*.bat text eol=crlf\n").unwrap();
    fs::write(repo.join("a.bat"), "one\ntwo\n").unwrap();
    git(&repo, &["add", "-A"]);
    git(
        &repo,
        &["commit", "-qm", "a tree with all kinds of entries"],
    );
    git(&repo, &["repack", "-adfq"]);
    let out = dir.path().join("out");
    add_layer(&repo, &out, 1000, Order::DepthFirst);

    let target = Target {
        path: dir.path().join("new"),
        bare: false,
    };
    restore_objects(&out, &target);
    let source = source::open(&out).unwrap();
    let tip = head(source.newest().refs()).unwrap();
    let scratch = target.git_dir().join("mug/tree");
    let interrupt = AtomicBool::new(true);
    let stopped = check_out(&target, &scratch, tip, &interrupt, &Plain);
    assert!(matches!(stopped, Err(RestoreError::Interrupted)));
    let interrupt = AtomicBool::new(false);
    check_out(&target, &scratch, tip, &interrupt, &Plain)
        .unwrap()
        .unwrap();
    // As if it had been killed after the first entry.
    fs::rename(scratch.join("deep"), target.path.join("deep")).unwrap();
    check_out(&target, &scratch, tip, &interrupt, &Plain)
        .unwrap()
        .unwrap();
    move_in(&target, &scratch, &Plain).unwrap();
    publish::refs(&target.git_dir(), source.newest().refs(), &Plain).unwrap();

    assert_eq!(git(&target.path, &["status", "--porcelain"]), "");
    assert_eq!(git(&target.path, &["diff", "HEAD"]), "");
    assert_eq!(
        fs::read(target.path.join("a.bat")).unwrap(),
        b"one\r\ntwo\r\n"
    );
    assert_eq!(
        fs::read_link(target.path.join("link")).unwrap().to_str(),
        Some("deep/er/run")
    );
    git(&target.path, &["fsck", "--full", "--strict"]);
}
