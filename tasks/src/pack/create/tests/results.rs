//! What the operation makes, and what it refuses.

use std::{fs, path::Path};

use resume_runtime::Stopped;

use super::{check, create, files, input, ref_lines};
use crate::pack::{
    format::{RefTarget, Refs},
    testing::{GitRepo, git_in},
};

fn refs_of(repo: &GitRepo) -> Vec<String> {
    let format = "--format=%(objectname) %(refname)";
    repo.git(&["for-each-ref", format])
        .lines()
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_of_all_refs_holds_all_their_objects_and_is_the_same_on_any_number_of_threads() {
    let repo = GitRepo::history(15);
    repo.git(&["tag", "-a", "-m", "one", "v1"]);
    repo.git(&["repack", "-q", "-a", "-d"]);
    repo.write("later", "loose");
    repo.commit("later");
    let output = repo.beside("out");
    let summary = create(input(&repo, &output, &[]), 3).await.unwrap();
    let refs = check(&output, &repo, &["--all", "HEAD"]);
    assert_eq!(ref_lines(&refs), refs_of(&repo));
    assert_eq!(
        refs.head,
        Some(RefTarget::Symbolic("refs/heads/main".into()))
    );
    let made = files(&output);
    assert_eq!(
        summary.stored_bytes,
        made.values().map(|file| file.0).sum::<u64>()
    );
    assert_eq!(made.len(), 4, "{:?}", made.keys());
    let other = repo.beside("other");
    assert_eq!(create(input(&repo, &other, &[]), 1).await.unwrap(), summary);
    assert_eq!(files(&other), made);
    let name = repo.path().display().to_string();
    for path in made.keys() {
        let content = fs::read(output.join(path)).unwrap();
        let text = String::from_utf8_lossy(&content);
        assert!(
            !text.contains(&name),
            "{} names the repository",
            path.display()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chosen_refs_only() {
    let repo = GitRepo::history(4);
    repo.git(&["branch", "old", "HEAD~2"]);
    let output = repo.beside("out");
    create(input(&repo, &output, &["old"]), 2).await.unwrap();
    let refs = check(&output, &repo, &["old"]);
    let old = repo.git(&["rev-parse", "old"]);
    assert_eq!(
        refs,
        Refs::new(
            None,
            vec![(
                "refs/heads/old".into(),
                RefTarget::Object(gix_hash::ObjectId::from_hex(old.as_bytes()).unwrap())
            )]
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_repository_is_a_pack_without_objects() {
    let repo = GitRepo::new();
    let output = repo.beside("out");
    let summary = create(input(&repo, &output, &[]), 2).await.unwrap();
    assert_eq!((summary.objects, summary.frames), (0, 0));
    let refs = check(&output, &repo, &[]);
    assert_eq!(
        refs,
        Refs::new(Some(RefTarget::Symbolic("refs/heads/main".into())), vec![])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bare_repositories_and_linked_worktrees() {
    let repo = GitRepo::history(3);
    repo.git(&[
        "worktree",
        "add",
        "-q",
        "-b",
        "linked",
        "../linked",
        "HEAD~1",
    ]);
    let output = repo.beside("out");
    let mut from_worktree = input(&repo, &output, &[]);
    from_worktree.repository = repo.git_dir().join("worktrees/linked");
    create(from_worktree, 2).await.unwrap();
    let refs = check(&output, &repo, &["--all"]);
    assert_eq!(
        refs.head,
        Some(RefTarget::Symbolic("refs/heads/linked".into()))
    );
    repo.git(&["clone", "-q", "--bare", ".", "../bare.git"]);
    let output = repo.beside("out-bare");
    let mut from_bare = input(&repo, &output, &[]);
    from_bare.repository = repo.beside("bare.git");
    create(from_bare, 2).await.unwrap();
    check(&output, &repo, &["--all"]);
}

/// Why `Input::check` and the operation itself refuse; both must say the same.
async fn refusal(repo: &GitRepo, repository: &Path, output: &Path, refs: &[&str]) -> String {
    let mut input = input(repo, output, refs);
    input.repository = repository.to_owned();
    let checked = input.check().unwrap_err().to_string();
    match create(input, 1).await.unwrap_err() {
        Stopped::Failed { error, .. } => assert_eq!(error.to_string(), checked),
        other => panic!("{other:?}"),
    }
    checked
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_packed_is_refused_with_a_way_out() {
    let repo = GitRepo::history(3);
    let out = repo.beside("out");
    let why = refusal(&repo, repo.git_dir(), &out, &["nope"]).await;
    assert!(why.contains("no ref 'nope'"), "{why}");
    repo.git(&["init", "-q", "--object-format=sha256", "../sha256"]);
    let why = refusal(&repo, &repo.beside("sha256/.git"), &out, &[]).await;
    assert!(why.contains("sha256"), "{why}");
    repo.git(&["init", "-q", "--ref-format=reftable", "../reftable"]);
    let why = refusal(&repo, &repo.beside("reftable/.git"), &out, &[]).await;
    assert!(why.contains("reftable"), "{why}");
    let why = refusal(&repo, &repo.beside("nowhere"), &out, &[]).await;
    assert!(why.contains("cannot open"), "{why}");
    let why = refusal(&repo, repo.git_dir(), Path::new("out"), &[]).await;
    assert!(why.contains("relative"), "{why}");
    assert!(!out.exists(), "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_that_hold_something_are_refused_and_left_alone() {
    let repo = GitRepo::history(2);
    let output = repo.beside("out");
    fs::create_dir(&output).unwrap();
    fs::write(output.join("mine"), "precious").unwrap();
    let why = refusal(&repo, repo.git_dir(), &output, &[]).await;
    assert!(why.contains("not empty"), "{why}");
    fs::remove_file(output.join("mine")).unwrap();
    fs::create_dir(output.join(".mug-op-1234")).unwrap();
    let why = refusal(&repo, repo.git_dir(), &output, &[]).await;
    assert!(why.contains("op-1234"), "{why}");
    fs::remove_dir(output.join(".mug-op-1234")).unwrap();
    create(input(&repo, &output, &[]), 1).await.unwrap();
    fs::create_dir(output.join(".mug-op-1234")).unwrap();
    let why = refusal(&repo, repo.git_dir(), &output, &[]).await;
    assert!(why.contains("op-1234"), "{why}");
    fs::remove_dir(output.join(".mug-op-1234")).unwrap();
    fs::write(output.join("manifest.json"), "{}").unwrap();
    let why = refusal(&repo, repo.git_dir(), &output, &[]).await;
    assert!(why.contains("manifest.json"), "{why}");
    let why = refusal(&repo, repo.git_dir(), &output.join("manifest.json"), &[]).await;
    assert!(why.contains("cannot write"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_object_fails_the_operation_and_a_partial_clone_says_why() {
    let repo = GitRepo::history(3);
    let blob = repo.git(&["rev-parse", "HEAD:readme"]);
    fs::remove_file(
        repo.git_dir()
            .join("objects")
            .join(&blob[..2])
            .join(&blob[2..]),
    )
    .unwrap();
    let output = repo.beside("out");
    let failed = create(input(&repo, &output, &[]), 2)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        failed.contains(&blob) && failed.contains("missing"),
        "{failed}"
    );
    assert!(!failed.contains("partial clone"), "{failed}");
    for args in [
        ["config", "remote.origin.promisor", "true"],
        ["config", "extensions.partialClone", "origin"],
    ] {
        assert!(git_in(&repo.path(), &args).status.success());
    }
    let output = repo.beside("out2");
    let failed = create(input(&repo, &output, &[]), 2)
        .await
        .unwrap_err()
        .to_string();
    assert!(failed.contains("partial clone"), "{failed}");
    assert!(!output.join("manifest.json").exists());
}
