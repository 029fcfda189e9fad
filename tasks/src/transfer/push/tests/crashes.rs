//! Crashes at every commit, sync and write; power cuts; full disks. The server is another machine: it
//! keeps what it has.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use resume_runtime::testing::{Case, Report};

use crate::pack::testing::GitRepo;
use crate::transfer::push::{Env, Input, Push};

fn git(dir: &Path, words: &[&str]) -> String {
    let out = Command::new("git")
        .args(words)
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(out.status.success(), "{words:?}: {out:?}");
    String::from_utf8(out.stdout).unwrap()
}

/// A new and empty server.
fn empty(server: &Path) {
    let _ = std::fs::remove_dir_all(server);
    let server = server.to_str().unwrap();
    git(
        Path::new("/"),
        &["init", "-q", "--bare", "-b", "main", server],
    );
}

/// The repository that is pushed from, below `scratch`.
fn local(scratch: &Path, server: &Path) -> PathBuf {
    let repo = GitRepo::below(scratch);
    for i in 0..6 {
        let line = |n: u32| ((n * 7919 + i * 104_729) % 99_991).to_string() + "\n";
        let text: String = (0..900).map(line).collect();
        repo.write(&format!("{}.txt", i % 4), text);
        repo.commit(&format!("{i}"));
    }
    // One that goes in parts, since it is above the limit.
    for i in 0..8 {
        let line = |n: u32| ((n * 7927 + i * 104_729) % 99_991).to_string() + "\n";
        repo.write(
            &format!("deep/{i}/new.txt"),
            (0..900).map(line).collect::<String>(),
        );
    }
    repo.commit("many");
    repo.git(&["tag", "-am", "x", "v1"]);
    repo.git(&["remote", "add", "origin", server.to_str().unwrap()]);
    repo.git_dir().to_owned()
}

async fn check(refuses: bool) -> Report {
    let outside = tempfile::tempdir().unwrap();
    let server = outside.path().join("server.git");
    let sent = Arc::new(AtomicU64::new(0));
    let (counter, at, seen) = (Arc::clone(&sent), server.clone(), server.clone());
    let there = server.clone();
    let case = Case::<Push>::with_env(
        move |scratch: &Path| Input {
            git_dir: local(scratch, &there),
            remote: "origin".into(),
            url: there.to_str().unwrap().into(),
            refspecs: vec!["main".into(), "v1".into()],
            upstream: true,
            max_increment: Some(9_000),
            ..Input::default()
        },
        move |_, _| {
            let (counter, at) = (Arc::clone(&counter), at.clone());
            let hook = move |place: &str| match place {
                // Nothing was sent yet: a run begins.
                "prepare" => {
                    empty(&at);
                    if refuses {
                        let hook = at.join("hooks/update");
                        let script = "#!/bin/sh\ncase $1 in refs/mug/*) ;; *) exit 1;; esac\n";
                        std::fs::create_dir_all(at.join("hooks")).unwrap();
                        std::fs::write(&hook, script).unwrap();
                        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
                        std::fs::set_permissions(&hook, mode).unwrap();
                    }
                }
                "kept" => drop(counter.fetch_add(1, Ordering::Relaxed)),
                _ => {}
            };
            Ok(Env {
                hook: Some(Arc::new(hook)),
                ..Env::default()
            })
        },
    );
    let report = case
        .observe(move |scratch| {
            let repo = scratch.join("repo");
            let list = ["for-each-ref", "--format=%(objectname) %(refname)"];
            let config = git(&repo, &["config", "--local", "--list"]);
            git(&seen, &["fsck", "--full"]);
            [git(&seen, &list), git(&repo, &list), config]
        })
        .work(sent)
        .points(5)
        .states_may_differ()
        .check()
        .await;
    drop(outside);
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_interrupts_it_the_server_has_what_was_asked_for_and_nothing_is_sent_twice() {
    let report = check(false).await;
    assert!(report.commits > 4, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_leaves_nothing_at_the_server_however_it_is_interrupted() {
    let report = check(true).await;
    assert!(report.commits > 4, "{report}");
}
