//! The operation under the crash harness: killed, cut from power and short of disk at every point.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use resume_runtime::testing::{Case, assert_resumable};

use super::super::{Env, Input, Namespace, Restore, prepare};
use super::fixture::{Order, add_layer, git, repository};

fn case(bare: bool) -> Case<Restore> {
    let units = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&units);
    let input = move |scratch: &Path| {
        let dir = tempfile::tempdir().unwrap();
        let pack = scratch.join("pack");
        let repo = repository(dir.path(), 8);
        add_layer(&repo, &pack, 600, Order::DepthFirst);
        Input {
            pack,
            target: scratch.join("new"),
            bare,
            into: None,
        }
    };
    Case::with_env(input, move |_, _| {
        Ok(Env::counting(2, Arc::clone(&counted)))
    })
    .observe(move |scratch| {
        let mut files = BTreeMap::new();
        list(&scratch.join("new"), &mut files);
        files
    })
    .work(units)
}

/// All files with their content, but for Git's index (it holds inode numbers) and the store.
fn list(dir: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with(".git/index") {
            files.insert("index".into(), String::new());
        } else if path.is_dir() && !path.ends_with("mug") {
            list(&path, files);
        } else if path.is_file() {
            let digest = blake3::hash(&fs::read(&path).unwrap());
            files.insert(path.to_str().unwrap().into(), digest.to_string());
        }
    }
}

#[tokio::test]
async fn a_restore_into_a_repository_stands_every_crash() {
    let units = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&units);
    let input = move |scratch: &Path| {
        let dir = tempfile::tempdir().unwrap();
        let pack = scratch.join("pack");
        let repo = repository(dir.path(), 4);
        add_layer(&repo, &pack, 600, Order::DepthFirst);
        let existing = scratch.join("existing");
        fs::create_dir(&existing).unwrap();
        for args in [
            &["init", "-q", "--bare"][..],
            &["config", "gc.auto", "0"],
            &[
                "fetch",
                "-q",
                repo.to_str().unwrap(),
                "main:refs/heads/kept",
            ],
            &["pack-refs", "--all"],
        ] {
            git(&existing, args);
        }
        let namespace = Namespace::parse("refs/restored/it").unwrap();
        prepare::into(pack, &existing, namespace).unwrap()
    };
    let case = Case::<Restore>::with_env(input, move |_, _| {
        Ok(Env::counting(2, Arc::clone(&counted)))
    })
    .observe(move |scratch| {
        let mut files = BTreeMap::new();
        list(&scratch.join("existing"), &mut files);
        files
    })
    .work(units)
    .points(6);
    assert_resumable(case).await;
}

#[tokio::test]
async fn a_bare_restore_stands_every_crash() {
    assert_resumable(case(true).points(6)).await;
}

#[tokio::test]
async fn a_restore_with_a_working_tree_stands_every_crash() {
    assert_resumable(case(false).points(4)).await;
}
