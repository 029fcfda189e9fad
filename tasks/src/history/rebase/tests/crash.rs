//! Rebases under the crash harness, with a conflict in the middle.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use resume_runtime::testing::{Case, assert_resumable};

use super::super::{Env, Input, Rebase, Wish};
use super::conflicts::{conflicting, resolve};
use super::fixture::{env, input};
use crate::history::testing::{files, git};

pub(super) fn observe(scratch: &Path) -> BTreeMap<String, String> {
    let repo = scratch.join("repo");
    let mut found: BTreeMap<String, String> = files(&repo)
        .into_iter()
        .map(|(path, file)| (path, format!("{file:?}")))
        .collect();
    for args in [
        &["for-each-ref"][..],
        &["status", "--porcelain"],
        &["reflog", "--format=%H %gs"],
        &["reflog", "--format=%H %gs", "side"],
        &["fsck", "--no-dangling"],
    ] {
        found.insert(args.join(" "), git(&repo, args));
    }
    for name in [
        "rebase-merge",
        "index.lock",
        "HEAD.lock",
        "refs/heads/side.lock",
    ] {
        let there = repo.join(".git").join(name).exists();
        found.insert(name.to_owned(), there.to_string());
    }
    found
}

#[tokio::test]
async fn a_rebase_with_conflicts_stands_every_crash() {
    let picked = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&picked);
    let make = |scratch: &Path| -> Input {
        let repo = conflicting(scratch);
        input(&repo, &["main"])
    };
    let case = Case::<Rebase>::with_env(make, move |_, _| {
        Ok(Env {
            picked: Arc::clone(&counted),
            ..env(Wish::Continue)
        })
    })
    .user(|scratch, _| resolve(&scratch.join("repo")))
    .observe(observe)
    .states_may_differ()
    .work(picked)
    .points(5);
    assert_resumable(case).await;
}

#[tokio::test]
async fn giving_up_stands_every_crash() {
    let make = |scratch: &Path| -> Input {
        let repo = conflicting(scratch);
        std::fs::write(repo.join("new"), "mine\n").unwrap();
        git(&repo, &["add", "new"]);
        Input {
            autostash: Some(true),
            ..input(&repo, &["main"])
        }
    };
    // Once the user saw the conflict, each process is told to give up.
    let env_of = |scratch: &Path, _: &Input| {
        let wish = if scratch.join("seen").exists() {
            Wish::Abort
        } else {
            Wish::Continue
        };
        Ok(env(wish))
    };
    let case = Case::<Rebase>::with_env(make, env_of)
        .user(|scratch, _| std::fs::write(scratch.join("seen"), "").unwrap())
        .observe(observe)
        .states_may_differ()
        .points(5);
    assert_resumable(case).await;
}
