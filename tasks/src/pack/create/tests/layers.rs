//! Layers added to a pack that is there.

use std::{fs, path::Path, sync::Arc};

use resume_runtime::Stopped;

use super::{Env, check, copy_dir, create, create_with, files, input, ref_lines};
use crate::pack::{
    format::{MANIFEST_NAME, PackDir},
    testing::GitRepo,
};

fn layers(output: &Path) -> usize {
    PackDir::open(output).unwrap().manifest().layers.len()
}

/// Asserts that nothing of `before` changed but the manifest.
fn kept(output: &Path, before: &super::BTreeMap<super::PathBuf, (u64, String)>) {
    let after = files(output);
    for (path, file) in before {
        if path != Path::new(MANIFEST_NAME) {
            assert_eq!(after.get(path), Some(file), "{}", path.display());
        }
    }
}

fn externals(output: &Path) -> u32 {
    let layers = PackDir::open(output).unwrap().layers().unwrap();
    layers.last().unwrap().index().external_count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_holds_what_is_new_and_nothing_that_was_there_changes() {
    let repo = GitRepo::history(12);
    repo.git(&["repack", "-q", "-a", "-d"]);
    let output = repo.beside("out");
    let first = create(input(&repo, &output, &[]), 2).await.unwrap();
    for (round, repacked) in [(2, false), (3, true)] {
        let before = files(&output);
        repo.grow(13 + round);
        repo.git(&["tag", "-a", "-m", "x", &format!("v{round}")]);
        if repacked {
            repo.git(&["repack", "-q", "-a", "-d", "-f"]);
        }
        let summary = create(input(&repo, &output, &[]), 2).await.unwrap();
        assert_eq!(summary.layers, round as u64);
        assert!(summary.objects > 0 && !summary.unchanged);
        assert_ne!(summary.layer, first.layer);
        kept(&output, &before);
        let added = files(&output).len() - before.len();
        assert_eq!(added, 3, "frames, index and refs");
        check(&output, &repo, &["--all", "HEAD"]);
        // Loose objects are whole; those of a pack are deltas, some against what is held.
        assert_eq!(externals(&output) > 0, repacked);
    }
    // All at once or in layers: the same objects, and the same refs.
    let whole = repo.beside("whole");
    create(input(&repo, &whole, &[]), 2).await.unwrap();
    let refs = check(&whole, &repo, &["--all", "HEAD"]);
    assert_eq!(check(&output, &repo, &["--all", "HEAD"]), refs);
}

#[tokio::test(flavor = "multi_thread")]
async fn walking_and_scanning_find_the_same_objects() {
    let repo = GitRepo::history(8);
    repo.git(&["checkout", "-q", "-b", "lost"]);
    repo.write("lost", "unreachable");
    repo.commit("lost");
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["branch", "old", "HEAD~4"]);
    let (walked, scanned) = (repo.beside("walked"), repo.beside("scanned"));
    create(input(&repo, &walked, &["old"]), 2).await.unwrap();
    copy_dir(&walked, &scanned);
    let chosen = ["main", "old"];
    create(input(&repo, &walked, &chosen), 2).await.unwrap();
    let env = Env {
        scan_all: true,
        ..Env::default()
    };
    create_with(env, input(&repo, &scanned, &chosen))
        .await
        .unwrap();
    assert_eq!(layers(&walked), 2);
    check(&walked, &repo, &chosen);
    assert_eq!(files(&walked), files(&scanned));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_new_nothing_changes() {
    let repo = GitRepo::history(3);
    let output = repo.beside("out");
    let first = create(input(&repo, &output, &[]), 2).await.unwrap();
    let before = files(&output);
    for scan_all in [false, true] {
        let env = Env {
            scan_all,
            ..Env::default()
        };
        let summary = create_with(env, input(&repo, &output, &[])).await.unwrap();
        assert!(summary.unchanged);
        assert_eq!((summary.layer, summary.layers), (first.layer.clone(), 1));
        assert_eq!(files(&output), before);
        assert_eq!(fs::read_dir(&output).unwrap().count(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refs_that_change_without_new_objects_are_a_layer_without_frames() {
    let repo = GitRepo::history(3);
    let output = repo.beside("out");
    create(input(&repo, &output, &[]), 2).await.unwrap();
    // To and fro: without objects, a layer is known by its refs alone.
    for (round, at) in ["HEAD~1", "HEAD", "HEAD~1", "HEAD"].iter().enumerate() {
        let before = files(&output);
        repo.git(&["branch", "-f", "moves", at]);
        let summary = create(input(&repo, &output, &[]), 2).await.unwrap();
        assert!(!summary.unchanged);
        assert_eq!((summary.objects, summary.frames), (0, 0));
        assert_eq!(summary.layers, (round as u64 + 2).min(3));
        kept(&output, &before);
        let refs = check(&output, &repo, &["--all"]);
        let moved = repo.git(&["rev-parse", "moves"]);
        assert!(ref_lines(&refs).contains(&format!("{moved} refs/heads/moves")));
    }
    let manifest = PackDir::open(&output).unwrap();
    assert!(
        manifest.manifest().layers[1..]
            .iter()
            .all(|layer| layer.files.is_empty())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_without_objects_gets_its_first() {
    let repo = GitRepo::new();
    let output = repo.beside("out");
    create(input(&repo, &output, &[]), 1).await.unwrap();
    repo.grow(2);
    let summary = create(input(&repo, &output, &[]), 1).await.unwrap();
    assert_eq!(summary.layers, 2);
    check(&output, &repo, &["--all", "HEAD"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_changes_meanwhile_is_taken_as_it_is_then() {
    let repo = GitRepo::history(3);
    let (output, other) = (repo.beside("out"), repo.beside("other"));
    create(input(&repo, &output, &[]), 1).await.unwrap();
    copy_dir(&output, &other);
    repo.grow(5);
    repo.git(&["branch", "half", "HEAD~2"]);
    create(input(&repo, &other, &["half"]), 1).await.unwrap();
    for place in ["scan", "frame 0", "index", "publish"] {
        let out = repo.beside(&format!("at {place}"));
        copy_dir(&output, &out);
        let (from, to) = (other.clone(), out.clone());
        let hook = move |at: &str| {
            // Once: afterwards the files are there.
            if at == place && layers(&to) == 1 {
                copy_dir(&from, &to);
            }
        };
        let env = Env {
            hook: Some(Arc::new(hook)),
            ..Env::default()
        };
        let summary = create_with(env, input(&repo, &out, &[])).await.unwrap();
        assert_eq!(summary.layers, 3, "{place}");
        kept(&out, &files(&other));
        check(&out, &repo, &["--all", "HEAD"]);
        assert_eq!(fs::read_dir(&out).unwrap().count(), 2, "{place}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_at_once_one_waits_or_is_refused() {
    let repo = GitRepo::history(3);
    for round in 0..8 {
        let output = repo.beside(&format!("out{round}"));
        if round % 2 == 0 {
            create(input(&repo, &output, &["HEAD"]), 1).await.unwrap();
            repo.grow(4 + round);
        }
        let both = [0, 1].map(|_| tokio::spawn(create(input(&repo, &output, &[]), 1)));
        let mut made = 0;
        for one in both {
            match one.await.unwrap() {
                Ok(_) => made += 1,
                Err(Stopped::Failed { error, .. }) => {
                    let error = error.to_string();
                    assert!(
                        error.contains("holds the unfinished work of op-"),
                        "{error}"
                    );
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(made > 0);
        check(&output, &repo, &["--all", "HEAD"]);
        assert_eq!(fs::read_dir(&output).unwrap().count(), 2);
    }
}
