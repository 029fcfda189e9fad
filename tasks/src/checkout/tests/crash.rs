//! Checkouts under the crash harness: killed, cut from power and short of disk at every point.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use resume_runtime::testing::{Case, assert_resumable};

use super::fixture::{Env, Input, Machine, commit, git, init, tree};

fn input(scratch: &Path) -> Input {
    let repo = init(scratch);
    fs::write(repo.join(".gitattributes"), "*.bat text eol=crlf\n").unwrap();
    for number in 0..90 {
        let dir = repo.join(format!("d{}/e", number / 30));
        fs::create_dir_all(&dir).unwrap();
        let name = dir.join(format!("{number}.bat"));
        fs::write(name, format!("line\nof {number}\n")).unwrap();
    }
    symlink("d1/e", repo.join("link")).unwrap();
    commit(&repo);
    let head = git(&repo, &["rev-parse", "HEAD"]);
    let module = format!("160000,{},module", head.trim());
    git(&repo, &["update-index", "--add", "--cacheinfo", &module]);
    git(&repo, &["commit", "-qm", "a module"]);
    let ours = scratch.join("ours");
    let (from, to) = (repo.to_str().unwrap(), ours.to_str().unwrap());
    git(scratch, &["clone", "-q", "--no-checkout", from, to]);
    fs::remove_dir_all(&repo).unwrap();
    Input::of_head(&ours)
}

#[tokio::test]
async fn a_checkout_stands_every_crash() {
    let staged = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&staged);
    let case = Case::<Machine>::with_env(input, move |_, _| {
        Ok(Env {
            threads: 2,
            staged: Arc::clone(&counted),
        })
    })
    .observe(|scratch| {
        let ours = scratch.join("ours");
        let files = tree(&ours).into_iter();
        let mut files: BTreeMap<String, String> = files
            .map(|(path, file)| (String::from_utf8(path).unwrap(), format!("{file:?}")))
            .collect();
        // The index itself holds inode numbers and times.
        let differing = git(&ours, &["diff-files"]);
        files.insert("git diff-files".into(), differing);
        files.insert("git diff".into(), git(&ours, &["diff", "--cached", "HEAD"]));
        files
    })
    .states_may_differ()
    .work(staged)
    .points(6);
    assert_resumable(case).await;
}
