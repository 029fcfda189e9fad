//! Merges under the crash harness: killed, cut from power and short of disk at every point.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use resume_runtime::testing::{Case, assert_resumable};

use super::super::{Input, Merge};
use super::fixture::{input, repository, seen};
use crate::history::testing::{commit, git, put};

/// Two sides; one file more may be merged by content, and some by git alone.
fn make(scratch: &Path) -> Input {
    let repo = repository(scratch);
    let lines = |first: &str, last: &str| {
        let middle = "middle\n".repeat(30);
        format!("{first}\n{middle}{last}\n")
    };
    put(&repo, "f", lines("a", "z"));
    for number in 0..20 {
        put(&repo, &format!("d/{number}"), format!("{number}\n"));
    }
    commit(&repo, "base");
    git(&repo, &["switch", "-q", "-c", "topic"]);
    put(&repo, "f", lines("a", "theirs"));
    for number in 0..10 {
        put(&repo, &format!("d/{number}"), format!("{number} theirs\n"));
        fs::remove_file(repo.join(format!("d/{}", number + 10))).unwrap();
        put(&repo, &format!("e/{number}"), "new\n");
    }
    commit(&repo, "theirs");
    git(&repo, &["switch", "-q", "main"]);
    put(&repo, "f", lines("ours", "z"));
    commit(&repo, "ours");
    input(&repo, "topic")
}

fn observe(scratch: &Path) -> BTreeMap<String, String> {
    let repo = scratch.join("repo");
    let mut seen = seen(&repo);
    // A reflog may tell of what was done twice in lines that are the same; refs are compared as such.
    seen.remove("git reflog --all");
    let left = [
        ".git/index.lock",
        ".git/refs/heads/main.lock",
        ".git/mug/ops/op/merge",
    ];
    let left = left.map(|name| repo.join(name).exists());
    seen.insert("left behind".into(), format!("{left:?}"));
    seen
}

#[tokio::test]
async fn a_merge_stands_every_crash() {
    let case = Case::<Merge>::new(make)
        .observe(observe)
        .states_may_differ()
        .points(4);
    assert_resumable(case).await;
}

#[tokio::test]
async fn a_fast_forward_stands_every_crash() {
    let case = Case::<Merge>::new(|scratch: &Path| {
        let input = make(scratch);
        let repo = scratch.join("repo");
        git(&repo, &["reset", "-q", "--hard", "topic~1"]);
        input
    })
    .observe(observe)
    .states_may_differ()
    .points(4);
    assert_resumable(case).await;
}

#[tokio::test]
async fn a_conflict_that_is_resolved_stands_every_crash() {
    let case = Case::<Merge>::new(|scratch: &Path| {
        let input = make(scratch);
        let repo = scratch.join("repo");
        put(&repo, "d/1", "ours\n");
        commit(&repo, "a conflict");
        input
    })
    .user(|scratch, error| {
        let said = error.to_string();
        if said.contains("the index can't be read") {
            // What the user added was not on disk when the power went.
            let repo = scratch.join("repo");
            fs::remove_file(repo.join(".git/index")).unwrap();
            git(&repo, &["read-tree", "AUTO_MERGE"]);
            git(&repo, &["add", "d/1"]);
        }
        if said.contains("conflicts in") || said.contains("not resolved") {
            let repo = scratch.join("repo");
            // As it is: what the user writes and a power cut takes is not ours.
            git(&repo, &["add", "d/1"]);
        }
    })
    .observe(observe)
    .states_may_differ()
    .points(3);
    assert_resumable(case).await;
}
