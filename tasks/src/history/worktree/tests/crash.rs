//! Moves under the crash harness: killed, cut from power and short of disk at every point.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use resume_runtime::testing::{Case, assert_resumable};

use super::fixture::{Input, Machine};
use crate::history::testing::{commit, files, git, init, put};

fn input(scratch: &Path) -> Input {
    let repo = init(scratch);
    put(&repo, ".gitattributes", "*.bat text eol=crlf\n");
    for number in 0..90 {
        put(
            &repo,
            &format!("d{}/{number}.bat", number / 30),
            format!("line\nof {number}\n"),
        );
    }
    commit(&repo, "one");
    git(&repo, &["switch", "-q", "-c", "side"]);
    for number in 0..60 {
        put(
            &repo,
            &format!("d{}/{number}.bat", number / 30),
            format!("line\nof {number} changed\n"),
        );
    }
    for number in 60..90 {
        fs::remove_file(repo.join(format!("d2/{number}.bat"))).unwrap();
        put(&repo, &format!("e/f/{number}"), "new\n");
    }
    fs::remove_dir(repo.join("d2")).unwrap();
    put(&repo, "d2", "a file now\n");
    commit(&repo, "two");
    git(&repo, &["switch", "-q", "main"]);
    Input::new(&repo, "main", "side")
}

#[tokio::test]
async fn a_move_stands_every_crash() {
    let case = Case::<Machine>::new(input)
        .observe(|scratch| {
            let repo = scratch.join("repo");
            let mut found: BTreeMap<String, String> = files(&repo)
                .into_iter()
                .map(|(path, file)| (path, format!("{file:?}")))
                .collect();
            // The index itself holds inode numbers and times.
            found.insert(
                "git diff-files".into(),
                git(&repo, &["diff-files", "--name-status"]),
            );
            found.insert("git diff".into(), git(&repo, &["diff", "--cached", "side"]));
            let left =
                [".git/index.lock", ".git/mug/ops/op/tree"].map(|name| repo.join(name).exists());
            found.insert("left behind".into(), format!("{left:?}"));
            found
        })
        .states_may_differ()
        .points(6);
    assert_resumable(case).await;
}
