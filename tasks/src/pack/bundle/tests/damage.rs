//! A damaged entry is never passed on.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use super::{bundle, bundle_with, input, noise, small};
use crate::pack::testing::GitRepo;

/// A repository in one pack, with a small and a large file that nothing but the copy reads.
fn packed(index_version: u8) -> (GitRepo, PathBuf) {
    let repo = GitRepo::history(2);
    repo.write("small", noise(900));
    repo.write("large", noise(9000));
    repo.commit("noise");
    let config = format!("pack.indexVersion={index_version}");
    repo.git(&["-c", &config, "repack", "-q", "-a", "-d", "-f"]);
    let packs = fs::read_dir(repo.git_dir().join("objects/pack")).unwrap();
    let mut packs = packs.map(|entry| entry.unwrap().path());
    let pack = packs.find(|path| path.extension().is_some_and(|it| it == "pack"));
    (repo, pack.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_found_whatever_the_index_knows_and_however_large_the_entry() {
    for (version, name) in [(1, "small"), (1, "large"), (2, "small"), (2, "large")] {
        let (repo, pack) = packed(version);
        let id = repo.git(&["rev-parse", &format!("HEAD:{name}")]);
        let idx = pack.with_extension("idx");
        let shown = repo.git(&["verify-pack", "-v", super::path(&idx)]);
        let line = shown.lines().find(|line| line.starts_with(&id)).unwrap();
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (length, offset): (usize, usize) =
            (fields[3].parse().unwrap(), fields[4].parse().unwrap());
        let mut bytes = fs::read(&pack).unwrap();
        // In the content: the scan sees the header.
        bytes[offset + length / 2] ^= 1;
        fs::set_permissions(&pack, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(&pack, bytes).unwrap();
        let out = repo.beside("a.bundle");
        for env in [small(2), super::Env::default()] {
            let failed = bundle_with(input(&repo, &out, &[]), env).await.unwrap_err();
            let failed = failed.to_string();
            let named = failed.contains(&id) && failed.contains("damaged at offset");
            assert!(named, "{name}, version {version}: {failed}");
            assert!(!out.exists());
        }
        // Where the damaged object does not matter, it does not.
        bundle(input(&repo, &out, &["main", "^main~1"]))
            .await
            .unwrap_err();
        let old = repo.git(&["rev-parse", "main~1"]);
        repo.git(&["update-ref", "refs/heads/old", &old]);
        bundle(input(&repo, &out, &["old"])).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_came_to_be_meanwhile_is_not_replaced() {
    use std::sync::Arc;
    let repo = GitRepo::history(3);
    let out = repo.beside("a.bundle");
    let file = out.clone();
    let hook = move |place: &str| {
        if place == "publish" && !file.exists() {
            fs::write(&file, "somebody else's").unwrap();
        }
    };
    let env = super::Env {
        hook: Some(Arc::new(hook)),
        ..super::Env::default()
    };
    let failed = bundle_with(input(&repo, &out, &[]), env).await.unwrap_err();
    assert!(failed.to_string().contains("exists already"), "{failed}");
    assert_eq!(fs::read(&out).unwrap(), b"somebody else's");
}
