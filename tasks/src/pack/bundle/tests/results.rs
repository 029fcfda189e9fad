//! Bundles of everything, and what is refused.

use std::{fs, path::Path};

use resume_runtime::Stopped;

use super::{bundle, bundle_with, cloned, git, input, mixed, objects, path, refs, small};
use crate::pack::testing::{GitRepo, git_in};

#[tokio::test(flavor = "multi_thread")]
async fn git_clones_the_very_refs_and_objects_and_any_number_of_threads_gives_the_same_bytes() {
    let root = tempfile::tempdir().unwrap();
    let repo = mixed(root.path());
    repo.git(&["symbolic-ref", "refs/remotes/o/HEAD", "refs/heads/main"]);
    repo.git(&["tag", "-a", "-m", "nested", "nested", "v1"]);
    repo.git(&["tag", "blob", "HEAD:readme"]);
    let out = repo.beside("a.bundle");
    let made = bundle(input(&repo, &out, &[])).await.unwrap();
    assert_eq!(made.bytes, fs::metadata(&out).unwrap().len());
    assert_eq!((made.refs, made.refs_left_out), (6, 0));
    let clone = cloned(&repo, &out, "clone.git");
    assert_eq!(refs(&clone), refs(&repo.path()));
    assert_eq!(objects(&clone), repo.reachable(&["--all"]));
    assert_eq!(git(&clone, &["symbolic-ref", "HEAD"]), "refs/heads/main");
    // Deltas stayed deltas; two packs and loose objects went in.
    let stored = git(&repo.path(), &["count-objects", "-v"]);
    assert!(
        stored.contains("packs: 2") && !stored.contains("count: 0"),
        "{stored}"
    );
    let packs = fs::read_dir(clone.join("objects/pack")).unwrap();
    let mut packs = packs.map(|entry| entry.unwrap().path());
    let idx = packs.find(|path| path.extension().is_some_and(|it| it == "idx"));
    let shown = git(&clone, &["verify-pack", "-v", path(&idx.unwrap())]);
    let deltas = shown
        .lines()
        .filter(|line| line.split_whitespace().count() == 7);
    assert!(deltas.count() > 10, "{shown}");
    for threads in [1, 5] {
        let other = repo.beside("other.bundle");
        let env = super::Env::with_threads(std::num::NonZero::new(threads));
        assert_eq!(
            bundle_with(input(&repo, &other, &[]), env).await.unwrap(),
            made
        );
        assert!(fs::read(&other).unwrap() == fs::read(&out).unwrap());
        fs::remove_file(other).unwrap();
    }
    let left: Vec<_> = fs::read_dir(repo.beside("")).unwrap().collect();
    assert_eq!(left.len(), 3, "repository, clone and bundle: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_in_many_pieces_are_whole() {
    let root = tempfile::tempdir().unwrap();
    let repo = mixed(root.path());
    let out = repo.beside("a.bundle");
    bundle_with(input(&repo, &out, &[]), small(2))
        .await
        .unwrap();
    let clone = cloned(&repo, &out, "clone.git");
    assert_eq!(objects(&clone), repo.reachable(&["--all"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_clone_checks_out_and_chosen_refs_are_all_there_is() {
    let repo = GitRepo::history(4);
    repo.git(&["branch", "old", "HEAD~2"]);
    let out = repo.beside("a.bundle");
    bundle(input(&repo, &out, &["main"])).await.unwrap();
    let listed = repo.git(&["bundle", "list-heads", path(&out)]);
    let head = repo.git(&["rev-parse", "main"]);
    assert_eq!(listed, format!("{head} refs/heads/main\n{head} HEAD"));
    git(&repo.beside(""), &["clone", "-q", path(&out), "clone"]);
    let clone = repo.beside("clone");
    assert_eq!(git(&clone, &["status", "--porcelain"]), "");
    assert!(clone.join("readme").exists());
    fs::remove_file(&out).unwrap();
    bundle(input(&repo, &out, &["old"])).await.unwrap();
    let listed = repo.git(&["bundle", "list-heads", path(&out)]);
    assert_eq!(
        listed,
        format!("{} refs/heads/old", repo.git(&["rev-parse", "old"]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_not_utf8_and_a_detached_head() {
    use std::os::unix::ffi::OsStrExt as _;
    let repo = GitRepo::history(2);
    repo.git(&["checkout", "-q", "--detach", "HEAD~1"]);
    let id = repo.git(&["rev-parse", "main"]);
    let name = std::ffi::OsStr::from_bytes(b"refs/heads/caf\xe9");
    fs::write(repo.git_dir().join(name), format!("{id}\n")).unwrap();
    let out = repo.beside("a.bundle");
    bundle(input(&repo, &out, &[])).await.unwrap();
    let header = fs::read(&out).unwrap();
    let line = [id.as_bytes(), b" refs/heads/caf\xe9\n"].concat();
    assert!(header.windows(line.len()).any(|bytes| bytes == line));
    let clone = cloned(&repo, &out, "clone.git");
    assert_eq!(refs(&clone), refs(&repo.path()));
    let detached = repo.git(&["rev-parse", "HEAD"]);
    assert_eq!(git(&clone, &["rev-parse", "HEAD"]), detached);
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_with_other_deltas_and_old_indexes() {
    for config in ["repack.useDeltaBaseOffset=false", "pack.indexVersion=1"] {
        let root = tempfile::tempdir().unwrap();
        let repo = GitRepo::below(root.path());
        repo.grow(6);
        repo.write("large", super::noise(9000));
        repo.commit("large");
        repo.git(&["-c", config, "repack", "-q", "-a", "-d", "-f"]);
        let out = repo.beside("a.bundle");
        bundle_with(input(&repo, &out, &[]), small(2))
            .await
            .unwrap();
        let clone = cloned(&repo, &out, "clone.git");
        assert_eq!(objects(&clone), repo.reachable(&["--all"]), "{config}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_comes_after_its_delta() {
    use crate::compress::{Compressor as _, FlateCompressor};
    use crate::pack::{
        bundle::{
            layout::{Entry, Form},
            writer::PackWriter,
        },
        format::Kind,
    };
    let repo = GitRepo::new();
    let base = b"0123456789".repeat(20);
    repo.write("base", &base);
    let base_name = repo.git(&["hash-object", "base"]);
    let gix_hash::ObjectId::Sha1(base_oid) =
        gix_hash::ObjectId::from_hex(base_name.as_bytes()).unwrap()
    else {
        unreachable!("it is SHA-1")
    };
    // All of the base, then one byte.
    let delta = [0xc8, 0x01, 0xc9, 0x01, 0x90, 200, 1, b'!'];
    let mut writer = PackWriter::begin(2);
    let mut zlib = FlateCompressor::new(6);
    for (form, content) in [(Form::Elsewhere(0), &delta[..]), (Form::Whole, &base)] {
        let entry = Entry {
            id: 0,
            kind: Kind::Blob,
            form,
            length: 0,
        };
        writer
            .entry(&entry, content.len() as u64, |_| base_oid)
            .unwrap();
        let mut packed = Vec::new();
        zlib.compress(content, &mut packed).unwrap();
        writer.push(&packed);
    }
    let mut pack = Vec::new();
    writer.flush(&mut pack).unwrap();
    pack.extend_from_slice(writer.finish().as_slice());
    let dir = repo.git_dir().join("objects/pack");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("pack-x.pack"), pack).unwrap();
    repo.git(&["index-pack", path(&dir.join("pack-x.pack"))]);
    repo.write("made", [&base[..], b"!"].concat());
    repo.commit("both");
    repo.git(&["prune-packed", "-q"]);
    let out = repo.beside("a.bundle");
    bundle(input(&repo, &out, &[])).await.unwrap();
    let clone = cloned(&repo, &out, "clone.git");
    assert_eq!(objects(&clone), repo.reachable(&["--all"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn refs_can_be_left_out_and_what_may_surprise_is_said() {
    let repo = GitRepo::history(3);
    repo.git(&["branch", "wip/a", "HEAD~1"]);
    repo.write("secret", "not for others");
    repo.git(&["checkout", "-q", "-b", "wip/b"]);
    repo.commit("secret");
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["replace", "HEAD", "HEAD~1"]);
    let out = repo.beside("a.bundle");
    let mut input = input(&repo, &out, &[]);
    input.exclude = vec!["wip/*".into(), "refs/replace/*".into()];
    let remarks = input.check().unwrap();
    assert!(remarks[0].contains("refs/replace"), "{remarks:?}");
    bundle(input).await.unwrap();
    let clone = cloned(&repo, &out, "clone.git");
    let main = repo.git(&["rev-parse", "main"]);
    assert_eq!(refs(&clone), format!("{main} refs/heads/main"));
    let config = [
        "--no-replace-objects",
        "rev-list",
        "--objects",
        "--no-object-names",
        "main",
    ];
    let expected = repo.git(&config).lines().map(str::to_owned).collect();
    assert_eq!(objects(&clone), expected);
}

/// Why `Input::check` and the operation itself refuse; both must say the same.
async fn refusal(repo: &GitRepo, repository: &Path, output: &Path, revisions: &[&str]) -> String {
    let mut input = input(repo, output, revisions);
    input.repository = repository.to_owned();
    let checked = input.check().unwrap_err().to_string();
    match bundle(input).await.unwrap_err() {
        Stopped::Failed { error, .. } => assert_eq!(error.to_string(), checked),
        other => panic!("{other:?}"),
    }
    checked
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_bundled_is_refused_with_a_way_out() {
    let repo = GitRepo::history(3);
    repo.git(&["tag", "tree", "HEAD^{tree}"]);
    let out = repo.beside("a.bundle");
    for (revisions, why) in [
        (&["nope"][..], "no ref 'nope'"),
        (&["main~1"], "no ref 'main~1'"),
        (&["main", "^nope"], "'nope' names no commit"),
        (&["main", "^tree"], "is a tree"),
        (&["a...main"], "not understood"),
        (&["main", "^main"], "nothing new"),
        (&["^main", "main"], "nothing new"),
    ] {
        let refused = refusal(&repo, repo.git_dir(), &out, revisions).await;
        assert!(refused.contains(why), "{revisions:?}: {refused}");
    }
    let url = format!("file://{}", repo.path().display());
    repo.git(&["clone", "-q", "--depth=1", &url, "../shallow"]);
    let why = refusal(&repo, &repo.beside("shallow/.git"), &out, &[]).await;
    assert!(why.contains("--unshallow"), "{why}");
    let empty = repo.beside("empty");
    git(
        &repo.beside(""),
        &["init", "-q", "-b", "main", path(&empty)],
    );
    let why = refusal(&repo, &empty.join(".git"), &out, &[]).await;
    assert!(why.contains("first commit"), "{why}");
    let why = refusal(&repo, repo.git_dir(), Path::new("a.bundle"), &[]).await;
    assert!(why.contains("relative"), "{why}");
    let why = refusal(&repo, repo.git_dir(), &repo.path().join("readme/x"), &[]).await;
    assert!(why.contains("no directory"), "{why}");
    assert!(!out.exists(), "nothing was written");
    for name in ["mine", "folder", "dangling"] {
        let taken = repo.beside(name);
        match name {
            "mine" => fs::write(&taken, "precious").unwrap(),
            "folder" => fs::create_dir(&taken).unwrap(),
            _ => std::os::unix::fs::symlink("nowhere", &taken).unwrap(),
        }
        let why = refusal(&repo, repo.git_dir(), &taken, &[]).await;
        assert!(why.contains("exists already"), "{why}");
    }
    assert_eq!(fs::read(repo.beside("mine")).unwrap(), b"precious");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_object_fails_it_and_a_partial_clone_says_why() {
    let repo = GitRepo::history(3);
    let blob = repo.git(&["rev-parse", "HEAD:readme"]);
    let file = repo.git_dir().join("objects").join(&blob[..2]);
    fs::remove_file(file.join(&blob[2..])).unwrap();
    let out = repo.beside("a.bundle");
    let failed = bundle(input(&repo, &out, &[]))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        failed.contains(&blob) && failed.contains("missing") && failed.contains("readme"),
        "{failed}"
    );
    // What is excluded may lack what it wants.
    repo.write("readme", "new");
    repo.commit("new");
    bundle(input(&repo, &out, &["main", "^main~1"]))
        .await
        .unwrap();
    fs::remove_file(&out).unwrap();
    for args in [
        ["config", "remote.origin.promisor", "true"],
        ["config", "extensions.partialClone", "origin"],
    ] {
        assert!(git_in(&repo.path(), &args).status.success());
    }
    let failed = bundle(input(&repo, &out, &[]))
        .await
        .unwrap_err()
        .to_string();
    assert!(failed.contains("partial clone"), "{failed}");
    assert!(!out.exists());
}
