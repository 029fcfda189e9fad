//! Clones under the crash harness.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use resume_runtime::testing::{Case, assert_resumable};

use super::super::{Cloning, Env};
use super::fixture::{bundles, git, input, repository};
use crate::transfer::obtain::script::{Fault, Script};

/// The objects, refs and files of the new repository.
fn observe(scratch: &Path) -> BTreeMap<String, String> {
    let new = scratch.join("new");
    let mut seen = BTreeMap::new();
    let mut objects: Vec<String> = git(
        &new,
        &[
            "cat-file",
            "--batch-all-objects",
            "--batch-check",
            "--unordered",
        ],
    )
    .lines()
    .map(str::to_owned)
    .collect();
    objects.sort();
    seen.insert("objects".to_owned(), objects.join("\n"));
    seen.insert("refs".to_owned(), git(&new, &["for-each-ref"]));
    seen.insert("HEAD".to_owned(), git(&new, &["symbolic-ref", "HEAD"]));
    for (name, args) in [
        ("config", &["config", "--local", "--list"][..]),
        ("fsck", &["fsck", "--full"]),
    ] {
        seen.insert(name.to_owned(), git(&new, args));
    }
    if new.join(".git").exists() {
        seen.insert("status".to_owned(), git(&new, &["status", "--porcelain"]));
        for name in ["a", "src/b", "src/deep/c"] {
            let text = fs::read_to_string(new.join(name)).unwrap();
            seen.insert(name.to_owned(), text);
        }
    }
    seen
}

fn case(bare: bool, staged: bool, faults: &'static [usize]) -> Case<Cloning> {
    case_of(bare, staged, move |scratch| {
        let faults = faults.iter().map(|part| Fault::Cut(*part));
        Script::new(&scratch.join("origin")).faults(faults)
    })
}

fn case_of(
    bare: bool,
    staged: bool,
    script: impl Fn(&Path) -> Script + Send + Sync + 'static,
) -> Case<Cloning> {
    let files = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&files);
    Case::with_env(
        move |scratch: &Path| {
            repository(&scratch.join("origin"), 6);
            bundles(scratch, "main~4", "main~1");
            input(scratch, bare, staged)
        },
        move |scratch, _| {
            let mut env = Env::new(script(scratch).server(), 2, 3);
            env.staged = Arc::clone(&counted);
            Ok(env)
        },
    )
    .observe(observe)
    .work(files)
    .states_may_differ()
    .points(4)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clone_with_a_cut_stands_every_crash() {
    assert_resumable(case(false, false, &[60])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_staged_clone_with_cuts_stands_every_crash() {
    assert_resumable(case(true, true, &[70, 50])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clone_that_takes_bundles_stands_every_crash() {
    let case = case_of(false, false, |scratch| {
        let mut script = Script::new(&scratch.join("origin"));
        script.bundles = vec![scratch.join("old.bundle"), scratch.join("new.bundle")];
        *script.cuts.lock().unwrap() = vec![90, 60, 80];
        script
    });
    assert_resumable(case).await;
}
